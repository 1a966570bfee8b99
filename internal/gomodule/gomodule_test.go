package gomodule

import (
	"archive/zip"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

func write(t *testing.T, name, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRequired(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "go.mod"), `module m

require (
	example.com/a v1.0.0
	example.com/b v1.0.0
	example.com/c v1.0.0
)

replace example.com/b => example.com/fork v1.2.0

replace example.com/c v0.9.0 => example.com/c v0.9.1

replace example.com/unused => example.com/fork v1.2.0
`)
	got, err := Required(dir)
	want := map[string]module.Version{
		"example.com/a": {Path: "example.com/a", Version: "v1.0.0"},
		"example.com/b": {Path: "example.com/fork", Version: "v1.2.0"},
		"example.com/c": {Path: "example.com/c", Version: "v1.0.0"},
	}
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if _, err := Required(t.TempDir()); err == nil || !strings.Contains(err.Error(), "go.mod") {
		t.Errorf("without a go.mod: %v", err)
	}
}

// TestFind downloads a module from a proxy that is a folder.
func TestFind(t *testing.T) {
	proxy, dir, cache := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("GOPROXY", "file://"+proxy)
	t.Setenv("GONOSUMDB", "*")
	t.Setenv("GOFLAGS", "-modcacherw")
	t.Setenv("GOMODCACHE", cache)
	const gomod = "module example.com/a\n"
	versions := filepath.Join(proxy, "example.com", "a", "@v")
	write(t, filepath.Join(versions, "v1.0.0.info"), `{"Version": "v1.0.0"}`)
	write(t, filepath.Join(versions, "v1.0.0.mod"), gomod)
	archive, err := os.Create(filepath.Join(versions, "v1.0.0.zip"))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(archive)
	for name, content := range map[string]string{"go.mod": gomod, "chart/Chart.yaml": "name: a\n"} {
		w, err := z.Create("example.com/a@v1.0.0/" + name)
		if err == nil {
			_, err = w.Write([]byte(content))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, close := range []func() error{z.Close, archive.Close} {
		if err := close(); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "go.mod"), "module m\n\nrequire example.com/a v1.0.0\n")
	found, err := Find(t.Context(), dir, "example.com/a")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(found.Dir, "chart", "Chart.yaml")); string(got) != "name: a\n" || found.Version != "v1.0.0" || !strings.HasPrefix(found.Sum, "h1:") {
		t.Errorf("got %+v, %q, %v", found, got, err)
	}
	write(t, filepath.Join(dir, "go.sum"), "example.com/a v1.0.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
	for path, want := range map[string]string{
		"example.com/a@v1.0.0":    "checksum mismatch",
		"example.com/gone@v1.0.0": "go mod download example.com/gone@v1.0.0",
	} {
		path, version, _ := strings.Cut(path, "@")
		if _, err := Download(t.Context(), dir, path, version); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, err := Find(t.Context(), dir, "example.com/other"); err == nil || !strings.Contains(err.Error(), "does not require example.com/other") {
		t.Errorf("a module that is not required: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(t.Context(), dir, "example.com/a"); err == nil || !strings.Contains(err.Error(), exec.ErrNotFound.Error()) {
		t.Errorf("without the go command: %v", err)
	}
}
