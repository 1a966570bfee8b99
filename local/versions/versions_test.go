package versions

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/gomodule"
	"k8s-plus-aws-gitops/internal/manifests/pinned"
	product "k8s-plus-aws-gitops/internal/versions"
	"k8s-plus-aws-gitops/internal/versions/renovate"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
)

const root = "../.."

func TestDocument(t *testing.T) {
	got, err := Document(root)
	if err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, filepath.Join(root, "local", "versions.md"), got)
}

// What the manifests are checked with is what this machine runs: each check of the platform is of the objects here too.
func TestModulesAreThePlatforms(t *testing.T) {
	wanted, err := pinned.Versions(root)
	if err != nil {
		t.Fatal(err)
	}
	built, err := gomodule.Required(filepath.Dir(filepath.Join(root, programSet)))
	if err != nil {
		t.Fatal(err)
	}
	for module, want := range wanted {
		if got := built[module].Version; got != want {
			t.Errorf("%s requires %s %s, %s/go.mod %s: change both", programSet, module, got, pinned.Dir, want)
		}
	}
}

// What is pinned is in the table: programs, and the packages of Ghost.
func TestEveryPinIsInTheTable(t *testing.T) {
	listed, set := map[string]int{}, ""
	for _, c := range Components() {
		listed[c.Pin.File]++
		if c.Pin.File == programSet {
			set += c.Pin.Pattern
		}
	}
	for _, name := range programs.Names() {
		if _, err := os.Stat(filepath.Join(root, "k8s", "platform", "controllers", name+".yaml")); err == nil {
			continue // in the table as the overlay pins it
		}
		if name == "controlplane" {
			name = "kubernetes"
		}
		if !strings.Contains(set, "/"+name+" ") {
			t.Errorf("%s of %s is not in local/versions.md: add it to local/versions/versions.go", name, programSet)
		}
	}
	const tools = "local/npm/package.json"
	content, err := os.ReadFile(filepath.Join(root, tools))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`(?m)^    "[a-z]+": "[0-9.]+"`).FindAll(content, -1)); n == 0 || n != listed[tools] {
		t.Errorf("%s pins %d packages, %d are in local/versions.md: add them to local/versions/versions.go", tools, n, listed[tools])
	}
	declared, err := platform.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(declared.Applications()); n != listed[platform.File] {
		t.Errorf("%s has %d applications from npm, %d are in local/versions.md: add them to local/versions/versions.go", platform.File, n, listed[platform.File])
	}
}

// Each pin is found by one rule of renovate.json, and each rule finds a pin, of the platform or of this folder.
func TestRenovate(t *testing.T) {
	var pins []product.Pin
	for _, component := range product.Components() {
		if component.Manual == "" {
			pins = append(pins, component.Pin)
		}
	}
	for _, component := range Components() {
		if component.Pin.File != "" {
			pins = append(pins, component.Pin)
		}
	}
	used, err := product.Proposed(root, pins)
	if err != nil {
		t.Error(err)
	}
	c, err := renovate.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range c.CustomManagers {
		if !used[renovate.Rule(i)] {
			t.Errorf("renovate.json: %s (%v) finds no pin: remove it, or add the pin to versions.go", renovate.Rule(i), m.ManagerFilePatterns)
		}
	}
}
