package programs

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/imagefile"
	"k8s-plus-aws-gitops/local/imagefile/imagefiletest"
)

const (
	operator      = "flux-operator"
	operatorImage = "ghcr.io/controlplaneio-fluxcd/flux-operator"
	operatorFile  = "/usr/local/bin/operator"
)

// lab is a clone with two programs, the second with a released image in a registry on loopback, and an empty cache.
type lab struct {
	*imagefiletest.Registry
	cache string
	each  []string // digests of the image, linux/amd64 and linux/arm64
}

func newLab(t *testing.T) *lab {
	t.Helper()
	l := &lab{Registry: imagefiletest.New(t)}
	l.cache = repository(t, "package main\n\nfunc main() { println(\"plane\") }\n")
	write(t, filepath.Join("local", "programs", "set", "cmd", "operator", "main.go"), "package main\n\nfunc main() { println(\"compiled\") }\n")
	before := table
	t.Cleanup(func() { table = before })
	table = []program{
		{name: "controlplane", version: "v1", pkg: setModule + "/controlplane", image: released{why: "one process of several"}},
		{name: operator, version: "v2", pkg: setModule + "/cmd/operator", image: released{repository: operatorImage, file: operatorFile}},
	}
	l.release(t, "v2", operatorFile)
	return l
}

// release pushes the image, of real programs, with the binary at a path, and a file for the other architecture.
func (l *lab) release(t *testing.T, tag, at string) {
	t.Helper()
	var images []v1.Image
	for _, arch := range []string{"amd64", "arm64"} {
		lower := imagefiletest.Layer(t, imagefiletest.File{Name: operatorFile, Content: []byte("an old one")}, imagefiletest.File{Name: "etc/passwd"})
		upper := imagefiletest.Layer(t, imagefiletest.File{Name: "usr/local/.wh.bin"}, imagefiletest.File{Name: strings.TrimPrefix(at, "/"), Content: releasedProgram(t, arch)})
		images = append(images, imagefiletest.Image(t, "linux/"+arch, lower, upper))
	}
	_, l.each = l.Push(t, operatorImage, tag, images...)
}

// releasedPrograms are those that have been built, by architecture.
var releasedPrograms = map[string][]byte{}

// releasedProgram is what a project builds.
func releasedProgram(t *testing.T, arch string) []byte {
	t.Helper()
	if b := releasedPrograms[arch]; b != nil {
		return b
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), "package main\n\nfunc main() { println(\"released\") }\n")
	c := exec.Command("go", "build", "-o", filepath.Join(dir, "program"), filepath.Join(dir, "main.go"))
	c.Env = append(buildEnv(), "GOOS=linux", "GOARCH="+arch)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "program"))
	if err != nil {
		t.Fatal(err)
	}
	releasedPrograms[arch] = b
	return b
}

func (l *lab) source(from From) Source {
	return Source{From: from, Registries: imagefile.Registries{Mirror: l.Host}}
}

// up gets the programs, and returns what the operator says, and the progress.
func (l *lab) up(t *testing.T, s Source) (string, string, error) {
	t.Helper()
	var out safeBuffer
	all, err := s.All(t.Context(), &out, Names()...)
	scratch(t, l.cache)
	if err != nil {
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("more than one line: %v", err)
		}
		return "", out.b.String(), err
	}
	said, err := exec.Command(all[operator].Path).CombinedOutput()
	if err != nil {
		t.Fatal(err)
	}
	if (all[operator].Image != nil) != (string(said) == "released\n") || all["controlplane"].Image != nil {
		t.Errorf("the binary says %q, and is said to be out of %v", said, all[operator].Image)
	}
	return strings.TrimSpace(string(said)), out.b.String(), nil
}

// cachedPrograms are the directories of programs in the cache.
func (l *lab) cachedPrograms(t *testing.T, name string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(l.cache, name+"-*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func linux(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("images are used on Linux")
	}
}

