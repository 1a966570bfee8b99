package ghost

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestPins(t *testing.T) {
	p, err := readPins()
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^\d+\.\d+\.\d+$`).MatchString(p.Config.Ghost) {
		t.Errorf("ghost is %q, want an exact version", p.Config.Ghost)
	}
	var pkg, lock struct {
		Dependencies map[string]string
		AllowScripts map[string]bool
		Packages     map[string]struct {
			Version, Integrity, Resolved string
			Dependencies                 map[string]string
		}
	}
	if err := json.Unmarshal(packageJSON, &pkg); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(packageLock, &lock); err != nil {
		t.Fatal(err)
	}
	for name, version := range pkg.Dependencies {
		if got := lock.Packages["node_modules/"+name].Version; got != version {
			t.Errorf("package-lock.json has %s %s, package.json pins %s", name, got, version)
		}
		if !pkg.AllowScripts[name+"@"+version] {
			t.Errorf("allowScripts lacks %s@%s, whose binary is put in place by its install script", name, version)
		}
	}
	for name, p := range lock.Packages {
		if name != "" && p.Integrity == "" {
			t.Errorf("package-lock.json has no integrity of %s", name)
		}
		if p.Resolved != "" {
			t.Errorf("package-lock.json names a registry for %s: %s", name, p.Resolved)
		}
	}
}

// tarball is an npm package with the given files.
func tarball(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for name, content := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestVerifyAndUnpack(t *testing.T) {
	b := tarball(t, map[string]string{"package/index.js": "1", "package/core/a.js": "2"})
	sum := sha512.Sum512(b)
	good := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	file := filepath.Join(t.TempDir(), "p.tgz")
	if err := os.WriteFile(file, b, 0o644); err != nil {
		t.Fatal(err)
	}
	for integrity, want := range map[string]string{
		good:            "",
		"sha512-AAAA==": "another package",
		"sha1-AAAA":     "want sha512",
	} {
		err := verify(file, integrity)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("verify %s: %v, want %q", integrity, err, want)
		}
	}
	dir := t.TempDir()
	if err := unpack(file, dir); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "core", "a.js")); string(got) != "2" {
		t.Errorf("core/a.js is %q, %v", got, err)
	}
}

func TestUnpackStaysInside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "p.tgz")
	if err := os.WriteFile(file, tarball(t, map[string]string{"package/../../evil": "1"}), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unpack(file, t.TempDir()); err == nil {
		t.Error("a file outside of the package was written")
	}
}

func TestInstallWithoutNPM(t *testing.T) {
	t.Setenv("GITOPS_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := Install(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "install Node.js") || !strings.Contains(err.Error(), "ghost.log") {
		t.Errorf("Install without npm: %v, want the remedy and the log", err)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("GITOPS_CACHE"), ".install*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestCached(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("GITOPS_CACHE", cache)
	if _, ok, err := Cached(); ok || err != nil {
		t.Fatalf("an empty cache has Ghost, %v", err)
	}
	target := filepath.Join(cache, "ghost-"+hash())
	for _, f := range []string{"package/index.js", "package/node_modules/x", "tools/node_modules/node/bin/node"} {
		f = filepath.Join(target, f)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f, nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g, err := Install(t.Context(), nil)
	if err != nil || g.Dir != filepath.Join(target, "package") {
		t.Errorf("Install = %+v, %v, want what is in the cache", g, err)
	}
}

func TestForbidBuilds(t *testing.T) {
	const workspace = "allowBuilds:\n  re2@1.26.1: true\n  sharp@0.35.3: true\n  '@a/b@1.0.0': true\n"
	got, err := forbidBuilds(workspace, []string{"re2", "@a/b"})
	if want := "allowBuilds:\n  re2@1.26.1: false\n  sharp@0.35.3: true\n  '@a/b@1.0.0': false\n"; err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if _, err := forbidBuilds(workspace, []string{"dtrace-provider"}); err == nil || !strings.Contains(err.Error(), "dtrace-provider") {
		t.Errorf("a package that is not named: %v", err)
	}
}

func TestExplain(t *testing.T) {
	for output, want := range map[string]string{
		"npm error code ENOTFOUND\nnpm error network request failed":   "check the network",
		"npm error ENOSPC: no space left on device, write":             "the disk is full",
		"npm error code EINTEGRITY":                                    "cache clean",
		"npm warn x\nnpm error code E404\nnpm error 404 Not Found":     "registry",
		"ERR_PNPM_FETCH_404  GET x: Not Found - 404":                   "registry",
		"gyp ERR! stack Error: not found: make":                        "C++ compiler",
		"progress\nError: Node.js v20.0.0 is not ^24\n    at [eval]:1": "is not ^24",
		"": "without a word",
	} {
		if err := explain(output); !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("explain(%q) = %v, want one line with %q", output, err, want)
		}
	}
}

func TestTail(t *testing.T) {
	var out bytes.Buffer
	w := &tail{out: &out}
	lines := make(chan string, 1)
	stop := w.every(time.Millisecond, func(s string) {
		select {
		case lines <- s:
		default:
		}
	})
	long := strings.Repeat("x", tailSize)
	if _, err := w.Write([]byte(long + "\nlast line\n\n")); err != nil {
		t.Fatal(err)
	}
	if got := <-lines; got != "last line" {
		t.Errorf("reported %q", got)
	}
	stop()
	if out.Len() != tailSize+12 || len(w.String()) != tailSize {
		t.Errorf("%d bytes passed on, %d kept", out.Len(), len(w.String()))
	}
}
