package main

import (
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// An environment that a service names stays as a whole; of one that goes, the branches are told.
func TestEnvironmentRemove(t *testing.T) {
	dir, _, _ := fleetCheckout(t)
	put(t, dir, "k8s/apps/ghost/deployment.yaml", "image: ${GHOST_IMAGE:=ghost:1}\n")
	gitops(t, 0, "environment", "add", "jane")
	put(t, dir, "k8s/services/npm.yaml", "image: a/npm:1\nport: 8080\nenvironments: {jane: {replicas: 1}}\n")
	if said := gitops(t, 1, "environment", "remove", "jane"); !strings.Contains(said, "is named by k8s/services/npm.yaml; take environments.jane out") {
		t.Errorf("with a service of it: %s", said)
	}
	put(t, dir, "k8s/services/npm.yaml", "image: a/npm:1\nport: 8080\n")
	want := "Removed jane. Commit and merge it, then:\n  git push origin --delete jane released/jane\n"
	if said := gitops(t, 0, "environment", "remove", "jane"); said != want {
		t.Errorf("got %s, want %s", said, want)
	}
}

func TestOwnBranches(t *testing.T) {
	gated := config.Delivery{ConnectionARN: "arn", Gate: true}
	c := config.Config{Environments: map[string]config.Environment{
		"a": {Name: "a", Branch: "a", Delivery: gated},
		"b": {Name: "b", Branch: "b"},
		"c": {Name: "c", Branch: "main", Delivery: gated},
		"d": {Name: "d", Branch: "main"},
		"e": {Name: "e", Branch: "main", RepositoryURL: "elsewhere"},
	}}
	for name, want := range map[string][]string{"a": {"a", "released/a"}, "b": {"b"}, "c": {"released/c"}, "d": nil, "e": {"main"}} {
		if got := ownBranches(c, name); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
