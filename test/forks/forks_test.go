package forks

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// gates are those of hack/check that read what users edit.
var gates = []string{"synth", "manifests", "generated", "services"}

// check runs the gates, as `make check` does.
func (f fork) check() {
	f.t.Helper()
	f.build()
	if out, err := f.run("hack/check", gates...); err != nil {
		f.t.Errorf("hack/check %s: %v\n%s", strings.Join(gates, " "), err, out)
	}
}

func TestForks(t *testing.T) {
	for name, edit := range map[string]func(f fork){
		"README alone, exported without .git": func(f fork) { f.followReadme() },
		"one environment, no local one, no example": func(f fork) {
			f.configure(func(gitops object) {
				gitops["repository"] = object{"owner": "acme", "name": "infra"}
				dev := gitops["environments"].(object)["dev"].(object)
				dev["region"], dev["branch"] = "us-east-1", "main"
				dev["delivery"] = object{"connectionArn": connection("us-east-1", "111111111111")}
				gitops["environments"] = object{"prod-1": dev}
			})
			f.remove("k8s/clusters/local", "k8s/services")
			f.put("k8s/fleet/fleet.yaml", "# yaml-language-server: $schema=../../services/fleet.schema.json\nurl: https://github.com/acme/manifests.git\nbranch: ${ENVIRONMENT}/${SERVICE}\n")
			f.generate()
			f.commit()
		},
		"other names": func(f fork) {
			f.followReadme()
			f.rename("dev", "staging")
			f.rename("production", "live")
			f.generate()
			f.commit()
		},
		"without delivery": func(f fork) {
			f.environments(func(_ string, env object) {
				delete(env, "delivery")
				delete(env, "backup") // its drill is a build
				delete(env, "alerts") // their topic is that of the pipelines
			})
			f.generate()
			f.commit()
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFork(t)
			f.build()
			edit(f)
			f.check()
		})
	}
}

// generate runs the one command that the failing gate names.
func (f fork) generate() {
	f.t.Helper()
	out, err := f.run("hack/check", "generated")
	if err == nil {
		f.t.Error("the gate does not find that the generated files are out of date")
	}
	if !strings.Contains(out, "make generate") {
		f.t.Fatalf("the gate does not name make generate:\n%s", out)
	}
	f.must("make", "--silent", "generate")
}

// rename renames an environment in cdk.json and in the files of services.
func (f fork) rename(old, now string) {
	f.t.Helper()
	f.configure(func(gitops object) {
		all := gitops["environments"].(object)
		all[now] = all[old]
		delete(all, old)
	})
	files, err := filepath.Glob(filepath.Join(f.dir, "k8s/services/*.yaml"))
	if err != nil {
		f.t.Fatal(err)
	}
	key := regexp.MustCompile(`(?m)^  ` + old + `:`)
	for _, file := range append(files, filepath.Join(f.dir, "k8s/fleet/fleet.yaml")) {
		content, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(file, key.ReplaceAll(content, []byte("  "+now+":")), 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
}

// The platform stands alone: a fork that removes the laboratory builds its programs, checks and synthesizes as before. Here
// the fork builds them itself. Its tests compile, which the check sees, and that none reads what is gone is the next test's.
func TestWithoutTheLaboratory(t *testing.T) {
	f := newFork(t)
	f.remove("local")
	f.commit()
	f.must("touch", "node_modules/.package-lock.json") // newer than the copy of package.json: nothing is to be installed
	f.must("make", "--silent", "bin/app", "bin/gitops", "bin/services", "synth")
	// The rest of the gates and of the tests: format and lint read Go code as it is here, and what else may read the
	// laboratory is run by TestTestsDoNotReadTheConfiguration.
	f.must("hack/check", append([]string{"vet", "tidy", "names"}, gates...)...)
	for _, target := range []string{"check", "test"} {
		if out, err := f.run("make", "--dry-run", target); err != nil || strings.Contains(out, "local") {
			t.Errorf("make %s: %v\n%s", target, err, out)
		}
	}
	if out, err := f.run("bin/gitops", "local", "up"); err == nil || !strings.Contains(out, "no program gitops-local beside gitops") {
		t.Errorf("gitops local up: %v\n%s", err, out)
	}
	if out, err := f.run("git", "status", "--porcelain"); err != nil || out != "" {
		t.Errorf("the targets change files: %v\n%s", err, out)
	}
}

// Tests read nothing that users edit, and nothing of the laboratory: they pass in a fork where none of it is there. So what
// a fork has there, valid or not, does not matter to them, and one run stands for all forks.
func TestTestsDoNotReadTheConfiguration(t *testing.T) {
	f := newFork(t)
	f.remove("local")
	f.configure(func(gitops object) { clear(gitops) })
	clusters, err := filepath.Glob(filepath.Join(f.dir, "k8s/clusters/*"))
	if err != nil {
		t.Fatal(err)
	}
	fleet, err := filepath.Glob(filepath.Join(f.dir, "k8s/fleet/*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, folder := range append(clusters, fleet...) {
		if filepath.Base(folder) != "base" {
			f.remove(strings.TrimPrefix(folder, f.dir))
		}
	}
	f.remove("k8s/services", "k8s/fleet/fleet.yaml")

	// The test binaries are those of this checkout, run in the folders of the fork.
	root := fixture.Root(t)
	wrapper := filepath.Join(t.TempDir(), "in-fork")
	script := "#!/bin/sh\ncd \"" + f.dir + "/${PWD#\"" + root + "\"}\" && exec \"$@\"\n"
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	packages := outside(t, root)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"test", "-count", "1", "-vet=off", "-exec", wrapper}, packages...)...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("go test %s, in a fork without its configuration: %v\n%s", strings.Join(packages, " "), err, out)
	}
	if strings.Count(string(out), "\nok ")+1 < len(packages) {
		t.Logf("%s", out)
	}
}

// away is how a test reaches the root of the repository from a folder of a depth: by a path upwards, in one or in parts, or
// by the fixture's package. Tests run in the folder of their package, so no other test can meet what users edit, which lies
// at the root and below k8s.
func away(depth int) *regexp.Regexp {
	up := fmt.Sprintf(`"\.\.((/|", ")\.\.){%d}["/]`, depth-1)
	return regexp.MustCompile(up + `|fixture\.`)
}

// outside lists the packages whose tests read outside of their folder, and the one at the root.
func outside(t *testing.T, root string) []string {
	t.Helper()
	found := map[string]bool{".": true}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", "{{$d := .Dir}}{{range .TestGoFiles}}{{$d}}/{{.}}\n{{end}}{{range .XTestGoFiles}}{{$d}}/{{.}}\n{{end}}", "./...")
	cmd.Dir = root
	files, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range strings.Fields(string(files)) {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		relative, err := filepath.Rel(root, filepath.Dir(file))
		if err != nil {
			t.Fatal(err)
		}
		relative = filepath.ToSlash(relative)
		if relative == "." || relative == "test/forks" || !away(strings.Count(relative, "/")+1).Match(content) {
			continue
		}
		found["./"+relative] = true
	}
	var list []string
	for name := range found {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
