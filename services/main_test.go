package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/hatches"
	"k8s-plus-aws-gitops/services/imports/k8s"
	"k8s-plus-aws-gitops/services/service"
)

const root = ".."

// patched changes services of the fixture by code. Those of hatches.All are of the services that users have.
var patched = map[string]service.Hatch{"info": func(s *service.Service, p service.Props) {
	name := jsii.String(p.Name + "-motd")
	k8s.NewKubeConfigMap(s.Construct, jsii.String("Motd"), &k8s.KubeConfigMapProps{
		Metadata: &k8s.ObjectMeta{Name: name, Namespace: jsii.String(p.Name)},
		Data:     &map[string]*string{"motd.txt": jsii.String("one\ntwo\n")},
	})
	s.Deployment.AddJsonPatch(cdk8s.JsonPatch_Add(jsii.String("/spec/template/spec/volumes/-"), map[string]any{"name": "motd", "configMap": map[string]any{"name": name}}))
}}

func TestMain(m *testing.M) {
	// The kernel runs on the Node.js of package.json, if it is installed.
	bin, _ := filepath.Abs(root + "/node_modules/.bin")
	os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	os.Setenv("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "true")
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

func load(t *testing.T) services.Fleet {
	t.Helper()
	f, err := services.Load(fixture.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestGolden renders the services of the fixture for every environment, and holds them to Kubernetes' schemas.
func TestGolden(t *testing.T) {
	validator, err := manifests.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	defer validator.Close()
	f := load(t)
	for _, c := range f.Clusters {
		for _, s := range f.Here(c.Environment) {
			rendered, err := service.Render(service.Props{Spec: s.Resolve(c), Cluster: c}, patched[s.Name])
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", "golden", c.Environment, s.Name+".k8s.yaml")
			golden.Compare(t, file, rendered)
			for _, p := range validator.Documents(file, rendered) {
				t.Error(p)
			}
		}
	}
}

// TestHatchesAreOfServices finds a hatch whose name is misspelt: one of the users' services, or of the fixture's, which users
// may have deleted.
func TestHatchesAreOfServices(t *testing.T) {
	own, err := services.Load(root)
	if err != nil {
		t.Skipf("%v; make check names it", err)
	}
	f := load(t)
	for name := range hatches.All {
		_, known := f.Service(name)
		if _, ours := own.Service(name); !known && !ours {
			t.Errorf("hatches.All has %q, but there is no such service", name)
		}
	}
}

// answers runs the app on the services in the given order.
func answers(t *testing.T, c services.Cluster, all []services.Service) map[string]string {
	t.Helper()
	request := services.RenderRequest{Cluster: c}
	for _, s := range all {
		request.Services = append(request.Services, s.Resolve(c))
	}
	input, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := run(bytes.NewReader(input), &out); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for stream := json.NewDecoder(&out); stream.More(); {
		var r services.RenderResult
		if err := stream.Decode(&r); err != nil || r.Error != "" {
			t.Fatal(err, r.Error)
		}
		found[r.Name] = r.Manifest
	}
	return found
}

// TestOrderDoesNotMatter renders services in several orders, and each alone, those with a hatch among them.
func TestOrderDoesNotMatter(t *testing.T) {
	f := load(t)
	c := f.Clusters[0]
	all := f.Here(c.Environment)
	want := answers(t, c, all)
	r := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		shuffled := slices.Clone(all)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		if !maps.Equal(want, answers(t, c, shuffled)) {
			t.Error("another order, another manifest")
		}
	}
	for _, s := range all {
		if answers(t, c, []services.Service{s})[s.Name] != want[s.Name] {
			t.Errorf("%s alone differs from %s among others", s.Name, s.Name)
		}
	}
}

func TestBadRequest(t *testing.T) {
	if err := run(strings.NewReader("no json"), &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "stdin") {
		t.Error(err)
	}
}
