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
	ctx := WithToken(t.Context(), url, token)
	results, err := Publish(ctx, []Manifest{manifest("npm", "1")}, options(url))
	if err != nil || !results[0].Changed {
		t.Fatalf("with the token: %+v, %v", results, err)
	}
	if last := sent()[len(sent())-1]; last != "x-access-token:"+token {
		t.Errorf("sent %q", last)
	}
	before := len(sent())
	_, err = Publish(WithToken(t.Context(), url, "other"), []Manifest{manifest("npm", "2")}, options(url))
	if err == nil || strings.Contains(err.Error(), "other") || !slices.Contains(sent()[before:], "x-access-token:other") {
		t.Errorf("with another token: %v", err)
	}
}

// A token goes to its own host, by HTTPS, and is in no argument.
func TestTokenStaysWhereItBelongs(t *testing.T) {
	for _, address := range []string{"http://git.localhost/manifests.git", "ssh://git@example.com/m.git", "git@example.com:m.git", "/srv/m.git", "https://%zz"} {
		if ctx := WithToken(t.Context(), address, "x"); ctx != t.Context() {
			t.Errorf("%s gets the token", address)
		}
	}
	if ctx := WithToken(t.Context(), "https://example.com/m.git", ""); ctx != t.Context() {
		t.Error("an empty token")
	}
	t.Setenv("GIT_CONFIG_COUNT", "2")
	env := signIn(WithToken(t.Context(), "https://example.com/m.git", "x-token"), environ())
	for _, want := range []string{"GIT_CONFIG_COUNT=4", "GIT_CONFIG_KEY_2=credential.https://example.com.helper", "GIT_CONFIG_VALUE_2=", "GIT_CONFIG_VALUE_3=" + helper, tokenVariable + "=x-token"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s", want)
		}
	}
	if slices.Contains(env, "GIT_CONFIG_COUNT=2") || strings.Contains(helper, "x-token") {
		t.Error("the count is there twice, or the token in an argument")
	}
}
