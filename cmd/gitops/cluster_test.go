package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/config"
)

// kubeconfigOf leads to an API server without TLS.
func kubeconfigOf(t *testing.T, server string) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "config", fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nclusters: [{name: a, cluster: {server: %q}}]\nusers: [{name: a, user: {}}]\n", server))
	return filepath.Join(dir, "config")
}

// A kubeconfig must lead to the cluster of the environment that was named.
func TestAKubeconfigOfAnotherEnvironment(t *testing.T) {
	dev := config.Environment{Name: "dev", Account: "111111111111"}
	local := config.Environment{Name: config.LocalEnvironment, Account: "000000000000"}
	facts := func(name, account string) string {
		return fmt.Sprintf(`{"kind": "ConfigMap", "apiVersion": "v1", "data": {"ENVIRONMENT": %q, "AWS_ACCOUNT_ID": %q}}`, name, account)
	}
	for name, c := range map[string]struct {
		env    config.Environment
		answer int
		body   string
		to     purpose
		says   string // "": it is taken
	}{
		"its own":                     {dev, 200, facts("dev", "111111111111"), toChange, ""},
		"its own, of no account":      {dev, 200, `{"kind": "ConfigMap", "apiVersion": "v1", "data": {"ENVIRONMENT": "dev"}}`, toChange, ""},
		"another one":                 {dev, 200, facts("production", "222222222222"), toChange, "is of the cluster of production: unset KUBECONFIG, or name environment production, not dev"},
		"another one, to read":        {dev, 200, facts("production", "111111111111"), toRead, "is of the cluster of production"},
		"one of another account":      {dev, 200, facts("dev", "222222222222"), toChange, "is of a cluster in account 222222222222, and dev is in 111111111111: unset KUBECONFIG"},
		"the machine's":               {dev, 200, facts("local", "000000000000"), toRead, "is of the cluster of local"},
		"none":                        {dev, 404, "{}", toChange, "the cluster of KUBECONFIG does not say that it is of dev"},
		"none, to read":               {dev, 404, "{}", toRead, ""},
		"hidden":                      {dev, 403, "{}", toChange, "ConfigMap cluster-facts, namespace flux-system"},
		"hidden, to read":             {dev, 403, "{}", toRead, ""},
		"unknown caller, to read":     {dev, 401, "{}", toRead, "does not say that it is of dev"},
		"local":                       {local, 200, facts("local", "000000000000"), toChange, ""},
		"local, before its bootstrap": {local, 404, "{}", toChange, ""},
		"local, and another one":      {local, 200, facts("production", "222222222222"), toChange, "is of the cluster of production"},
	} {
		t.Run(name, func(t *testing.T) {
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/v1/namespaces/flux-system/configmaps/cluster-facts" {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(c.answer)
				_, _ = w.Write([]byte(c.body))
			}))
			defer api.Close()
			t.Setenv("KUBECONFIG", kubeconfigOf(t, api.URL))
			access, err := clusterAccess(t.Context(), "", aws.Config{}, c.env, c.to)
			switch {
			case c.says == "" && (err != nil || access.Host != api.URL):
				t.Errorf("got %v", err)
			case c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want %s", err, c.says)
			}
		})
	}
}

// The flag counts before the variable, and is held to the same.
func TestAKubeconfigByFlag(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"kind": "ConfigMap", "apiVersion": "v1", "data": {"ENVIRONMENT": "production"}}`))
	}))
	defer api.Close()
	t.Setenv("KUBECONFIG", "nowhere")
	_, err := clusterAccess(t.Context(), kubeconfigOf(t, api.URL), aws.Config{}, config.Environment{Name: "dev"}, toRead)
	if want := "--kubeconfig is of the cluster of production: leave out --kubeconfig, or name environment production, not dev"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
