package programs

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/modfile"
)

// gomods are the parsed go.mod files of all programs.
func gomods(t *testing.T) map[string]*modfile.File {
	t.Helper()
	out := map[string]*modfile.File{}
	for _, p := range table {
		f, err := readGoMod(filepath.Join(p.name, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		out[p.name] = f
	}
	return out
}

func TestEveryProgramIsPinned(t *testing.T) {
	mods := gomods(t)
	for _, p := range table {
		f := mods[p.name]
		if want := "k8s-plus-aws-gitops/local/programs/" + p.name; f.Module.Mod.Path != want {
			t.Errorf("%s: module %s, want %s", p.name, f.Module.Mod.Path, want)
		}
		if _, version, err := requirement(filepath.Join(p.name, "go.mod"), p.module); err != nil || version != p.version {
			t.Errorf("%s: go.mod requires %s %s, table.go says %s (%v)", p.name, p.module, version, p.version, err)
		}
		if p.pkg != "" && !slices.ContainsFunc(f.Tool, func(tool *modfile.Tool) bool { return tool.Path == p.pkg }) {
			t.Errorf("%s: go.mod has no line \"tool %s\"", p.name, p.pkg)
		}
		sum, err := os.ReadFile(filepath.Join(p.name, "go.sum"))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(sum), p.module+" "+p.version+" h1:") {
			t.Errorf("%s: go.sum has no checksum of %s %s", p.name, p.module, p.version)
		}
	}
}

func TestEveryDirectoryIsInTheTable(t *testing.T) {
	found, err := filepath.Glob("*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if name := filepath.Dir(f); !slices.Contains(Names(), name) {
			t.Errorf("%s has a go.mod but is not in table.go", name)
		}
	}
}

func TestExceptionsAreTheDifferences(t *testing.T) {
	type key struct{ program, what string }
	differences := map[key]bool{}
	mods := gomods(t)
	for _, p := range table {
		for _, r := range mods[p.name].Replace {
			differences[key{p.name, r.Old.Path}] = true
		}
		for _, e := range p.edits {
			differences[key{p.name, e.file}] = true
		}
	}
	listed := map[key]bool{}
	for _, e := range Exceptions() {
		k := key{e.Program, e.What}
		switch {
		case listed[k]:
			t.Errorf("%v is listed twice", k)
		case !differences[k]:
			t.Errorf("%v is listed but is no difference", k)
		case len(e.Reason) < 20:
			t.Errorf("%v has no reason worth reading: %q", k, e.Reason)
		}
		listed[k] = true
	}
	for k := range differences {
		if !listed[k] {
			t.Errorf("%v differs from upstream and exceptions.go does not say why", k)
		}
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
	base := map[string]string{"go.mod": "module m\n", "go.sum": "", "main.go": "package main\n"}
	prog := program{name: "p", pkg: "example.com/p", ldflags: []string{"-X", "a=b"}, edits: []edit{{file: "f", old: "a", new: "b"}}}
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
		out := map[string]string{name: content}
		for k, v := range base {
			if _, ok := out[k]; !ok {
				out[k] = v
			}
		}
		return out
	}
	want := hash(t, base, prog, tc)
	other := prog
	other.edits = []edit{{file: "f", old: "a", new: "c"}}
	flags := prog
	flags.ldflags = nil
	for name, c := range map[string]struct {
		files map[string]string
		p     program
		tc    toolchain
		same  bool
	}{
		"the same again":          {base, prog, tc, true},
		"a test":                  {with("main_test.go", "package main\n"), prog, tc, true},
		"a note":                  {with("README.md", "text"), prog, tc, true},
		"go.mod":                  {with("go.mod", "module m\n\ngo 1.26\n"), prog, tc, false},
		"go.sum":                  {with("go.sum", "m v1 h1:x\n"), prog, tc, false},
		"a source":                {with("main.go", "package main // changed\n"), prog, tc, false},
		"a source in a directory": {with("sub/sub.go", "package sub\n"), prog, tc, false},
		"an edit":                 {base, other, tc, false},
		"a linker flag":           {base, flags, tc, false},
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
		"replaced":    {"a\nb\n", edit{"f", "b\n", "c\n"}, "a\nc\n", ""},
		"whole file":  {"a\n", edit{"f", "", "z\n"}, "z\n", ""},
		"not there":   {"a\n", edit{"f", "b", "c"}, "", "0 times"},
		"there twice": {"b b\n", edit{"f", "b", "c"}, "", "2 times"},
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

func TestCacheDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, c := range []struct{ gitops, xdg, want string }{
		{"/a/b", "/x", "/a/b"},
		{"", "/x", "/x/k8s-plus-aws-gitops"},
		{"", "", filepath.Join(home, ".cache", "k8s-plus-aws-gitops")},
	} {
		t.Setenv("GITOPS_CACHE", c.gitops)
		t.Setenv("XDG_CACHE_HOME", c.xdg)
		if got, err := CacheDir(); err != nil || got != c.want {
			t.Errorf("CacheDir with %+v = %s, %v", c, got, err)
		}
	}
}

func TestCached(t *testing.T) {
	t.Setenv("GITOPS_CACHE", t.TempDir())
	binary, ok, err := Cached("controlplane")
	if err != nil || ok {
		t.Fatalf("Cached = %s, %t, %v in an empty cache", binary, ok, err)
	}
	write(t, binary, "")
	if _, ok, _ = Cached("controlplane"); !ok {
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
