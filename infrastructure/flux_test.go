package infrastructure

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/config"
)

// gates of a Deployment, as the FluxInstance's patches set them.
func gates(t *testing.T, deployment string) map[string]string {
	t.Helper()
	raw, err := json.Marshal(fluxInstance(config.Environment{}))
	if err != nil {
		t.Fatal(err)
	}
	var instance struct {
		Spec struct {
			Kustomize struct {
				Patches []struct {
					Target struct{ Kind, Name string }
					Patch  string
				}
			}
		}
	}
	if err := json.Unmarshal(raw, &instance); err != nil {
		t.Fatal(err)
	}
	set := map[string]string{}
	for _, p := range instance.Spec.Kustomize.Patches {
		if p.Target.Kind != "Deployment" || !regexp.MustCompile("^(?:"+p.Target.Name+")$").MatchString(deployment) {
			continue
		}
		for _, match := range regexp.MustCompile(`--feature-gates=(\w+)=(\w+)`).FindAllStringSubmatch(p.Patch, -1) {
			set[match[1]] = match[2]
		}
	}
	return set
}

// A controller ends at once when it does not know a feature gate, so each gate is one of the pinned version, and is not its
// default already. What the platform counts on without setting it, is the default.
func TestFeatureGates(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		controller string
		set, count map[string]string
	}{
		{"kustomize-controller", map[string]string{"CancelHealthCheckOnNewRevision": "true"}, map[string]string{"StrictPostBuildSubstitutions": "true", "AdditiveCELDependencyCheck": "false"}},
		{"helm-controller", map[string]string{"CancelHealthCheckOnNewRevision": "true"}, nil},
		{"source-controller", nil, nil},
	} {
		got := gates(t, c.controller)
		if len(got) != len(c.set) {
			t.Errorf("%s gets %v, want %v", c.controller, got, c.set)
		}
		known := defaults(t, strings.TrimSpace(string(out)), c.controller)
		for name, value := range c.set {
			if got[name] != value {
				t.Errorf("%s: %s is %q, want %s", c.controller, name, got[name], value)
			}
			if known != nil && (known[name] == "" || known[name] == value) {
				t.Errorf("%s of the pinned version has %s=%q by default: nothing to set, or no such gate", c.controller, name, known[name])
			}
		}
		for name, value := range c.count {
			if known != nil && known[name] != value {
				t.Errorf("%s of the pinned version has %s=%q by default, the platform counts on %s: set it in infrastructure/flux.go", c.controller, name, known[name], value)
			}
		}
	}
}

// defaults reads the feature gates of the version whose schemas the manifests are checked with; nil while its module is not in the cache.
func defaults(t *testing.T, cache, controller string) map[string]string {
	t.Helper()
	module := "github.com/fluxcd/" + controller
	const pins = "internal/manifests/modules/go.mod"
	content, err := os.ReadFile(filepath.Join("..", pins))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(regexp.QuoteMeta(module) + ` (v[0-9.]+)`).FindSubmatch(content)
	if match == nil {
		t.Fatalf("%s does not require %s", pins, module)
	}
	source, err := os.ReadFile(filepath.Join(cache, module+"@"+string(match[1]), "internal", "features", "features.go"))
	if err != nil {
		t.Logf("%s %s is not in the module cache; only the gates that are set were compared", module, match[1])
		return nil
	}
	known := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^\t(?:controller\.FeatureGate)?(\w+): +(true|false),$`).FindAllSubmatch(source, -1) {
		known[string(line[1])] = string(line[2])
	}
	return known
}

// The root waits for what every environment must have, and for nothing that an environment adds: with wait: true it would
// never be ready while image automation has no credentials.
func TestRootHealth(t *testing.T) {
	content, err := os.ReadFile("../k8s/clusters/base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var base struct{ Resources []string }
	if err := yaml.Unmarshal(content, &base); err != nil {
		t.Fatal(err)
	}
	spec := kustomization(config.Environment{Name: "dev"})["spec"].(map[string]any)
	if spec["wait"] == true {
		t.Error("the root Kustomization has wait: true: it waits for image automation, which nothing may wait for; give it healthChecks")
	}
	checks, _ := spec["healthChecks"].([]any)
	var names []string
	for _, check := range checks {
		names = append(names, check.(map[string]any)["name"].(string)+".yaml")
	}
	slices.Sort(names)
	slices.Sort(base.Resources)
	if !slices.Equal(names, base.Resources) {
		t.Errorf("the root Kustomization checks the health of %v, k8s/clusters/base has %v: change layers in infrastructure/flux.go", names, base.Resources)
	}
}

// Flux follows the branch itself where there is no gate, and the layers do not wait for each other's revision there.
func TestRootComponents(t *testing.T) {
	gated := config.Environment{Name: "dev"}
	gated.Delivery.ConnectionARN, gated.Delivery.Gate = "arn", true
	ungated := gated
	ungated.Delivery.Gate = false
	for name, c := range map[string]struct {
		env     config.Environment
		ungated bool
	}{"gate": {gated, false}, "no gate": {ungated, true}, "no pipelines": {config.Environment{Name: "dev"}, true}} {
		spec := kustomization(c.env)["spec"].(map[string]any)
		components, _ := spec["components"].([]string)
		if got := slices.Equal(components, []string{"../base/ungated"}) && spec["ignoreMissingComponents"] == true; got != c.ungated {
			t.Errorf("%s: components %v, ignored if missing: %v", name, spec["components"], spec["ignoreMissingComponents"])
		}
	}
}
