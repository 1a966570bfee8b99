package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// A fork does not follow the sample's manifests repository: its services have another one, or it has none.
func TestGenerateInAFork(t *testing.T) {
	dir, _, _ := fleetCheckout(t)
	gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0")
	gitops(t, 0, "generate", "--check")
	edit := func(file, old, now string) {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil || !strings.Contains(string(content), old) {
			t.Fatalf("%s has no %s: %v", file, old, err)
		}
		put(t, dir, file, strings.Replace(string(content), old, now, 1))
	}
	edit("cdk.json", `"owner": "my-company"`, `"owner": "acme"`)
	if says := gitops(t, 1, "generate", "--check"); !strings.Contains(says, "k8s/fleet/fleet.yaml: url: must be a repository of yours") {
		t.Error(says)
	}
	gitops(t, 0, "service", "remove", "npm")
	gitops(t, 0, "generate")
	gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0")
	edit("k8s/fleet/fleet.yaml", "my-company", "acme")
	gitops(t, 0, "generate")
}

// What a new environment prints to be done is complete: Flux follows a branch that somebody has to make first.
func TestEnvironmentAddSaysWhatIsNext(t *testing.T) {
	t.Chdir(fixture.Tree(t))
	said := gitops(t, 0, "environment", "add", "jane", "--branch", "janes")
	at := 0
	for _, want := range []string{"\n  git push origin HEAD:refs/heads/janes\n", "\n  bin/gitops release jane\n", "\n  bin/gitops doctor jane ", "\n  make deploy ENV=jane\n"} {
		i := strings.Index(said[at:], want)
		if i < 0 {
			t.Fatalf("lacks %q, in this order:\n%s", want, said)
		}
		at += i
	}
}
