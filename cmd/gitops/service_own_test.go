package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/services/onboard"
)

// TestOwnRepository goes the way of a service in a repository of its own: registered in the platform's, onboarded, published by a
// tag, and refused where it asks for more.
func TestOwnRepository(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	platform, service, remote := fixture.Tree(t), filepath.Join(t.TempDir(), "shop"), filepath.Join(t.TempDir(), "manifests.git")
	app := filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(app, []byte(fakeApp), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	gitIn(t, t.TempDir(), "init", "-q", "--bare", remote)
	gitIn(t, filepath.Dir(service), "init", "-q", service)
	gitIn(t, service, "remote", "add", "origin", "git@github.com:My-Company/shop.git")
	gitIn(t, platform, "init", "-q")
	put(t, platform, "services/service.schema.json", "{}")
	at := func(dir string, code int, args ...string) string {
		t.Helper()
		t.Chdir(dir)
		return gitops(t, code, append([]string{"service"}, args...)...)
	}
	publish := func(code int, args ...string) string {
		t.Helper()
		return at(platform, code, append([]string{"publish", "shop", "--env", "dev", "--remote", remote, "--app", app, "--from", service}, args...)...)
	}
	says := func(what, text string) {
		t.Helper()
		if !strings.Contains(text, what) {
			t.Errorf("says %q, want %q", text, what)
		}
	}

	// The platform registers it.
	const address = "https://github.com/my-company/shop.git"
	says("--owner: goes with", at(platform, 2, "add", "shop", "--image", "a:1", "--owner", "@my-company/shop"))
	says("leave them out", at(platform, 2, "add", "shop", "--repository", address, "--image", "a:1"))
	says("owner: must be a team", at(platform, 1, "add", "shop", "--repository", address, "--owner", "somebody"))
	says("gitops service init --name shop", at(platform, 0, "add", "shop", "--repository", address, "--owner", "@my-company/shop", "--host", "shop", "--queue"))
	gitIn(t, platform, "add", "-A")
	gitIn(t, platform, "commit", "-qm", "Register shop")
	gitIn(t, platform, "tag", "v1.0.0")
	says(address, at(platform, 0, "list"))
	says("in a repository of its own", at(platform, 1, "publish", "shop", "--env", "dev", "--remote", remote, "--app", app))

	// The service's repository gets what it needs.
	begin := []string{"init", "--platform", platform + "@v1.0.0"}
	says("there is no service.yaml", publish(1))
	says("--image", at(service, 2, begin...))
	begin = append(begin, "--image", "ghcr.io/my-company/shop:1.0.0")
	says("created", at(service, 0, append(begin, "--dry-run")...))
	if left := gitIn(t, service, "status", "--porcelain"); left != "" {
		t.Errorf("a dry run wrote %s", left)
	}
	says("git tag v1.0.0", at(service, 0, begin...))
	says("unchanged", at(service, 0, begin...))
	says(`no registration of "till"`, at(service, 1, append(begin, "--name", "till")...))
	says("must be a Git repository", at(t.TempDir(), 1, begin...))
	workflow, err := os.ReadFile(filepath.Join(service, onboard.WorkflowFile))
	if err != nil || !strings.Contains(string(workflow), "PLATFORM_COMMIT: "+gitIn(t, platform, "rev-parse", "HEAD")+" # v1.0.0") {
		t.Errorf("%s, %v", workflow, err)
	}
	gitIn(t, service, "add", "-A")
	gitIn(t, service, "commit", "-qm", "Begin")

	// What a tag starts is the registration's to say.
	says(`--ci: must be as registered, "github", got "codebuild"; write publisher: codebuild in k8s/services/shop.yaml`, at(service, 1, append(begin, "--ci", "codebuild")...))
	file := filepath.Join(platform, "k8s/services/shop.yaml")
	registration, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, platform, "k8s/services/shop.yaml", string(registration)+"publisher: codebuild\n")
	gitIn(t, platform, "commit", "-qam", "Publish shop by a build")
	gitIn(t, platform, "tag", "v1.1.0")
	begun := at(service, 0, "init", "--platform", platform+"@v1.1.0", "--ci", "codebuild")
	for _, want := range []string{"project ENVIRONMENT-publish-shop", "Remove " + onboard.WorkflowFile} {
		says(want, begun)
	}
	if strings.Contains(begun, "publish.yml  ") || strings.Contains(begun, "create-secret") {
		t.Errorf("a workflow or a token for a service that the platform publishes: %s", begun)
	}

	// A tag publishes it, and the branch says of what it was made, by which platform.
	says("must have a tag", publish(1, "--release"))
	gitIn(t, service, "tag", "v1.2.3")
	says("shop dev/shop@", publish(0, "--release"))
	log := gitIn(t, remote, "log", "--format=%B", "dev/shop")
	for _, want := range []string{"Publish shop to dev from v1.2.3", "Source-Repository: " + address, "Source-Platform: " + gitIn(t, platform, "rev-parse", "HEAD")} {
		says(want, log)
	}
	says("QUEUE_URL: https://sqs.", gitIn(t, remote, "show", "dev/shop:shop.k8s.yaml"))
	says("1 of 1 are as they were", publish(0))

	// What goes beyond the registration is refused, and nothing is pushed.
	before := gitIn(t, remote, "for-each-ref")
	put(t, service, "service.yaml", "image: ghcr.io/my-company/shop:1.0.1\nport: 8080\nhost: info\nreplicas: 7\nuses: [database]\n")
	gitIn(t, service, "commit", "-qam", "More")
	gitIn(t, service, "tag", "v1.3.0")
	refused := publish(1, "--release")
	for _, want := range []string{"service.yaml:3: host: must be", "service.yaml:4: replicas: must be at most 3", "service.yaml:5: uses[0]: must be in the registration's aws"} {
		says(want, refused)
	}
	says("service.yaml:4: replicas", at(service, 1, begin...))
	gitIn(t, service, "checkout", "-q", "HEAD^")
	gitIn(t, service, "remote", "set-url", "origin", "https://github.com/my-company/till.git")
	says("must be a checkout of "+address, publish(1))
	if after := gitIn(t, remote, "for-each-ref"); after != before {
		t.Errorf("pushed: %s", after)
	}
}
