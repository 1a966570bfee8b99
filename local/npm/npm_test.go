package npm

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
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPins(t *testing.T) {
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
		"sha1-AAAA":     "must be sha512",
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

// blog is an application that no registry has.
func blog(archive []byte) Application {
	sum := sha512.Sum512(archive)
	return Application{Package: "@team/blog", Version: "1.2.3", Integrity: integrityPrefix + base64.StdEncoding.EncodeToString(sum[:]), Loads: []string{"blog-native"}}
}

// fakeNPM stands for npm on PATH: ci puts fakes of the tools into place, pack gives the archive. The fakes note how they are
// called.
const fakeNPM = `#!/bin/sh
set -e
echo "npm $*" >> "$CALLS"
case "$1" in
ci)
  [ -e package.json ] || exit 3
  mkdir -p node_modules/node/bin node_modules/.bin
  for tool in node pnpm; do
    printf '#!/bin/sh\necho "%s $*" >> "%s"\n' $tool "$CALLS" > node_modules/.bin/$tool
    chmod +x node_modules/.bin/$tool
  done
  cp node_modules/.bin/node node_modules/node/bin/node ;;
pack) cp "$ARCHIVE" team-blog-1.2.3.tgz ;;
esac
`

func TestInstall(t *testing.T) {
	const manifest = `{"version": "1.2.3", "engines": {"node": "^22 || ^24.1"}}`
	for name, c := range map[string]struct {
		files  map[string]string
		change func(*Application)
		calls  string
		err    string
	}{
		"pnpm": {
			files:  map[string]string{"package.json": manifest, "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "allowBuilds:\n  slow: true\n"},
			change: func(a *Application) { a.Unbuilt = []string{"slow"} },
			calls:  "npm ci|npm pack --silent @team/blog@1.2.3|pnpm install --prod --frozen-lockfile|node -e",
		},
		"npm":             {files: map[string]string{"package.json": manifest, "npm-shrinkwrap.json": "{}"}, calls: "npm ci|npm pack|npm ci --omit=dev|node -e"},
		"nothing to load": {files: map[string]string{"package.json": manifest, "npm-shrinkwrap.json": "{}"}, change: func(a *Application) { a.Loads = nil }, calls: "npm ci|npm pack|npm ci --omit=dev"},
		"no lock file":    {files: map[string]string{"package.json": manifest}, err: "not pinned"},
		"another version": {files: map[string]string{"package.json": `{"version": "1.2.4"}`, "npm-shrinkwrap.json": "{}"}, err: "is version 1.2.4"},
		"old Node.js":     {files: map[string]string{"package.json": `{"version": "1.2.3", "engines": {"node": "^18"}}`, "npm-shrinkwrap.json": "{}"}, err: "wants Node.js ^18"},
		"another archive": {files: map[string]string{"package.json": manifest}, change: func(a *Application) { a.Integrity = "sha512-AAAA==" }, err: "serves another package"},
		"not to be built": {
			files:  map[string]string{"package.json": manifest, "pnpm-lock.yaml": "", "pnpm-workspace.yaml": "allowBuilds:\n"},
			change: func(a *Application) { a.Unbuilt = []string{"slow"} }, err: "adapt unbuilt",
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, files := t.TempDir(), map[string]string{}
			for file, content := range c.files {
				files["package/"+file] = content
			}
			archive := tarball(t, files)
			for file, content := range map[string][]byte{"npm": []byte(fakeNPM), "archive": archive} {
				if err := os.WriteFile(filepath.Join(dir, file), content, 0o700); err != nil { //nolint:gosec // npm is a program
					t.Fatal(err)
				}
			}
			for variable, value := range map[string]string{
				"GITOPS_CACHE": filepath.Join(dir, "cache"), "PATH": dir + ":/usr/bin:/bin", "CALLS": filepath.Join(dir, "calls"), "ARCHIVE": filepath.Join(dir, "archive"),
			} {
				t.Setenv(variable, value)
			}
			a := blog(archive)
			if c.change != nil {
				c.change(&a)
			}
			first, err := a.Install(t.Context(), nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "@team/blog@1.2.3") {
					t.Errorf("got %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			said, err := os.ReadFile(filepath.Join(dir, "calls"))
			if err != nil {
				t.Fatal(err)
			}
			calls := strings.Split(strings.TrimSpace(string(said)), "\n")
			want := strings.Split(c.calls, "|")
			if len(calls) != len(want) || !slices.EqualFunc(calls, want, strings.HasPrefix) {
				t.Errorf("called %q, want %q", calls, want)
			}
			t.Setenv("PATH", dir+"/none")
			again, err := a.Install(t.Context(), nil)
			if err != nil || again != first {
				t.Errorf("a second time: %v, %v, want what is in the cache", again, err)
			}
		})
	}
}

func TestInstallWithoutNPM(t *testing.T) {
	t.Setenv("GITOPS_CACHE", t.TempDir())
	t.Setenv("PATH", t.TempDir())
	_, err := blog(nil).Install(t.Context(), nil)
	if err == nil || !strings.Contains(err.Error(), "install Node.js") || !strings.Contains(err.Error(), "team-blog.log") {
		t.Errorf("Install without npm: %v, want the remedy and the log", err)
	}
	left, err := filepath.Glob(filepath.Join(os.Getenv("GITOPS_CACHE"), ".install*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestHash(t *testing.T) {
	a := blog(nil)
	same, other := a, a
	other.Unbuilt = []string{"slow"}
	if a.hash() != same.hash() || a.hash() == other.hash() {
		t.Error("the hash must follow what an installation holds")
	}
}

func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Application)
		err    string
	}{
		"good":         {func(*Application) {}, ""},
		"no package":   {func(a *Application) { a.Package = "" }, "package: must be"},
		"no version":   {func(a *Application) { a.Version = "" }, "version: must be"},
		"no integrity": {func(a *Application) { a.Integrity = "" }, "npm view @team/blog@1.2.3"},
	} {
		t.Run(name, func(t *testing.T) {
			a := blog(nil)
			c.change(&a)
			if err := a.Validate(); (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %q", err, c.err)
			}
		})
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
