package images

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

const tag = "20261120113000-0123456789ab"

// host is a registry in memory, with what a test puts before it and a note of what it is asked.
type host struct {
	Repository
	before func(http.ResponseWriter, *http.Request) (answered bool)

	mu    sync.Mutex
	asked []string
}

func newHost(t *testing.T, repository string) *host {
	t.Helper()
	h := &host{}
	serve := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.Method+" "+r.URL.Path)
		before := h.before
		h.mu.Unlock()
		if before == nil || !before(w, r) {
			serve.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	h.Repository = Repository{Host: strings.TrimPrefix(server.URL, "http://"), Name: repository}
	return h
}

// first puts a handler before the registry, and forgets what was asked.
func (h *host) first(before func(http.ResponseWriter, *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.asked = before, nil
}

// writes are the requests that are not for reading only.
func (h *host) writes() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.asked), func(r string) bool { return strings.HasPrefix(r, "HEAD ") || strings.HasPrefix(r, "GET ") })
}

// holds fails unless the repository has the whole image under its digest and its tag.
func (h *host) holds(t *testing.T, image Image) {
	t.Helper()
	for _, reference := range []string{"@" + image.Digest, ":" + image.Tag} {
		at, err := name.ParseReference(h.String() + reference)
		if err != nil {
			t.Fatal(err)
		}
		found, err := remote.Get(at, h.options(t.Context())...)
		if err != nil {
			t.Errorf("%s: %v", reference, err)
			continue
		}
		if found.Digest.String() != image.Digest {
			t.Errorf("%s is %s, want %s", reference, found.Digest, image.Digest)
		}
		if found.MediaType.IsIndex() {
			index, err := found.ImageIndex()
			if err == nil {
				err = validate.Index(index)
			}
			if err != nil {
				t.Errorf("%s: %v", reference, err)
			}
		}
	}
}

// built pushes an index as the image pipeline makes it, with a description of the builder's that has no platform, and returns
// the digests of the platforms.
func (h *host) built(t *testing.T) (Image, []string) {
	t.Helper()
	index, platforms := v1.ImageIndex(empty.Index), []string{}
	for _, platform := range []v1.Platform{{OS: "linux", Architecture: "arm64"}, {OS: "linux", Architecture: "amd64"}, {OS: "unknown", Architecture: "unknown"}} {
		image, err := random.Image(512, 2)
		if err != nil {
			t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil {
			t.Fatal(err)
		}
		config.OS, config.Architecture = platform.OS, platform.Architecture
		if image, err = mutate.ConfigFile(image, config); err != nil {
			t.Fatal(err)
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &platform}})
		if platform.OS == "linux" {
			platforms = append(platforms, digestOf(t, image))
		}
	}
	at, err := h.tag(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(at, index); err != nil {
		t.Fatal(err)
	}
	return Image{Application: "ghost", Tag: tag, Digest: digestOf(t, index)}, platforms
}

