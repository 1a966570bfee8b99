package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/teardown"
)

// fakeCDK writes an assembly with a stack for each file of k8s/services.
const fakeCDK = `#!/bin/sh
while [ "$1" != --output ]; do shift; done
mkdir -p "$2/assembly-dev"
echo '{"artifacts": {"assembly-dev": {"type": "cdk:cloud-assembly", "properties": {"directoryName": "assembly-dev", "displayName": "dev"}}}}' >"$2/manifest.json"
list='"none": {"type": "cdk:asset-manifest"}'
for file in k8s/services/*.yaml; do
  name=dev-$(basename "$file" .yaml)
  list="$list, \"$name\": {\"type\": \"aws:cloudformation:stack\", \"properties\": {\"stackName\": \"$name\", \"templateFile\": \"template.json\"}}"
done
echo "{\"artifacts\": {$list}}" >"$2/assembly-dev/manifest.json"
echo '{"Resources": {}}' >"$2/assembly-dev/template.json"
`

// What counts is the commit that is released in the environment, not the checkout: the next deployment is of that one.
func TestStackLeftTheApp(t *testing.T) {
	dir, remote, _ := fleetCheckout(t)
	put(t, dir, "k8s/services/orders.yaml", "image: a/b:1\nport: 8080\naws: {queue: {}}\n")
	put(t, dir, "k8s/services/npm.yaml", "image: a/b:1\nport: 8080\n")
	put(t, dir, "package-lock.json", "{}")
	put(t, dir, ".gitignore", "/node_modules/\n")
	put(t, dir, "node_modules/.bin/cdk", fakeCDK)
	if err := os.Chmod(filepath.Join(dir, "node_modules/.bin/cdk"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "with orders")
	c, err := config.LoadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	env := c.Environments["dev"]
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "url."+remote+".insteadOf")
	t.Setenv("GIT_CONFIG_VALUE_0", env.RepositoryURL)
	gitIn(t, dir, "push", "-q", remote, "HEAD:refs/heads/"+env.FluxBranch())
	gitIn(t, dir, "rm", "-q", "k8s/services/orders.yaml")
	gitIn(t, dir, "commit", "-qm", "without orders")

	cmd := &cobra.Command{}
	cmd.SetErr(&strings.Builder{})
	cmd.SetContext(t.Context())
	left := func() error { return leftApp(cmd, dir, &teardown.Teardown{Env: env}, "orders") }
	if err := left(); err == nil || !strings.Contains(err.Error(), "which is released in dev, still makes the stack dev-orders") {
		t.Errorf("got %v, must refuse: the removal is not released", err)
	}
	gitIn(t, dir, "push", "-q", remote, "HEAD:refs/heads/"+env.FluxBranch())
	if err := left(); err != nil {
		t.Errorf("after the release: %v", err)
	}
	if trees := gitIn(t, dir, "worktree", "list"); strings.Contains(trees, "\n") {
		t.Errorf("a worktree is left:\n%s", trees)
	}
}
