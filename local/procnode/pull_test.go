package procnode

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPull(t *testing.T) {
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Host+r.URL.Path)
		switch {
		case strings.HasSuffix(r.URL.Path, "/broken"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case !strings.HasSuffix(r.URL.Path, "/pushed") && !strings.HasSuffix(r.URL.Path, "/sha256:0123"):
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer s.Close()
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	im := &images{log: slog.New(slog.DiscardHandler), table: Table{Images: []Image{
		{Repository: "registry.localhost/local/ghost", Registry: s.URL},
		{Repository: "registry.localhost/local/away", Registry: away.URL},
		{Repository: "a.example/plain", Tags: []string{"1"}},
	}}}
	const head = "HEAD registry.localhost/v2/local/ghost/manifests/"
	for _, tt := range []struct {
		reference, asks, err string
		unknownTag           bool
	}{
		{reference: "registry.localhost/local/ghost:pushed", asks: head + "pushed"},
		{reference: "registry.localhost/local/ghost:pushed"}, // it is there: the registry is not asked again
		{reference: "registry.localhost/local/ghost:never", asks: head + "never", err: "tag never: not found", unknownTag: true},
		{reference: "registry.localhost/local/ghost:never", asks: head + "never", err: "tag never: not found", unknownTag: true},
		{reference: "registry.localhost/local/ghost:never@sha256:0123", asks: head + "sha256:0123"},
		{reference: "registry.localhost/local/ghost:pushed@sha256:4567", asks: head + "sha256:4567", err: "digest sha256:4567: not found", unknownTag: true},
		{reference: "registry.localhost/local/ghost", asks: head + "latest", err: "latest", unknownTag: true},
		{reference: "registry.localhost/local/ghost:broken", asks: head + "broken", err: "503"},
		{reference: "registry.localhost/local/away:pushed", err: "refused"},
		{reference: "a.example/plain:1"},
		{reference: "a.example/plain:2", err: "not found", unknownTag: true},
	} {
		asked = nil
		got, err := im.pull(t.Context(), tt.reference)
		var unknown *unknownTag
		if got == nil || errors.As(err, &unknown) != tt.unknownTag || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: got %v, %v", tt.reference, got, err)
		}
		if strings.Join(asked, ", ") != tt.asks {
			t.Errorf("%s: asked %q, want %q", tt.reference, asked, tt.asks)
		}
	}
	if got, err := im.pull(t.Context(), "nobody.example/has:this"); got != nil || err != nil {
		t.Errorf("an image outside of the table: %v, %v", got, err)
	}
}
