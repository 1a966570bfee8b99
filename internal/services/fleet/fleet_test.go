package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
)

// sample is a fleet of n services in two environments.
func sample(n int) services.Fleet {
	f := services.Fleet{
		Clusters: []services.Cluster{{Environment: "dev", Domain: "dev.example.com"}, {Environment: "production", Domain: "example.com"}},
		Config:   services.Config{URL: "https://example.com/manifests.git", SecretRef: "git"},
	}
	off := false
	for i := range n {
		s := services.Service{Name: fmt.Sprintf("service-%03d", i), Settings: services.Settings{Image: "a:1", Port: 8080}}
		if i == 0 {
			s.Settings.Host = "first"
			s.Environments = map[string]services.Difference{"production": {Enabled: &off}}
		}
		f.Services = append(f.Services, s)
	}
	return f
}

// TestGolden generates the fixture's fleet. `make check` holds the repository's own to its files.
func TestGolden(t *testing.T) {
	dir := fixture.Dir(t)
	f, err := services.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	files, err := Generate(f)
	if err != nil {
		t.Fatal(err)
	}
	stale, err := Stale(dir, files)
	if golden.Updating() {
		stale, err = nil, cmp.Or(err, second(Write(dir, files)))
	}
	if err != nil || len(stale) > 0 {
		t.Errorf("testdata/fixture: %v, %v; if this is meant, run make golden and review the change", stale, err)
	}
}

func second[A any](_ A, err error) error { return err }

func TestGenerate(t *testing.T) {
	files, err := Generate(sample(100))
	if err != nil {
		t.Fatal(err)
	}
	first := string(files["k8s/fleet/dev/"+Shard("service-000")+"/service-000.yaml"])
	for _, want := range []string{"branch: dev/service-000", "services/host: first.${DOMAIN}", "interval: 30s", "name: git\n", "serviceAccountName: service-000", "prune: true"} {
		if !strings.Contains(first, want) {
			t.Errorf("lacks %q:\n%s", want, first)
		}
	}
	const gate = "pod-readiness-gate-inject"
	if second := string(files["k8s/fleet/dev/"+Shard("service-001")+"/service-001.yaml"]); !strings.Contains(first, gate) || strings.Contains(second, gate) {
		t.Error("pods wait for the load balancer if the service has a host, and only then")
	}
	if _, there := files["k8s/fleet/production/"+Shard("service-000")+"/service-000.yaml"]; there {
		t.Error("a service that is not enabled is in the fleet")
	}
	// Each service is listed once, in its shard, and no shard holds most of them.
	for _, shard := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(shard, "k8s/fleet/dev/") && strings.HasSuffix(shard, "/kustomization.yaml") {
			if n := strings.Count(string(files[shard]), "  - service-"); n > 20 {
				t.Errorf("%s lists %d of 100", shard, n)
			}
		}
	}
}

// What a registration gives holds in the cluster, whatever its repository publishes.
func TestRegistered(t *testing.T) {
	f := sample(2)
	for i := range f.Services {
		f.Services[i].Registration = services.Registration{Repository: "https://github.com/my-company/orders.git", Owner: "@my-company/orders"}
		f.Services[i].Settings.Limits = &services.Limits{Replicas: 4, CPU: "250m", Memory: "1Gi"}
	}
	files, err := Generate(f)
	if err != nil {
		t.Fatal(err)
	}
	for i, annotations := range []map[string]string{
		{"services/host": "first.${DOMAIN}", "services/owner": "@my-company/orders", "services/repository": "https://github.com/my-company/orders.git"},
		{"services/owner": "@my-company/orders", "services/repository": "https://github.com/my-company/orders.git"},
	} {
		name := f.Services[i].Name
		objects, err := manifests.ParseObjects(files["k8s/fleet/dev/"+Shard(name)+"/"+name+".yaml"])
		if err != nil {
			t.Fatal(err)
		}
		found := map[string]unstructured.Unstructured{}
		for _, o := range objects {
			found[o.Kind] = unstructured.Unstructured{Object: o.Values}
		}
		namespace, quota := found["Namespace"], found["ResourceQuota"]
		if diff := gocmp.Diff(annotations, namespace.GetAnnotations()); diff != "" {
			t.Error(diff)
		}
		hard, _, err := unstructured.NestedStringMap(quota.Object, "spec", "hard")
		if diff := gocmp.Diff(map[string]string{"pods": "8", "requests.cpu": "2", "requests.memory": "8Gi", "limits.memory": "8Gi"}, hard); diff != "" || err != nil || quota.GetNamespace() != name {
			t.Error(diff, err)
		}
	}
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	base := filepath.Join(dir, services.FleetDir, Base, "role.yaml")
	if err := os.MkdirAll(filepath.Dir(base), 0o700); err != nil {
		t.Fatal(err)
	}
	settings := filepath.Join(dir, services.ConfigFile)
	for _, file := range []string{base, settings} {
		if err := os.WriteFile(file, []byte("by hand\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for i, n := range []int{5, 5, 2, 0} {
		files, err := Generate(sample(n))
		if err != nil {
			t.Fatal(err)
		}
		written, err := Write(dir, files)
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 && len(written) > 0 {
			t.Errorf("nothing changed, but it wrote %v", written)
		}
		if stale, err := Stale(dir, files); err != nil || len(stale) > 0 {
			t.Errorf("%d services: stale %v, %v", n, stale, err)
		}
	}
	for _, file := range []string{base, settings} {
		if _, err := os.Stat(file); err != nil {
			t.Errorf("%v: what is written by hand was removed", err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, services.FleetDir, "dev", "*")); len(left) != 1 {
		t.Errorf("without services there is one file left, not %v", left)
	}
}

func TestDescribe(t *testing.T) {
	if got := Describe([]string{"a", "b", "c", "d", "e"}); got != "a, b, c and 2 more" {
		t.Error(got)
	}
}