// A digest that is recorded is enough, for everyone, and nothing less is.
func TestImages(t *testing.T) {
	linux(t)
	l := newLab(t)
	l.Before(nil)
	if said, _, err := l.up(t, l.source(Auto)); said != "compiled" || err != nil || len(l.Asked()) > 0 {
		t.Fatalf("without a digest: %q, %v, asked %v, must be compiled without a question", said, err, l.Asked())
	}
	if n, err := l.source(Auto).Lock(t.Context(), io.Discard); n != 1 || err != nil {
		t.Fatalf("recorded %d, %v", n, err)
	}
	l.Before(nil)
	if said, _, err := l.up(t, l.source(Auto)); said != "compiled" || err != nil || len(l.Asked()) > 0 {
		t.Errorf("with a compiled one in the cache: %q, %v, asked %v", said, err, l.Asked())
	}
	if err := os.RemoveAll(l.cache); err != nil {
		t.Fatal(err)
	}
	said, out, err := l.up(t, l.source(Auto))
	if said != "released" || err != nil || !strings.Contains(out, "flux-operator is taken out of "+operatorImage+":v2, sha256:") {
		t.Fatalf("with a digest and an empty cache: %q, %v\n%s", said, err, out)
	}
	all, err := Source{}.List(t.Context(), Names()...)
	if err != nil {
		t.Fatal(err)
	}
	want := Origin{Image: operatorImage + ":v2", Platform: "linux/" + runtime.GOARCH, Digest: l.each[slices.Index([]string{"amd64", "arm64"}, runtime.GOARCH)], File: operatorFile}
	if got := all[1].Image; got == nil || *got != want {
		t.Errorf("the cache has it from %v, want %v", got, want)
	}
	if all[0].Reason != "the released binary cannot run here: one process of several" {
		t.Errorf("the other is compiled: %q", all[0].Reason)
	}
	l.Before(nil)
	if said, _, err := l.up(t, l.source(Images)); said != "released" || err != nil || len(l.Asked()) > 0 {
		t.Errorf("again: %q, %v, asked %v", said, err, l.Asked())
	}
	if said, _, err := l.up(t, l.source(Compile)); said != "compiled" || err != nil {
		t.Errorf("compile: %q, %v", said, err)
	}
}

// The first use of an image records its digest; a tag that moves later changes nothing, and is told.
func TestTrustOnFirstUse(t *testing.T) {
	linux(t)
	l := newLab(t)
	if said, _, err := l.up(t, l.source(Images)); said != "released" || err != nil {
		t.Fatalf("the first use: %q, %v", said, err)
	}
	recorded, err := os.ReadFile(LockFile)
	if err != nil || !strings.Contains(string(recorded), l.each[0]) || !strings.Contains(string(recorded), l.each[1]) {
		t.Fatalf("recorded %s, %v", recorded, err)
	}
	l.Push(t, operatorImage, "v2", imagefiletest.Image(t, "linux/"+runtime.GOARCH, imagefiletest.Layer(t, imagefiletest.File{Name: operatorFile, Content: []byte("evil")})))
	if err := os.RemoveAll(l.cache); err != nil {
		t.Fatal(err)
	}
	if said, _, err := l.up(t, l.source(Images)); said != "released" || err != nil {
		t.Errorf("after the tag has moved: %q, %v", said, err)
	}
	n, err := l.source(Auto).Lock(t.Context(), io.Discard)
	if n != 0 || err == nil || !strings.Contains(err.Error(), "remove the entry of flux-operator in "+LockFile) || strings.Contains(err.Error(), "\n") {
		t.Errorf("recorded %d, %v", n, err)
	}
	if now, err := os.ReadFile(LockFile); err != nil || string(now) != string(recorded) {
		t.Errorf("recorded now: %s, %v", now, err)
	}
	table[1].version = "v3" // of a newer release, whose digest is not recorded
	if said, _, err := l.up(t, l.source(Auto)); said != "compiled" || err != nil {
		t.Errorf("another version: %q, %v", said, err)
	}
}

