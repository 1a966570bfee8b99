package imagefile

import (
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/imagefile/imagefiletest"
)

// A digest names the same bytes for ever: what is not them is refused, with one line.
func TestRefuses(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	layer := imagefiletest.Layer(t, program("usr/bin/program", "x"))
	size, err := layer.Size()
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		edit   func(*Registries, *string)
		want   string
	}{
		"another layer": {before: layers(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Repeat("x", int(size)))
		}), want: "error verifying sha256"},
		"an interrupted download": {before: layers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			_, _ = io.WriteString(w, "x")
		}), want: "unexpected EOF"},
		"a download that stands still": {
			before: layers(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}),
			edit: func(r *Registries, _ *string) { r.Stall = 50 * time.Millisecond },
			want: "stands still",
		},
		"another manifest": {before: func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.Contains(r.URL.Path, "/manifests/") {
				return false
			}
			w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
			_, _ = io.WriteString(w, `{"schemaVersion":2}`)
			return true
		}, want: "does not match"},
		"another configuration": {before: imagefiletest.Blob(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"os":"linux","architecture":"amd64"}`)
		}), want: "sha256"},
		"another architecture": {edit: func(_ *Registries, digest *string) { *digest = "arm64" }, want: "is of linux/arm64, must be of linux/amd64"},
		"no such image":        {edit: func(_ *Registries, digest *string) { *digest = "sha256:" + strings.Repeat("0", 64) }, want: "has no sha256:0000"},
		"a tag":                {edit: func(_ *Registries, digest *string) { *digest = "v1" }, want: "must be as sha256:"},
		"no login": {before: func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusForbidden)
			return true
		}, want: "docker login 127.0.0.1"},
		"nothing listens": {edit: func(r *Registries, _ *string) { r.Mirror = closed.Addr().String() }, want: closed.Addr().String() + " cannot be reached: connect: connection refused"},
		"no answer": {
			before: func(_ http.ResponseWriter, r *http.Request) bool {
				<-r.Context().Done()
				return true
			},
			edit: func(r *Registries, _ *string) { r.Answer = 50 * time.Millisecond },
			want: "cannot be reached: no answer in time",
		},
		"no name of a registry": {edit: func(r *Registries, _ *string) { r.Mirror = "https://registry.example.com" }, want: "must be as registry.example.com"},
	} {
		t.Run(what, func(t *testing.T) {
			registry := imagefiletest.New(t)
			_, each := registry.Push(t, repository, "v1", imagefiletest.Image(t, platform, layer), imagefiletest.Image(t, "linux/arm64", layer))
			r, digest := Registries{Mirror: registry.Host}, each[0]
			if c.edit != nil {
				c.edit(&r, &digest)
			}
			if digest == "arm64" {
				digest = each[1]
			}
			registry.Before(c.before)
			got, err := take(t, r, digest)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, %v, want one line with %q", got, err, c.want)
			}
		})
	}
}

// layers answers all requests for blobs after the first, which is for the configuration.
func layers(answer http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	first := true
	blob := imagefiletest.Blob(answer)
	return func(w http.ResponseWriter, r *http.Request) bool {
		if first && strings.Contains(r.URL.Path, "/blobs/") {
			first = false
			return false
		}
		return blob(w, r)
	}
}

func TestResolve(t *testing.T) {
	registry := imagefiletest.New(t)
	layer := imagefiletest.Layer(t, program("usr/bin/program", "x"))
	amd, arm := imagefiletest.Image(t, platform, layer), imagefiletest.Image(t, "linux/arm64", layer)
	index, each := registry.Push(t, repository, "v1", amd, arm)
	registry.Push(t, repository, "one", arm)
	r := Registries{Mirror: registry.Host + "/"}
	for tag, want := range map[string]Digests{
		"v1":  {index, map[string]string{platform: each[0], "linux/arm64": each[1]}},
		"one": {each[1], map[string]string{"linux/arm64": each[1]}},
	} {
		got, err := r.Resolve(t.Context(), repository, tag, platform, "linux/arm64", "linux/riscv64")
		if err != nil || got.Digest != want.Digest || !maps.Equal(got.Platforms, want.Platforms) {
			t.Errorf("%s: got %v, %v, want %v", tag, got, err, want)
		}
	}
	if _, err := r.Resolve(t.Context(), repository, "v2", platform); err == nil || !strings.Contains(err.Error(), repository+" has no v2") {
		t.Errorf("a tag that is not there: %v", err)
	}
	// Without a mirror the name of the image has its registry.
	if got, err := (Registries{}).Resolve(t.Context(), registry.Host+"/"+repository, "one"); err != nil || got.Digest != each[1] {
		t.Errorf("without a mirror: %v, %v", got, err)
	}
}
