package manifests

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart/loader"

	"k8s-plus-aws-gitops/internal/cachedir"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/internal/manifests/schemas"
)

// policies are the files and constants of infrastructure/addons that name the chart which a policy was written for.
var policies = map[string][2]string{
	"aws-load-balancer-controller": {"loadbalancercontroller.go", "LoadBalancerControllerVersion"},
	"external-dns":                 {"externaldns.go", "ExternalDNSChartVersion"},
	"external-secrets":             {"externalsecrets.go", "ExternalSecretsChartVersion"},
}

// A chart that is newer than its policy is a known outage, so what Flux installs and the AWS half move together.
func TestPolicyVersions(t *testing.T) {
	found := releases(t, "production")
	if len(found) != len(policies) {
		t.Errorf("%d releases in k8s/platform/controllers, %d in this test: add the new one with its policy", len(found), len(policies))
	}
	for name, at := range policies {
		version := found[name].Spec.Chart.Spec.Version
		if got := constant(t, filepath.Join(root, "infrastructure", "addons", at[0]), at[1]); got != version {
			t.Errorf("infrastructure/addons/%s is written for chart %s, k8s/platform/controllers/%s.yaml pins %s: review upstream's policy and change both", at[0], got, name, version)
		}
	}
}

// The local overlay names charts that the pinned modules carry, so that they are at hand without a network.
func TestOverlayIsOfTheModules(t *testing.T) {
	charts := cachedCharts(t)
	for name, read := range releases(t, "local") {
		dir, err := charts(read.chart())
		if err != nil {
			t.Fatal(err)
		}
		if carried, err := inModule(root, dir, read.chart()); err != nil || !carried {
			t.Errorf("%s/go.mod pins no version of %s that carries chart %s of k8s/platform/controllers-local, %v", pinned.Dir, name, read.chart().Version, err)
		}
	}
}

// Between production and the local system the versions differ, and nothing else.
func TestOnlyVersionsDiffer(t *testing.T) {
	both := [2]map[string]object{}
	for i, path := range []string{"k8s/platform/controllers", "k8s/platform/controllers-local"} {
		both[i] = map[string]object{}
		for _, o := range objects(t, "production", path) {
			if key(o) == helmRelease {
				delete(value(o, "spec", "chart", "spec").(map[string]any), "version")
				delete(value(o, "spec", "values", "image").(map[string]any), "tag")
			}
			both[i][o.String()] = o
		}
	}
	if diff := cmp.Diff(both[0], both[1]); diff != "" {
		t.Errorf("k8s/platform/controllers-local changes more than the chart's version and image.tag (-production +local):\n%s", diff)
	}
}

func TestAbsent(t *testing.T) {
	defaults := map[string]any{"a": map[string]any{"b": 1}, "free": map[string]any{}, "text": "x"}
	got := dotted(absent(defaults, map[string]any{"a": map[string]any{"c": 1}, "free": map[string]any{"z": 1}, "text": "y", "no": 1}))
	if want := []string{"a.c", "no"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestReleased proves that what runs in production is what was tried on one machine: each value that we set is one of both
// charts, both accept it, and the API versions that the manifests use are served by both. Charts that no pinned
// module carries are read from the cache of `gitops manifests validate`, which downloads them.
func TestReleased(t *testing.T) {
	locally := cachedCharts(t)
	used := usedKinds(t)
	cache, err := cachedir.Dir()
	if err != nil {
		t.Fatal(err)
	}
	for name, production := range releases(t, "production") {
		t.Run(name+" local", func(t *testing.T) {
			local := releases(t, "local")[name]
			holds(t, local, locally)
		})
		t.Run(name+" production", func(t *testing.T) {
			dir := cached(filepath.Join(cache, "charts"), production.chart())
			if _, err := os.Stat(dir); err != nil {
				t.Skipf("chart %s %s is not in the cache; `gitops manifests validate` downloads it", name, production.Spec.Chart.Spec.Version)
			}
			served := holds(t, production, func(Chart) (string, error) { return dir, nil })
			for kind := range used {
				if served[groupOf(kind)] != nil && !served[groupOf(kind)][kind] {
					t.Errorf("chart %s %s does not serve %s, which manifests use and the local version serves", name, production.Spec.Chart.Spec.Version, kind)
				}
			}
		})
	}
}

// holds renders a release and returns the kinds that its CustomResourceDefinitions serve, by group.
func holds(t *testing.T, read release, find Charts) map[string]map[string]bool {
	t.Helper()
	dir, err := find(read.chart())
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range absent(loaded.Values, read.Spec.Values) {
		if effective(t, read, find, path) {
			continue // a template copies the whole of what is above it
		}
		t.Errorf("chart %s %s has no value %s: Helm would ignore it", read.Spec.Chart.Spec.Chart, read.Spec.Chart.Spec.Version, strings.Join(path, "."))
	}
	rendered, err := render(read, find)
	if err != nil {
		t.Fatal(err)
	}
	validator, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	defer validator.close()
	served := map[string]map[string]bool{}
	for _, o := range rendered {
		if o.kind() == "CustomResourceDefinition" {
			for kind := range kindsOf(o) {
				if served[groupOf(kind)] == nil {
					served[groupOf(kind)] = map[string]bool{}
				}
				served[groupOf(kind)][kind] = true
			}
			continue
		}
		findings, err := validator.validate(o)
		if err != nil {
			t.Error(err)
		}
		for _, finding := range findings {
			t.Errorf("the chart's %s: %s", o, finding)
		}
	}
	return served
}

// effective reports whether a value changes any object of the release. Objects that differ at each rendering, such as a
// certificate, do not count.
func effective(t *testing.T, read release, find Charts, path []string) bool {
	t.Helper()
	made := func() map[string]object {
		rendered, err := render(read, find)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]object{}
		for _, o := range rendered {
			by[o.String()] = o
		}
		return by
	}
	with, again := made(), made()
	read.Spec.Values = without(read.Spec.Values, path)
	for name, o := range made() {
		if cmp.Equal(with[name], again[name]) && !cmp.Equal(with[name], o) {
			return true
		}
	}
	return false
}

// without returns values without the one at a path; the original stays as it is.
func without(values map[string]any, path []string) map[string]any {
	left := maps.Clone(values)
	if inner, deeper := left[path[0]].(map[string]any); deeper && len(path) > 1 {
		left[path[0]] = without(inner, path[1:])
	} else {
		delete(left, path[0])
	}
	return left
}

// kindsOf are the kinds that a CustomResourceDefinition serves.
func kindsOf(definition object) map[string]bool {
	served := map[string]bool{}
	versions, _ := value(definition, "spec", "versions").([]any)
	for _, v := range versions {
		version := v.(map[string]any)
		if version["served"] == true {
			served[schemas.Key(text(definition, "spec", "group"), fmt.Sprint(version["name"]), text(definition, "spec", "names", "kind"))] = true
		}
	}
	return served
}

func groupOf(kind string) string {
	group, _, _ := strings.Cut(kind, "/")
	return group
}

// usedKinds are the kinds of the manifests in production.
func usedKinds(t *testing.T) map[string]bool {
	t.Helper()
	rendered, err := Render(t.Context(), Options{Root: fixture.Tree(t), Charts: cachedCharts(t)}, "production")
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			group, version, _ := strings.Cut(o.APIVersion, "/")
			if version != "" {
				used[schemas.Key(group, version, o.Kind)] = true
			}
		}
	}
	return used
}