// Whatever is wrong with an image is one line, and the program is compiled, or the run fails, as was asked for; nothing of the
// image stays.
func TestImagesThatFail(t *testing.T) {
	linux(t)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	hangs := func(_ http.ResponseWriter, r *http.Request) bool {
		<-r.Context().Done()
		return true
	}
	for what, c := range map[string]struct {
		edit func(*testing.T, *lab, *Source)
		want string
	}{
		"unreachable": {func(_ *testing.T, _ *lab, s *Source) { s.Registries.Mirror = closed.Addr().String() }, "cannot be reached: connect: connection refused"},
		"silent": {func(_ *testing.T, l *lab, s *Source) {
			s.Registries.Answer = 50 * time.Millisecond
			l.Before(hangs)
		}, "cannot be reached: no answer in time"},
		"tampered": {func(_ *testing.T, l *lab, _ *Source) {
			l.Before(imagefiletest.Blob(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "x") }))
		}, "sha256"},
		"interrupted": {func(_ *testing.T, l *lab, _ *Source) {
			requests := 0
			l.Before(imagefiletest.Blob(func(w http.ResponseWriter, r *http.Request) {
				if requests++; requests == 1 {
					http.Redirect(w, r, r.URL.Path+"?whole", http.StatusTemporaryRedirect)
					return
				}
				panic(http.ErrAbortHandler)
			}))
		}, "EOF"},
		"another architecture": {func(t *testing.T, l *lab, _ *Source) {
			other := map[string]string{"amd64": l.each[1], "arm64": l.each[0]}[runtime.GOARCH]
			record(t, operatorImage+":v2", other)
		}, "must be of linux/" + runtime.GOARCH},
		"another path": {func(t *testing.T, l *lab, _ *Source) {
			l.release(t, "v2", "/other")
			record(t, operatorImage+":v2", l.each[slices.Index([]string{"amd64", "arm64"}, runtime.GOARCH)])
		}, "has no file " + operatorFile},
		"a script": {func(t *testing.T, l *lab, _ *Source) {
			script := imagefiletest.Layer(t, imagefiletest.File{Name: operatorFile, Content: []byte("#!/bin/sh\n")})
			digest, _ := l.Push(t, operatorImage, "v2", imagefiletest.Image(t, "linux/"+runtime.GOARCH, script))
			record(t, operatorImage+":v2", digest)
		}, "is no program for Linux"},
	} {
		t.Run(what, func(t *testing.T) {
			l := newLab(t)
			if _, err := l.source(Auto).Lock(t.Context(), io.Discard); err != nil {
				t.Fatal(err)
			}
			s := l.source(Images)
			c.edit(t, l, &s)
			if _, out, err := l.up(t, s); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), operator+": ") {
				t.Errorf("images: %v, want %q\n%s", err, c.want, out)
			}
			if found := l.cachedPrograms(t, operator); len(found) > 0 {
				t.Errorf("the cache has %v", found)
			}
			s.From = Auto
			said, out, err := l.up(t, s)
			if lines := strings.Count(out, "; compiling flux-operator\n"); said != "compiled" || err != nil || lines != 1 || !strings.Contains(out, c.want) {
				t.Errorf("auto: %q, %v, want one line with %q:\n%s", said, err, c.want, out)
			}
			if found := l.cachedPrograms(t, operator); len(found) != 1 {
				t.Errorf("the cache has %v", found)
			}
		})
	}
}

// record writes a digest as if it were that of this machine's platform.
func record(t *testing.T, image, digest string) {
	t.Helper()
	write(t, LockFile, operator+":\n  image: "+image+"\n  digest: "+digest+"\n  platforms: {linux/"+runtime.GOARCH+": \""+digest+"\"}\n")
}

// What a kill left behind goes with the next build.
func TestScratchOfAKill(t *testing.T) {
	l := newLab(t)
	write(t, filepath.Join(l.cache, scratchPrefix+"123", "half"), "x")
	if _, _, err := l.up(t, Source{From: Compile}); err != nil { // looks for scratch directories itself
		t.Error(err)
	}
}

// The file is where the Dockerfile of the release puts it, of the modules that have one. They are only looked at where they have
// been downloaded, so that the test needs no network.
func TestFilesAreOfTheDockerfiles(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, p := range table {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), p.module+"@"+p.version, "Dockerfile"))
		if err != nil || p.image.file == "" {
			continue
		}
		seen++
		_, last, _ := strings.Cut(string(b), "\nENTRYPOINT")
		if !strings.Contains(last, filepath.Base(p.image.file)) {
			t.Errorf("%s: the image starts %s", p.name, last)
		}
		folder, base := filepath.Split(p.image.file)
		workDir := folder == "/" && strings.Contains(string(b), "/"+base+" .\n") && strings.Contains(string(b), "\nWORKDIR /\n")
		if !workDir && !strings.Contains(string(b), "/"+base+" "+folder+"\n") && !strings.Contains(string(b), " "+p.image.file+"\n") {
			t.Errorf("%s: its Dockerfile does not put it at %s", p.name, p.image.file)
		}
	}
	if seen == 0 {
		t.Skip("no module is in the module cache")
	}
}

// Each program has an image to be taken from, or a reason. The image is the one that pods name.
func TestEveryProgramHasAnImage(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "platform.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var declared struct {
		Images []struct{ Repository, Program string }
	}
	if err := yaml.Unmarshal(raw, &declared); err != nil {
		t.Fatal(err)
	}
	pods := map[string]string{}
	for _, i := range declared.Images {
		pods[i.Program] = i.Repository
	}
	for _, p := range table {
		if p.image.repository != pods[p.name] {
			t.Errorf("%s: pods name the image %s, table.go %s", p.name, pods[p.name], p.image.repository)
		}
		if (p.image.file == "") == (p.image.why == "") || p.image.file != "" && (p.image.repository == "" || !strings.HasPrefix(p.image.file, "/")) {
			t.Errorf("%s: must have the file in its released image, or why it cannot run here: %+v", p.name, p.image)
		}
	}
}

func TestParseFrom(t *testing.T) {
	for text, want := range map[string]From{"": Auto, "auto": Auto, "images": Images, "compile": Compile} {
		if got, err := ParseFrom(text); got != want || err != nil {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	if _, err := ParseFrom("image"); err == nil || !strings.Contains(err.Error(), `must be auto, images or compile, got "image"`) {
		t.Errorf("image: %v", err)
	}
}