// single pushes an image of one platform.
func (h *host) single(t *testing.T) Image {
	t.Helper()
	image, err := random.Image(512, 1)
	if err != nil {
		t.Fatal(err)
	}
	at, err := h.tag(tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(at, image); err != nil {
		t.Fatal(err)
	}
	return Image{Application: "ghost", Tag: tag, Digest: digestOf(t, image)}
}

func digestOf(t *testing.T, of interface{ Digest() (v1.Hash, error) }) string {
	t.Helper()
	digest, err := of.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest.String()
}

// anything is allowed.
func anything(context.Context, string, []string) error { return nil }

// An index arrives with all that it names, and gets its tag when its platforms are allowed. Another time nothing is asked of
// where it came from.
func TestCopy(t *testing.T) {
	from, to := newHost(t, "integration/ghost"), newHost(t, "production/ghost")
	image, platforms := from.built(t)
	to.User, to.Password = "AWS", "secret"
	to.first(func(w http.ResponseWriter, r *http.Request) bool {
		if user, password, _ := r.BasicAuth(); user == "AWS" && password == "secret" {
			return false
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	})
	copied, err := Copy(t.Context(), image, from.Repository, to.Repository, func(_ context.Context, repository string, digests []string) error {
		if present, err := to.has(t.Context(), image); present || err != nil {
			t.Errorf("before it is allowed it has its tag: %t (%v)", present, err)
		}
		if diff := cmp.Diff(append([]string{"production/ghost"}, platforms...), append([]string{repository}, digests...)); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		return nil
	})
	if err != nil || !copied {
		t.Fatalf("copied %t, %v", copied, err)
	}
	to.holds(t, image)

	from.first(nil)
	before := len(to.writes())
	never := func(context.Context, string, []string) error { return errors.New("asked again") }
	if copied, err := Copy(t.Context(), image, from.Repository, to.Repository, never); copied || err != nil {
		t.Errorf("the second time: copied %t, %v", copied, err)
	}
	if len(from.asked) > 0 || len(to.writes()) != before {
		t.Errorf("the second time the source is asked %v, and written is %v", from.asked, to.writes()[before:])
	}
}

// An image of one platform is asked for itself.
func TestCopyOnePlatform(t *testing.T) {
	from, to := newHost(t, "integration/ghost"), newHost(t, "production/ghost")
	image := from.single(t)
	if copied, err := Copy(t.Context(), image, from.Repository, to.Repository, func(_ context.Context, _ string, digests []string) error {
		if !slices.Equal(digests, []string{image.Digest}) {
			t.Errorf("asked for %v", digests)
		}
		return nil
	}); !copied || err != nil {
		t.Errorf("copied %t, %v", copied, err)
	}
	to.holds(t, image)
}

// What is refused, or interrupted, has no tag, and comes whole the next time.
func TestCopyAgain(t *testing.T) {
	for what, c := range map[string]struct {
		allowed Allowed
		before  func(http.ResponseWriter, *http.Request) bool
		want    string
	}{
		"refused": {
			allowed: func(context.Context, string, []string) error { return errors.New("CVE-2023-45853") },
			want:    "must not run: CVE-2023-45853",
		},
		"interrupted": {
			allowed: anything, want: "does not reach",
			before: func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPut || !strings.Contains(r.URL.Path, "/manifests/") {
					return false
				}
				w.WriteHeader(http.StatusForbidden)
				return true
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			from, to := newHost(t, "integration/ghost"), newHost(t, "production/ghost")
			image, _ := from.built(t)
			to.first(c.before)
			if copied, err := Copy(t.Context(), image, from.Repository, to.Repository, c.allowed); copied || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("copied %t, %v, want %q", copied, err, c.want)
			}
			to.first(nil)
			if present, err := to.has(t.Context(), image); present || err != nil {
				t.Errorf("it has its tag: %t (%v)", present, err)
			}
			if copied, err := Copy(t.Context(), image, from.Repository, to.Repository, anything); !copied || err != nil {
				t.Errorf("the next time: copied %t, %v", copied, err)
			}
			to.holds(t, image)
		})
	}
}

// A digest is never believed, and every refusal says what to do.
func TestCopyRefuses(t *testing.T) {
	manifest := func(method, reference string) func(*http.Request) bool {
		return func(r *http.Request) bool {
			return r.Method == method && strings.HasSuffix(r.URL.Path, "/manifests/"+reference)
		}
	}
	for what, c := range map[string]struct {
		edit func(t *testing.T, from, to *host, image *Image)
		want string
	}{
		"a source that serves other bytes": {func(_ *testing.T, from, _ *host, image *Image) {
			from.first(func(w http.ResponseWriter, r *http.Request) bool {
				if !manifest(http.MethodGet, image.Digest)(r) {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				w.Header().Set("Docker-Content-Digest", image.Digest)
				_, _ = io.WriteString(w, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
				return true
			})
		}, "is not readable"},
		"a source that serves another layer": {func(_ *testing.T, from, _ *host, _ *Image) {
			from.first(func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
					return false
				}
				_, _ = w.Write(bytes.Repeat([]byte("x"), 100))
				return true
			})
		}, "does not reach"},
		"a target that keeps something else": {func(_ *testing.T, _, to *host, image *Image) {
			var put atomic.Bool
			to.first(func(w http.ResponseWriter, r *http.Request) bool {
				if manifest(http.MethodPut, tag)(r) {
					put.Store(true)
				}
				if !put.Load() || !manifest(http.MethodHead, tag)(r) {
					return false
				}
				w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
				w.Header().Set("Content-Length", "10")
				w.Header().Set("Docker-Content-Digest", "sha256:"+strings.Repeat("0", 64))
				return true
			})
		}, "and must be"},
		"a tag that is taken": {func(t *testing.T, _, to *host, _ *Image) { to.single(t) }, "tags never move; build the image again"},
		"an image that is gone": {func(_ *testing.T, _, _ *host, image *Image) {
			image.Digest = "sha256:" + strings.Repeat("0", 64)
		}, "promote a newer one"},
		"a source that does not admit us": {func(_ *testing.T, from, _ *host, _ *Image) {
			from.first(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusForbidden)
				return true
			})
		}, "deploy the environment that builds the images with this cdk.json first"},
	} {
		t.Run(what, func(t *testing.T) {
			from, to := newHost(t, "integration/ghost"), newHost(t, "production/ghost")
			image, _ := from.built(t)
			c.edit(t, from, to, &image)
			if copied, err := Copy(t.Context(), image, from.Repository, to.Repository, anything); copied && err == nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("copied %t, %v, want %q", copied, err, c.want)
			}
		})
	}
}
