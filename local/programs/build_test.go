package programs

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// repository is a clone with one program that needs nothing but the standard library, and an empty cache.
func repository(t *testing.T, source string) (cache string) {
	t.Helper()
	root := t.TempDir()
	dir := filepath.Join(root, "local", "programs", "set")
	write(t, filepath.Join(dir, "go.mod"), "module "+setModule+"\n\ngo 1.26\n")
	write(t, filepath.Join(dir, "go.sum"), "")
	write(t, filepath.Join(dir, "controlplane", "main.go"), source)
	t.Chdir(root)
	cache = filepath.Join(t.TempDir(), "cache")
	t.Setenv("GITOPS_CACHE", cache)
	return cache
}

// safeBuffer is a buffer for several writers.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func TestParallelCallersBuildOnce(t *testing.T) {
	cache := repository(t, "package main\n\nfunc main() { println(\"hello\") }\n")
	var out safeBuffer
	var all sync.WaitGroup
	binaries := make([]string, 4)
	for i := range binaries {
		all.Go(func() {
			var err error
			if binaries[i], err = Build(t.Context(), "controlplane", &out); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(out.b.String(), "building"); n != 1 {
		t.Errorf("built %d times:\n%s", n, out.b.String())
	}
	said, err := exec.Command(binaries[0]).CombinedOutput()
	if err != nil || string(said) != "hello\n" {
		t.Errorf("the binary says %q, %v", said, err)
	}
	for _, b := range binaries {
		if b != binaries[0] {
			t.Errorf("two binaries: %s and %s", b, binaries[0])
		}
	}
	scratch(t, cache)
	if cached(t, "controlplane") != binaries[0] {
		t.Error("not cached after the build")
	}
}

// Each program gets its own name and variables, whatever its package is called, and is built when it is missing.
func TestBuildAll(t *testing.T) {
	repository(t, "package main\n\nvar VERSION string\n\nfunc main() { println(\"plane\" + VERSION) }\n")
	write(t, filepath.Join("local", "programs", "set", "cmd", "operator", "main.go"), "package main\n\nvar VERSION string\n\nfunc main() { println(\"operator\" + VERSION) }\n")
	before := table
	t.Cleanup(func() { table = before })
	table = []program{
		{name: "controlplane", pkg: setModule + "/controlplane"},
		{name: "flux-operator", pkg: setModule + "/cmd/operator", vars: []string{"main.VERSION=v2"}},
	}
	if _, err := Build(t.Context(), "flux-operator", nil); err != nil {
		t.Fatal(err)
	}
	var out safeBuffer
	all, err := Source{}.All(t.Context(), &out, Names()...)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.b.String(), "flux-operator") {
		t.Errorf("built again:\n%s", out.b.String())
	}
	for name, want := range map[string]string{"controlplane": "plane\n", "flux-operator": "operatorv2\n"} {
		path := all[name].Path
		if said, err := exec.Command(path).CombinedOutput(); err != nil || string(said) != want || filepath.Base(path) != name {
			t.Errorf("%s says %q, %v, want %q", path, said, err, want)
		}
	}
}

func TestFailedBuildNamesTheLog(t *testing.T) {
	cache := repository(t, "package main\n\nfunc main() { undefined() }\n")
	_, err := Build(t.Context(), "controlplane", nil)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"build controlplane:", "undefined", filepath.Join(cache, "programs.log")} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q in it", err, want)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	scratch(t, cache)
	if cached(t, "controlplane") != "" {
		t.Error("a failed build is cached")
	}
}

func TestMissingSumIsRefused(t *testing.T) {
	repository(t, "package main\n\nimport _ \"golang.org/x/mod/semver\"\n\nfunc main() {}\n")
	gomod := filepath.Join("local", "programs", "set", "go.mod")
	write(t, gomod, "module "+setModule+"\n\ngo 1.26\n\nrequire golang.org/x/mod v0.39.0\n")
	t.Setenv("GOPROXY", "off")
	if _, err := Build(t.Context(), "controlplane", nil); err == nil || !strings.Contains(err.Error(), "go.sum") {
		t.Errorf("a dependency without a checksum: %v", err)
	}
}

// cached is the program's binary in the cache, or "".
func cached(t *testing.T, name string) string {
	t.Helper()
	all, err := Source{From: Compile}.List(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return all[0].Path
}

// scratch checks that a build left nothing but its log, its lock and its result.
func scratch(t *testing.T, cache string) {
	t.Helper()
	entries, err := os.ReadDir(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), scratchPrefix) {
			t.Errorf("left behind: %s", e.Name())
		}
	}
}
