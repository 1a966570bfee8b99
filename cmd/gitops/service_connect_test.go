package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A session gets what the Secret of the service says, by the environment, and ends as its client does.
func TestServiceConnect(t *testing.T) {
	dir, _, _ := fleetCheckout(t)
	tools := t.TempDir()
	t.Setenv("PATH", tools+":/usr/bin:/bin")
	put(t, dir, "k8s/services/npm.yaml", "image: a/npm:1\nport: 8080\n")
	put(t, dir, "k8s/services/info.yaml", "image: a/info:1\nport: 8080\naws: {database: {engine: postgres}, cache: {}}\n")
	said := filepath.Join(tools, "said")
	for _, name := range []string{"psql", "valkey-cli"} {
		program := "#!/bin/sh\necho \"$0 $*\" > " + said + "\nenv >> " + said + "\ncat $PGSSLROOTCERT >> " + said + "\nexit 3\n"
		if err := os.WriteFile(filepath.Join(tools, name), []byte(program), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	facts := map[string]string{"ENVIRONMENT": "dev"}
	objects := map[string]map[string]any{
		"/api/v1/namespaces/flux-system/configmaps/cluster-facts": {"data": facts},
		"/api/v1/namespaces/info/secrets/info-database": {"data": map[string]string{
			"DATABASE_HOST": encode("127.0.0.1"), "DATABASE_PORT": encode("5432"), "DATABASE_NAME": encode("infodb"), "DATABASE_USER": encode("infodb"),
			"DATABASE_PASSWORD": encode("hidden"),
		}},
		"/api/v1/namespaces/info/configmaps/database-ca": {"binaryData": map[string]string{"ca.pem": encode("certificates")}},
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		object, found := objects[r.URL.Path]
		if !found {
			w.WriteHeader(http.StatusNotFound)
			_, _ = fmt.Fprintf(w, `{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "message": %q}`, r.URL.Path+" not found")
			return
		}
		object["apiVersion"], object["kind"] = "v1", "Thing"
		_ = json.NewEncoder(w).Encode(object)
	}))
	defer api.Close()
	kubeconfig := kubeconfigOf(t, api.URL)

	if says := gitops(t, 3, "service", "connect", "info", "--kubeconfig", kubeconfig, "--", "SELECT", "1"); says != "" {
		t.Errorf("connect: %s", says)
	}
	raw, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	command, rest, _ := strings.Cut(string(raw), "\n")
	if !strings.HasSuffix(command, "psql -v ON_ERROR_STOP=1 -c SELECT 1") {
		t.Errorf("ran %s", command)
	}
	for _, want := range []string{"PGHOST=127.0.0.1\n", "PGUSER=infodb\n", "PGPASSWORD=hidden\n", "PGDATABASE=infodb\n", "PGSSLMODE=verify-full\n", "certificates"} {
		if !strings.Contains(rest, want) {
			t.Errorf("the client has no %q", want)
		}
	}
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "k8s/services/npm.yaml: npm has no database and no cache in dev; it gets one under aws", []string{"npm"}},
		{1, "it is there once info is published: see gitops service status info --env dev", []string{"info", "--cache"}},
		{2, "--life must be from 1m to 24h", []string{"info", "--life", "48h"}},
		{2, "accepts 1 arg(s)", []string{"info", "npm"}},
		{1, `did you mean "info"?`, []string{"inf"}},
	} {
		if says := gitops(t, c.code, append([]string{"service", "connect", "--kubeconfig", kubeconfig}, c.args...)...); !strings.Contains(says, c.says) {
			t.Errorf("%v: %s, want %s", c.args, says, c.says)
		}
	}
	// Nobody types here: a dump ends at its first error.
	gitops(t, 3, "service", "connect", "info", "--kubeconfig", kubeconfig)
	if raw, err := os.ReadFile(said); err != nil || !strings.Contains(string(raw), "psql -v ON_ERROR_STOP=1\n") {
		t.Errorf("from stdin it ran %.200s, %v", raw, err)
	}
	facts["ENVIRONMENT"] = "production"
	if says := gitops(t, 1, "service", "connect", "info", "--kubeconfig", kubeconfig, "--", "DELETE"); !strings.Contains(says, "is of the cluster of production") {
		t.Errorf("another environment's cluster: %s", says)
	}
	t.Setenv("PATH", t.TempDir())
	if says := gitops(t, 1, "service", "connect", "info", "--kubeconfig", kubeconfig); !strings.Contains(says, "there is no psql on PATH; install it") {
		t.Errorf("without a client: %s", says)
	}
}
