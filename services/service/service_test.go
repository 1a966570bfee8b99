package service

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"k8s-plus-aws-gitops/internal/services"
)

func TestMain(m *testing.M) {
	// The kernel runs on the Node.js of package.json, if it is installed.
	bin, _ := filepath.Abs("../../node_modules/.bin")
	os.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	os.Setenv("JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION", "true")
	code := m.Run()
	jsii.Close()
	os.Exit(code)
}

var cluster = services.Cluster{Environment: "dev", Domain: "dev.example.com", VPCCIDR: "10.20.0.0/16", Region: "eu-west-1", Account: "111111111111"}

// maybe returns a pointer to value, or nil half of the time.
func maybe[T any](r *rand.Rand, value T) *T {
	if r.IntN(2) == 0 {
		return nil
	}
	return &value
}

// random makes a valid service. Every field is present in some and absent in others.
func random(r *rand.Rand, name string) Props {
	s := services.Settings{
		Image: fmt.Sprintf("registry.example.com/%s:1.%d.0", name, r.IntN(9)), Port: 1024 + r.IntN(60000),
		User: maybe(r, 1+r.IntN(60000)), Internet: maybe(r, r.IntN(2) == 0),
		Health:    maybe(r, services.Health{Path: "/healthz", StartSeconds: r.IntN(100)}),
		Resources: maybe(r, services.Resources{CPU: fmt.Sprintf("%dm", 10+r.IntN(900)), Memory: "64Mi"}),
	}
	if r.IntN(2) == 0 {
		s.Replicas = maybe(r, r.IntN(5))
	} else {
		s.Autoscale = &services.Autoscale{Min: 1 + r.IntN(3), Max: 4 + r.IntN(9), CPU: r.IntN(100)}
	}
	if r.IntN(2) == 0 {
		s.Host = name
	}
	s.Migrate = maybe(r, services.Migrate{Version: 1 + r.IntN(9), Phase: services.Expand, Command: []string{"node", "migrate.js"}, Image: []string{"", "registry.example.com/migrate:1.0.0"}[r.IntN(2)]})
	if r.IntN(2) == 0 {
		s.AWS = &services.AWS{Cache: maybe(r, services.Cache{}), Mail: maybe(r, services.Mail{}), Bucket: maybe(r, services.Bucket{}), Database: maybe(r, services.Database{Engine: []string{services.MySQL, services.Postgres}[r.IntN(2)]})}
	}
	for i := range r.IntN(4) {
		if s.Environment == nil {
			s.Environment, s.Secrets = map[string]string{}, map[string]services.Secret{}
		}
		// Texts that YAML would take for something else, or that need quotes.
		odd := []string{"true", "0x1f", "null", "", "a: b", "- x", "$HOME ${X}", "two\nlines", "é", "1e3", "~", "'", `"`}
		s.Environment[fmt.Sprintf("V%d", i)] = odd[r.IntN(len(odd))]
		s.Secrets[fmt.Sprintf("S%d", i)] = services.Secret{Path: fmt.Sprintf("/dev/%s/%d", name, i), Key: []string{"", "k"}[r.IntN(2)]}
		s.Calls = append(s.Calls, fmt.Sprintf("other%d", i))
	}
	return Props{Spec: services.Spec{Name: name, Settings: s}, Cluster: cluster}
}

// TestBothWaysAreEqual holds the printer to cdk8s: what Render writes without the kernel is what a chart synthesizes.
func TestBothWaysAreEqual(t *testing.T) {
	for seed := range uint64(25) {
		p := random(rand.New(rand.NewPCG(seed, 1)), fmt.Sprintf("service%d", seed))
		direct, err := Render(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		synthesized, err := Synth(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(synthesized), string(direct)); diff != "" {
			t.Fatalf("seed %d (-cdk8s +direct):\n%s", seed, diff)
		}
	}
}

// TestDeterministic renders the same services twice and in another order.
func TestDeterministic(t *testing.T) {
	first := map[string][]byte{}
	for _, order := range [][]uint64{{0, 1, 2, 3, 4, 5, 6, 7}, {7, 3, 1, 0, 2, 6, 5, 4}} {
		for _, seed := range order {
			p := random(rand.New(rand.NewPCG(seed, 2)), fmt.Sprintf("service%d", seed))
			rendered, err := Render(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if before := first[p.Name]; before != nil && !bytes.Equal(before, rendered) {
				t.Errorf("%s differs", p.Name)
			}
			first[p.Name] = rendered
		}
	}
}

// TestValuesSurvive reads variables back from the YAML.
func TestValuesSurvive(t *testing.T) {
	for seed := range uint64(200) {
		p := random(rand.New(rand.NewPCG(seed, 3)), "x")
		rendered, err := Render(p, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, document := range strings.Split(string(rendered), "\n---\n") {
			var d struct {
				Kind string
				Spec struct {
					Template struct {
						Spec struct {
							Containers []struct {
								Env []struct{ Name, Value string }
							}
						}
					}
				}
			}
			if err := yaml.Unmarshal([]byte(document), &d); err != nil {
				t.Fatalf("%v\n%s", err, document)
			}
			if d.Kind == "Deployment" {
				for _, e := range d.Spec.Template.Spec.Containers[0].Env {
					got[e.Name] = e.Value
				}
			}
		}
		for name, value := range p.Environment {
			if got[name] != value {
				t.Errorf("%s: %q became %q", name, value, got[name])
			}
		}
	}
}

func TestHatchErrorIsOneLine(t *testing.T) {
	_, err := Synth(random(rand.New(rand.NewPCG(1, 1)), "x"), func(s *Service, _ Props) {
		NewService(s.Construct, "service", Props{})
		NewService(s.Construct, "service", Props{})
	})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "escape hatch") {
		t.Errorf("%v", err)
	}
}
