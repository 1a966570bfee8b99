package endpoints

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serve puts a plug-in for an environment on the PATH.
func serve(t *testing.T, environment, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "gitops-"+environment), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestUse(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "") // restored at the end
	log := filepath.Join(t.TempDir(), "log")
	serve(t, "here", `echo "$1" >>`+log+`; echo '{"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "KUBECONFIG": ""}'`)
	t.Setenv("KUBECONFIG", "/mine")
	for range 2 {
		if err := Use(t.Context(), "here"); err != nil {
			t.Fatal(err)
		}
	}
	if got := os.Getenv("AWS_ENDPOINT_URL"); got != "http://127.0.0.1:1" || os.Getenv("KUBECONFIG") != "" {
		t.Errorf("AWS_ENDPOINT_URL %q, KUBECONFIG %q", got, os.Getenv("KUBECONFIG"))
	}
	if calls, err := os.ReadFile(log); err != nil || string(calls) != "endpoints\n" {
		t.Errorf("calls %q, %v", calls, err)
	}
}

func TestWithoutAPlugin(t *testing.T) {
	t.Setenv("KUBECONFIG", "/mine")
	if err := Use(t.Context(), "in-aws"); err != nil || os.Getenv("KUBECONFIG") != "/mine" {
		t.Errorf("%v, KUBECONFIG %q", err, os.Getenv("KUBECONFIG"))
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ script, want string }{
		"down":    {"echo 'gitops: it does not run: start it' >&2; exit 1", "it does not run: start it"},
		"silent":  {"exit 3", "gitops-silent endpoints: exit status 3"},
		"wrong":   {"echo '[]'", "must print a JSON object of strings"},
		"unnamed": {`echo '{"": "x"}'`, `variable ""`},
	} {
		serve(t, name, c.script)
		if err := Use(t.Context(), name); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
