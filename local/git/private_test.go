package git

import (
	"net/http"
	"path/filepath"
	"testing"
)

// A private repository refuses whoever does not sign in, and lets nobody push who may only read; others stay open.
func TestPrivateRepository(t *testing.T) {
	dir := t.TempDir()
	s := &system{
		t: t, root: filepath.Join(dir, "git"), charts: filepath.Join(dir, "charts"), clone: filepath.Join(dir, "clone"), pushes: make(chan Push, 1),
		private: map[string][]Account{"platform": {{User: "reader", Password: "r"}, {User: "writer", Password: "w", Writes: true}}},
	}
	for _, name := range []string{"platform", "manifests"} {
		if err := Init(filepath.Join(s.root, name+".git")); err != nil {
			t.Fatal(err)
		}
	}
	start(t, s, nil)
	for _, c := range []struct {
		repository, service, user, password string
		want                                int
	}{
		{"platform", "git-upload-pack", "", "", http.StatusUnauthorized},
		{"platform", "git-upload-pack", "reader", "w", http.StatusUnauthorized},
		{"platform", "git-upload-pack", "reader", "r", http.StatusOK},
		{"platform", "git-upload-pack", "writer", "w", http.StatusOK},
		{"platform", "git-receive-pack", "", "", http.StatusUnauthorized},
		{"platform", "git-receive-pack", "reader", "r", http.StatusForbidden},
		{"platform", "git-receive-pack", "writer", "w", http.StatusOK},
		{"manifests", "git-upload-pack", "", "", http.StatusOK},
		{"manifests", "git-receive-pack", "", "", http.StatusOK},
	} {
		// Both requests of a client: the list of refs, and the pack.
		for method, path := range map[string]string{http.MethodGet: "/info/refs?service=" + c.service, http.MethodPost: "/" + c.service} {
			r, err := http.NewRequestWithContext(t.Context(), method, s.url+"/"+c.repository+".git"+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/x-"+c.service+"-request")
			if c.user != "" {
				r.SetBasicAuth(c.user, c.password)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("%s %s%s as %q: %d, want %d", method, c.repository, path, c.user, resp.StatusCode, c.want)
			}
			if asks := resp.Header.Get("WWW-Authenticate") != ""; asks != (c.want == http.StatusUnauthorized) {
				t.Errorf("%s %s%s as %q: asks for a login: %t", method, c.repository, path, c.user, asks)
			}
		}
	}
}
