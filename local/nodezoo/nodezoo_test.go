package nodezoo

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/freeport"
)

// serve starts a service with variables.
func serve(t *testing.T, service, featured string, env map[string]string) string {
	t.Helper()
	h, err := Config{Service: service, Featured: featured, Env: func(name string) string { return env[name] }}.handler()
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url) //nolint:gosec,noctx // of this test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestInfoAsksItsNeighbours(t *testing.T) {
	featured := filepath.Join(t.TempDir(), "featured.txt")
	if err := os.WriteFile(featured, []byte("express\nreact\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	npm := serve(t, "npm", "", nil)
	github := serve(t, "github", "", map[string]string{"GITHUB_TOKEN": "x"})
	untold := serve(t, "github", "", nil)
	urls := func(github string) map[string]string {
		return map[string]string{"NPM_URL": npm, "GITHUB_URL": github, "TITLE": "zoo"}
	}
	info, broken := serve(t, "info", featured, urls(github)), serve(t, "info", featured, urls(untold))
	fileless := serve(t, "info", featured+".gone", urls(github))
	for name, c := range map[string]struct {
		url  string
		code int
		says string
	}{
		"front page":      {info + "/", 200, `"title":"zoo","packages":[{"name":"express","description":"Fast`},
		"one package":     {info + "/packages/react", 200, `"repository":"facebook/react"`},
		"unknown":         {info + "/packages/nobody", 404, "knows no package nobody"},
		"without a token": {broken + "/", 502, "the secret did not arrive"},
		"still healthy":   {broken + "/healthz", 200, "ok"},
		"without a file":  {fileless + "/", 502, "featured.txt"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, text := ask(t, c.url); code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("%d %s, want %d %s", code, text, c.code, c.says)
			}
		})
	}
}

func TestRun(t *testing.T) {
	for name, c := range map[string]struct {
		config Config
		says   string
	}{
		"unknown service": {Config{Service: "web", Listen: "127.0.0.1:0"}, "github, info, npm"},
		"every address":   {Config{Service: "npm", Listen: "0.0.0.0:0"}, "loopback"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := Run(t.Context(), c.config); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestRunEnds is a pod that is told to end.
func TestRunEnds(t *testing.T) {
	address := freeport.Address(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, Config{Service: "npm", Listen: address}) }()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		resp, err := http.Get("http://" + address + "/healthz") //nolint:noctx // of this test
		if err == nil {
			resp.Body.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
