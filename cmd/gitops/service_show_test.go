package main

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/preview"
)

// A service without anything in AWS needs no synthesis: its preview has the fleet's objects and those of its branch.
func TestServiceShow(t *testing.T) {
	dir, _, app := fleetCheckout(t)
	put(t, dir, "k8s/services/npm.yaml", "image: ghcr.io/nodezoo/npm:1.0.0\nport: 8080\nenvironments:\n  integration: {enabled: false}\n")
	says := gitops(t, 0, "service", "show", "npm", "-e", "production", "-o", "json", "--app", app)
	var shown preview.Preview
	if err := json.NewDecoder(strings.NewReader(says)).Decode(&shown); err != nil {
		t.Fatalf("%v\n%s", err, says)
	}
	kinds := map[string]int{}
	for _, o := range shown.Objects {
		kinds[o.Kind]++
	}
	if shown.Environment != "production" || shown.Stack != "" || kinds["Namespace"] != 1 || kinds["Kustomization"] != 1 || kinds["ConfigMap"] != 1 {
		t.Errorf("got %+v, want the fleet's part and the service's", shown)
	}
	if says := gitops(t, 0, "service", "show", "npm", "--app", app); !strings.Contains(says, "npm asks for nothing in AWS in dev") {
		t.Errorf("without --env: %s", says)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{1, `did you mean "npm"?`, []string{"npn"}},
		{1, "environments.integration.enabled is false", []string{"npm", "-e", "integration"}},
		{2, "name one of dev, integration, local, production", []string{"npm", "-e", "live"}},
		{2, `got "xml"`, []string{"npm", "-o", "xml"}},
	} {
		if says := gitops(t, c.code, append([]string{"service", "show"}, c.args...)...); !strings.Contains(says, c.want) {
			t.Errorf("%v: %s, want %s", c.args, says, c.want)
		}
	}
}
