// Package imagefiletest is a registry on loopback, for tests to fill and to break.
package imagefiletest

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Registry is a registry that holds what is pushed to it.
type Registry struct {
	// Host is its address, with the port.
	Host string

	mu     sync.Mutex
	before func(http.ResponseWriter, *http.Request) bool
	asked  []string
}

// New starts a registry, which ends with the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{}
	held := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.asked = append(r.asked, req.Method+" "+req.URL.Path)
		before := r.before
		r.mu.Unlock()
		if before == nil || !before(w, req) {
			held.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Before answers requests in the registry's place where it returns true; nil ends that.
func (r *Registry) Before(answer func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.asked = answer, nil
}

// Asked are the requests since Before was called.
func (r *Registry) Asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// Blob answers the requests for layers and configurations, but not for manifests.
func Blob(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
			return false
		}
		answer(w, r)
		return true
	}
}

// File is a file of a layer.
type File struct {
	Name    string
	Content []byte
	Link    string
	Kind    byte // of the tar format; default: a regular file
}

// Layer makes a layer, compressed.
func Layer(t testing.TB, files ...File) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		if f.Kind == 0 {
			f.Kind = tar.TypeReg
		}
		if err := w.WriteHeader(&tar.Header{Name: f.Name, Size: int64(len(f.Content)), Linkname: f.Link, Typeflag: f.Kind, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(f.Content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// Image makes an image of a platform, as linux/amd64, from layers, the lowest first.
func Image(t testing.TB, platform string, layers ...v1.Layer) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, _ = strings.Cut(platform, "/")
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// Push gives a tag to an image, or to an index of several, and returns the digests of the tag and of the images.
func (r *Registry) Push(t testing.TB, repository, tag string, images ...v1.Image) (whole string, each []string) {
	t.Helper()
	at, err := name.NewTag(r.Host + "/" + repository + ":" + tag)
	if err != nil {
		t.Fatal(err)
	}
	index := v1.ImageIndex(empty.Index)
	for _, image := range images {
		each = append(each, digest(t, image))
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: config.Platform()}})
	}
	if len(images) == 1 {
		if err := remote.Write(at, images[0]); err != nil {
			t.Fatal(err)
		}
		return each[0], each
	}
	if err := remote.WriteIndex(at, index); err != nil {
		t.Fatal(err)
	}
	return digest(t, index), each
}

func digest(t testing.TB, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	d, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}
