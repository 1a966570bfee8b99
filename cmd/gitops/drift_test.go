package main

import (
	"encoding/json"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/drift"
)

// The exit code says whether something differs, or could not be looked at, in words and as JSON.
func TestDrift(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account
	commit := gitIn(t, dir, "rev-parse", "HEAD")
	at := func(ready string) string {
		return clusterWith(t, map[string][]any{
			"gitrepositories": {fluxObject("GitRepository", "flux-system", commit, "True", "")},
			"kustomizations":  {fluxObject("Kustomization", "flux-system", commit, "True", ""), fluxObject("Kustomization", "apps", commit, ready, "BuildFailed")},
		})
	}
	t.Setenv("KUBECONFIG", at("True"))
	if said := gitops(t, 2, "drift", "--only", "kubernetes"); !strings.Contains(said, "branch released/dev does not exist") {
		t.Errorf("before the first release: %s", said)
	}
	gitops(t, 0, "release", "dev")
	if said := gitops(t, 0, "drift", "--only", "kubernetes"); !strings.HasPrefix(said, "dev: 0 differences.\n") || !strings.Contains(said, "looked at: objects\n") {
		t.Errorf("as released: %s", said)
	}
	t.Setenv("KUBECONFIG", "")
	said := gitops(t, 1, "drift", "dev", "--only", "kubernetes", "--output", "json", "--kubeconfig", at("False"))
	var r drift.Report
	// What is on stderr follows.
	if err := json.NewDecoder(strings.NewReader(said)).Decode(&r); err != nil || len(r.Findings) != 1 || r.Findings[0].Object != "Kustomization apps" {
		t.Errorf("%s: %v", said, err)
	}
	if said := gitops(t, 2, "drift", "dev", "--only", "kubernetes", "--kubeconfig", "nowhere"); !strings.Contains(said, "unseen     the cluster") {
		t.Errorf("no cluster: %s", said)
	}
}
