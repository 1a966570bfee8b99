package publish

import (
	"encoding/pem"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s-plus-aws-gitops/internal/git"
)

// guarded serves a manifests repository over HTTPS to whoever has the token, and returns its address and the credentials
// that it was sent.
func guarded(t *testing.T, token string) (url string, sent func() []string) {
	t.Helper()
	dir := remote(t)
	bin, err := exec.LookPath("git")
	if err != nil {
		t.Skip(err)
	}
	backend := &cgi.Handler{Path: bin, Args: []string{"http-backend"}, Env: []string{
		"GIT_PROJECT_ROOT=" + filepath.Dir(dir), "GIT_HTTP_EXPORT_ALL=1", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.receivepack", "GIT_CONFIG_VALUE_0=true",
	}}
	var mu sync.Mutex
	var seen []string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, given := r.BasicAuth()
		mu.Lock()
		if given {
			seen = append(seen, user+":"+password)
		}
		mu.Unlock()
		if password != token {
			w.Header().Set("WWW-Authenticate", `Basic realm="manifests"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		r.TransferEncoding = nil
		backend.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	if err := os.WriteFile(authority, block, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_SSL_CAINFO", authority)
	return s.URL + "/manifests.git", func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(seen)
	}
}

func TestToken(t *testing.T) {
	const token = "s3cr3t-token"
	url, sent := guarded(t, token)
	// The machine's own helper answers for the same host, wrongly, as CodeBuild's would.
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "credential.helper")
	t.Setenv("GIT_CONFIG_VALUE_0", `!f() { echo username=machine; echo password=wrong; }; f`)
	_, err := Publish(t.Context(), []Manifest{manifest("npm", "1")}, options(url))
	if err == nil || strings.Contains(err.Error(), "wrong") || !slices.Contains(sent(), "machine:wrong") {
		t.Fatalf("without the token: %v, sent %q", err, sent())
	}
	ctx := git.WithToken(t.Context(), url, token)
	results, err := Publish(ctx, []Manifest{manifest("npm", "1")}, options(url))
	if err != nil || !results[0].Changed {
		t.Fatalf("with the token: %+v, %v", results, err)
	}
	if last := sent()[len(sent())-1]; last != "x-access-token:"+token {
		t.Errorf("sent %q", last)
	}
	before := len(sent())
	_, err = Publish(git.WithToken(t.Context(), url, "other"), []Manifest{manifest("npm", "2")}, options(url))
	if err == nil || strings.Contains(err.Error(), "other") || !slices.Contains(sent()[before:], "x-access-token:other") {
		t.Errorf("with another token: %v", err)
	}
}
