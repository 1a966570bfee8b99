package config

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// packages lists the module's packages among those that go list finds: the folder of each with its files that are compiled.
func packages(t *testing.T, root string, args ...string) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=Dir,Module,GoFiles,EmbedFiles"}, args...)...)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Dir                 string
			Module              *struct{ Main bool }
			GoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		folder, err := filepath.Rel(root, p.Dir)
		if err != nil {
			t.Fatal(err)
		}
		folder = filepath.ToSlash(folder)
		for _, name := range slices.Concat(p.GoFiles, p.EmbedFiles) {
			found[folder] = append(found[folder], path.Join(folder, name))
		}
	}
}

// The default trigger of a deployment is what the app is made of: each file that it compiles or embeds starts one, and no
// file of a package that it does not import does. A folder that is missing would leave a change undeployed without a word.
func TestDeployTriggerIsWhatTheAppImports(t *testing.T) {
	root := fixture.Root(t)
	c, err := Load(fixture.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	patterns := c.Repository.Paths.Deploy
	starts := func(file string) bool {
		found, err := pathfilter.Any(patterns, file)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	app := packages(t, root, "-deps", ".")
	deployed := packages(t, root, "-deps", ".", "./functions/...") // what the app packs, too
	for folder, files := range deployed {
		for _, file := range files {
			if !starts(file) {
				t.Errorf("%s is part of the app, and a change of it starts no deployment: add %s to the default of gitops.repository.paths.deploy in config/config.go", file, folder)
			}
		}
	}
	for folder, files := range packages(t, root, "./...") {
		if _, part := deployed[folder]; part {
			continue
		}
		for _, file := range files {
			if starts(file) {
				t.Errorf("%s is no part of the app, and a change of it starts a deployment: correct the default of gitops.repository.paths.deploy in config/config.go", file)
			}
		}
	}
	for _, file := range []string{"local/system/up.go", "README.md", "docs/configuration.md", "k8s/apps/ghost/deployment.yaml", "Makefile", "hack/check", "app_test.go"} {
		if starts(file) {
			t.Errorf("a change of %s starts a deployment", file)
		}
	}
	for _, file := range []string{"go.mod", "go.sum", "cdk.json", "package.json", "package-lock.json", "buildspec.yml", "infrastructure/delivery/buildspecs/test.yml"} {
		if !starts(file) {
			t.Errorf("a change of %s starts no deployment", file)
		}
	}
	makefileHas(t, root, app)
}

// With the gate, a change of what Flux applies starts a deployment, and of all else in the repository none does.
func TestManifestsStartADeployment(t *testing.T) {
	files, err := filepath.Glob("../k8s/*/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range append(files, "../README.md", "../local/system/up.go") {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../")
		starts, err := pathfilter.Any([]string{ManifestPaths}, name)
		if want := strings.HasPrefix(name, "k8s/"); err != nil || starts != want {
			t.Errorf("%s starts a deployment: %t, want %t (%v)", name, starts, want, err)
		}
	}
}

// makefileHas fails if bin/app is built of other folders than the app.
func makefileHas(t *testing.T, root string, app map[string][]string) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?m)^APP_PACKAGES := (.*)$`).FindSubmatch(content)
	if line == nil {
		t.Fatal("the Makefile has no APP_PACKAGES")
	}
	listed := strings.Fields(string(line[1]))
	below := func(folder string) bool {
		return folder == "." || slices.ContainsFunc(listed, func(l string) bool { return l == folder || strings.HasPrefix(folder, l+"/") })
	}
	for folder := range app {
		if !below(folder) {
			t.Errorf("Makefile: APP_PACKAGES lacks %s, which the app imports", folder)
		}
	}
	for _, folder := range listed {
		if app[folder] == nil {
			t.Errorf("Makefile: APP_PACKAGES has %s, which the app does not import", folder)
		}
	}
}
