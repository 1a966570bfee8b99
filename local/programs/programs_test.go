package programs

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"

	"k8s-plus-aws-gitops/internal/gomodule"
)

func TestEveryProgramIsPinned(t *testing.T) {
	f, err := readGoMod(filepath.Join("set", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	required, err := gomodule.Required("set")
	if err != nil {
		t.Fatal(err)
	}
	sum, err := os.ReadFile(filepath.Join("set", "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	if f.Module.Mod.Path != setModule {
		t.Errorf("set/go.mod is of module %s, want %s", f.Module.Mod.Path, setModule)
	}
	tools := map[string]bool{}
	for _, tool := range f.Tool {
		tools[tool.Path] = true
	}
	for _, p := range table {
		if version := required[p.module].Version; version != p.version {
			t.Errorf("%s: set/go.mod requires %s %s, table.go says %s", p.name, p.module, version, p.version)
		}
		if own := strings.HasPrefix(p.pkg, setModule+"/"); !own && !tools[p.pkg] {
			t.Errorf("%s: set/go.mod has no line \"tool %s\"", p.name, p.pkg)
		}
		delete(tools, p.pkg)
		if !strings.Contains(string(sum), p.module+" "+p.version+" h1:") {
			t.Errorf("%s: set/go.sum has no checksum of %s %s: run go -C local generate ./programs", p.name, p.module, p.version)
		}
		for _, e := range p.edits {
			if len(e.why) < 20 {
				t.Errorf("%s: the edit of %s has no reason worth reading: %q", p.name, e.file, e.why)
			}
		}
	}
	for tool := range tools {
		t.Errorf("%s is a tool of set/go.mod and not in table.go", tool)
	}
}

// The go.mod of each release is only read where all have been downloaded, so that the test needs no network.
func TestDifferencesAreListed(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	want, err := differences(t.Context(), "set")
	switch {
	case err != nil && strings.Contains(err.Error(), "GOPROXY=off"):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	if got, err := os.ReadFile(DifferencesFile); err != nil || string(got) != want {
		t.Errorf("%s is not of table.go and set/go.mod: run go -C local generate ./programs (%v)", DifferencesFile, err)
	}
}

func TestSelected(t *testing.T) {
	released, err := modfile.Parse("go.mod", []byte(`module m

require (
	example.com/same v1.0.0
	example.com/moved v1.0.0
	example.com/fork v1.0.0
	example.com/m/api v1.0.0
	k8s.io/api v0.0.0
	example.com/unused v1.0.0
)

replace example.com/moved => example.com/moved v1.1.0

replace example.com/fork => example.com/theirs v1.2.0

replace example.com/m/api => ./api

replace k8s.io/api => ./staging/src/k8s.io/api
`), nil)
	if err != nil {
		t.Fatal(err)
	}
	here := map[string]string{"example.com/same": "", "example.com/moved": "", "example.com/fork": "", "example.com/m/api": "", "k8s.io/api": ""}
	want := map[string]string{
		"example.com/same": "v1.0.0", "example.com/moved": "v1.1.0", "example.com/fork": "example.com/theirs v1.2.0",
		"example.com/m/api": "v1.36.3", "k8s.io/api": "v0.36.3",
	}
	if got := selected(released, "v1.36.3", here); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTag(t *testing.T) {
	for name, want := range map[string]string{"source-controller": "v1.9.4", "aws-load-balancer-controller": "v3.2.2"} {
		if got, err := Tag(name); err != nil || got != want {
			t.Errorf("Tag(%s) = %s, %v, want %s", name, got, err, want)
		}
	}
	if _, err := Tag("nginx"); err == nil || !strings.Contains(err.Error(), "source-controller") {
		t.Errorf("Tag of an unknown program: %v, want the list of names", err)
	}
}

// flux-operator's module names the images of each Flux version. The module is only looked at where it has been
// downloaded, so that the test needs no network.
func TestFluxControllersAreTheDistribution(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	flux := filepath.Join(strings.TrimSpace(string(out)), fluxOperatorModule+"@"+fluxOperatorVersion, "config", "data")
	latest, err := os.ReadFile(filepath.Join(flux, "flux-images", "VERSION"))
	if err != nil {
		t.Skip("flux-operator's module is not in the module cache")
	}
	for _, p := range table {
		if !strings.HasPrefix(p.module, "github.com/fluxcd/") {
			continue
		}
		b, err := os.ReadFile(filepath.Join(flux, "flux", strings.TrimSpace(string(latest)), p.name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "image: fluxcd/"+p.name+":"+p.version+"\n") {
			t.Errorf("Flux %s does not run %s %s", strings.TrimSpace(string(latest)), p.name, p.version)
		}
	}
}

func TestContentHash(t *testing.T) {
	base := map[string]string{"go.mod": "module m\n", "go.sum": "", "p/main.go": "package main\n"}
	prog := program{name: "p", pkg: setModule + "/p", vars: []string{"a=b"}, edits: []edit{{file: "f", old: "a", new: "b"}}}
	tc := toolchain{"go1.26.8", "linux", "amd64"}
	hash := func(t *testing.T, files map[string]string, p program, tc toolchain) string {
		t.Helper()
		dir := t.TempDir()
		for name, content := range files {
			write(t, filepath.Join(dir, name), content)
		}
		h, err := contentHash(p, dir, tc)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	with := func(name, content string) map[string]string {
		out := maps.Clone(base)
		out[name] = content
		return out
	}
	want := hash(t, base, prog, tc)
	other, reason, vars := prog, prog, prog
	other.edits = []edit{{file: "f", old: "a", new: "c"}}
	reason.edits = []edit{{file: "f", old: "a", new: "b", why: "said better"}}
	vars.vars = nil
	for name, c := range map[string]struct {
		files map[string]string
		p     program
		tc    toolchain
		same  bool
	}{
		"the same again":          {base, prog, tc, true},
		"a test":                  {with("p/main_test.go", "package main\n"), prog, tc, true},
		"a note":                  {with("p/README.md", "text"), prog, tc, true},
		"another program":         {with("q/main.go", "package main\n"), prog, tc, true},
		"go.mod":                  {with("go.mod", "module m\n\ngo 1.26\n"), prog, tc, false},
		"go.sum":                  {with("go.sum", "m v1 h1:x\n"), prog, tc, false},
		"a source":                {with("p/main.go", "package main // changed\n"), prog, tc, false},
		"a source in a directory": {with("p/sub/sub.go", "package sub\n"), prog, tc, false},
		"an edit":                 {base, other, tc, false},
		"the reason of an edit":   {base, reason, tc, true},
		"a variable":              {base, vars, tc, false},
		"the toolchain":           {base, prog, toolchain{"go1.27.0", "linux", "amd64"}, false},
		"the architecture":        {base, prog, toolchain{"go1.26.8", "linux", "arm64"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := hash(t, c.files, c.p, c.tc); (got == want) != c.same {
				t.Errorf("hash %s, base %s, want same: %t", got, want, c.same)
			}
		})
	}
	if _, err := contentHash(prog, t.TempDir(), tc); err == nil {
		t.Error("a directory without go.mod has a hash")
	}
}

func TestEdit(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		edit    edit
		want    string
		err     string
	}{
		"replaced":    {"a\nb\n", edit{file: "f", old: "b\n", new: "c\n"}, "a\nc\n", ""},
		"whole file":  {"a\n", edit{file: "f", new: "z\n"}, "z\n", ""},
		"not there":   {"a\n", edit{file: "f", old: "b", new: "c"}, "", "0 times"},
		"there twice": {"b b\n", edit{file: "f", old: "b", new: "c"}, "", "2 times"},
		"removed":     {"a1\nb\na2\n", edit{file: "f", pattern: `(?m)^a.*\n`}, "b\n", ""},
		"rewritten":   {"f(x); f(y)\n", edit{file: "f", pattern: `f\((\w)\)`, new: "g($1, 0)"}, "g(x, 0); g(y, 0)\n", ""},
		"no match":    {"a\n", edit{file: "f", pattern: "b"}, "", "nothing that matches"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write(t, filepath.Join(root, "f"), c.content)
			err := c.edit.apply(root)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(filepath.Join(root, "f")); string(got) != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	root := t.TempDir()
	if err := (edit{file: "new/dir/f", new: "x"}).apply(root); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "new", "dir", "f")); err != nil {
		t.Error(err)
	}
}

func TestCopySource(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "source")
	write(t, filepath.Join(from, "pkg", "a.go"), "package pkg\n")
	write(t, filepath.Join(from, "docs", "big.md"), "text")
	if err := os.Chmod(filepath.Join(from, "pkg", "a.go"), 0o444); err != nil {
		t.Fatal(err)
	}
	if err := copySource(from, to); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "pkg", "a.go"), nil, 0o644); err != nil {
		t.Errorf("the copy cannot be edited: %v", err)
	}
	if _, err := os.Stat(filepath.Join(to, "docs")); err == nil {
		t.Error("docs was copied")
	}
}

func TestProgressAndExplain(t *testing.T) {
	var out strings.Builder
	p := newProgress("p", &out)
	defer p.stop()
	for _, s := range []string{"go: downloading example.com/a v1.0.0\ngo: down", "loading example.com/b v1.0.0\ninternal/abi\nexample.com/a/b.v2\n", "# example.com/a\n", "a.go:1:2: undefined: x\n"} {
		if _, err := p.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if p.downloaded != 2 || p.compiled != 2 {
		t.Errorf("%d downloaded, %d compiled, want 2 and 2", p.downloaded, p.compiled)
	}
	if got := p.String(); got != "2 modules downloaded" {
		t.Errorf("before the packages are known: %q", got)
	}
	made := t.TempDir()
	write(t, filepath.Join(made, "program"), "")
	p.expect(8, 2, made)
	if got := p.String(); !strings.HasPrefix(got, "2 of about 8 packages compiled, 1 of 2 programs linked, about ") {
		t.Errorf("half way: %q", got)
	}
	if err := explain(p.errors()); err.Error() != "a.go:1:2: undefined: x" {
		t.Errorf("explain: %v", err)
	}
	for output, want := range map[string]string{
		"go: writing: write /x: no space left on device":                          "free 10 GB",
		"verifying m@v1: checksum mismatch\n\tdownloaded: h1:a":                   "go clean -modcache",
		"Get \"https://proxy\": dial tcp: lookup proxy: no such host":             "check the network",
		"reading https://proxy/m: 404 Not Found":                                  "GOPROXY",
		"k8s.io/api: /usr/lib/go/compile: signal: killed":                         "memory",
		"go: go.mod requires go >= 1.27.0 (running go 1.26.8; GOTOOLCHAIN=local)": "install Go",
		"": "failed",
	} {
		if err := explain(output); !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("explain(%q) = %v, want one line with %q", output, err, want)
		}
	}
}

func TestCached(t *testing.T) {
	t.Setenv("GITOPS_CACHE", t.TempDir())
	if at := cached(t, "controlplane"); at != "" {
		t.Fatalf("%s is in an empty cache", at)
	}
	b, err := Source{}.plan(t.Context(), "controlplane")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(b.target(b.programs[0]), "controlplane")
	write(t, binary, "")
	if cached(t, "controlplane") != binary {
		t.Error("the binary is not found")
	}
	// A cached binary is returned without the lock, the log or the compiler.
	got, err := Build(t.Context(), "controlplane", nil)
	if err != nil || got != binary {
		t.Errorf("Build = %s, %v, want %s", got, err, binary)
	}
}

func TestNoGo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Build(t.Context(), "controlplane", nil); err == nil || !strings.Contains(err.Error(), "install Go") {
		t.Errorf("Build without go: %v, want the remedy", err)
	}
}

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// What the laboratory's own program and the set have in one version is compiled once: from empty caches, a third of the tool.
func TestTheToolSharesTheSet(t *testing.T) {
	tool, err := readGoMod(filepath.Join("..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := readGoMod(filepath.Join("set", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range newer(set, tool) {
		t.Errorf("the set has an older %s than local/go.mod, %s: run go -C local generate ./programs", m.Path, m.Version)
	}
	for _, m := range newer(tool, set) {
		t.Errorf("local/go.mod has an older %s than the set: run go -C local get %[1]s@%s, and the same at the root where its go.mod has it", m.Path, m.Version)
	}
}
