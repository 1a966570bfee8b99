package publish

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPull(t *testing.T) {
	proposal := Result{Service: "npm", Branch: "proposals/production/npm", Base: "production/npm"}
	for name, c := range map[string]struct {
		url, token   string
		create       int
		want, failed string
	}{
		"elsewhere": {url: "http://git.localhost/manifests.git"},
		"no token":  {url: "https://github.com/my-company/manifests.git", want: "https://github.com/my-company/manifests/compare/production/npm...proposals/production/npm?expand=1"},
		"opened":    {url: "https://github.com/my-company/manifests.git", token: "t", create: 201, want: "https://github.com/my-company/manifests/pull/1"},
		"is open":   {url: "https://github.com/my-company/manifests.git", token: "t", create: 422, want: "https://github.com/my-company/manifests/pull/1"},
		"forbidden": {url: "https://github.com/my-company/manifests.git", token: "t", create: 403, failed: "403 not allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Authorization") != "Bearer t" || r.URL.Path != "/repos/my-company/manifests/pulls" {
					t.Errorf("%s %s", r.Method, r.URL)
				}
				body := `{"html_url": "https://github.com/my-company/manifests/pull/1", "message": "not allowed"}`
				if r.Method == http.MethodGet {
					body = "[" + body + "]"
				} else {
					w.WriteHeader(c.create)
				}
				if c.create == 403 {
					body = `{"message": "not allowed"}`
				}
				w.Write([]byte(body))
			}))
			defer server.Close()
			got, err := Pull{URL: c.url, Token: c.token, API: server.URL}.Open(t.Context(), proposal, "title", "body")
			if got != c.want || (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
