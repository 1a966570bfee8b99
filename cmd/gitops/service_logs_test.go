package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// What a person asks of one service: its logs, by a kubeconfig, and its address.
func TestServiceLogsAndOpen(t *testing.T) {
	dir, _, _ := fleetCheckout(t)
	t.Setenv("PATH", "/usr/bin:/bin") // no plug-in, no browser
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	put(t, dir, "k8s/services/npm.yaml", "image: a/npm:1\nport: 8080\n")
	put(t, dir, "k8s/services/info.yaml", "image: a/info:1\nport: 8080\nhost: info\n")
	var asked string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/log") {
			asked = r.URL.Path + "?" + r.URL.RawQuery
			_, _ = io.WriteString(w, "ready\n")
			return
		}
		if strings.HasSuffix(r.URL.Path, "/cluster-facts") {
			http.NotFound(w, r)
			return
		}
		_, _ = io.WriteString(w, `{"items": [{"metadata": {"name": "npm-1"}, "spec": {"containers": [{"name": "npm"}]}}]}`)
	}))
	defer api.Close()
	kubeconfig := kubeconfigOf(t, api.URL)
	if says := gitops(t, 0, "service", "logs", "npm", "--since", "1m", "--kubeconfig", kubeconfig); says != "ready\n" {
		t.Errorf("logs: %s", says)
	}
	if want := "/api/v1/namespaces/npm/pods/npm-1/log?container=npm&follow=false&sinceSeconds=60"; asked != want {
		t.Errorf("asked %s, want %s", asked, want)
	}
	if says := gitops(t, 0, "service", "open", "info", "-e", "production"); says != "https://info.example.com\n" {
		t.Errorf("open: %s", says)
	}
	if says := gitops(t, 1, "service", "open", "npm"); !strings.Contains(says, "kubectl -n npm port-forward svc/npm 8080:80") {
		t.Errorf("open without a host: %s", says)
	}
	if says := gitops(t, 1, "service", "logs", "inf"); !strings.Contains(says, `did you mean "info"?`) {
		t.Errorf("logs of nothing: %s", says)
	}
}
