package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// fakeApp stands for the cdk8s app: it answers each service with a ConfigMap that holds its image.
const fakeApp = `#!/usr/bin/env python3
import json, sys
r = json.load(sys.stdin)
for s in r["services"]:
    m = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n  image: %s\n" % (s["name"], s["name"], s["image"])
    m += "".join("  %s: %s\n" % pair for pair in sorted(s.get("environment", {}).items()))
    print(json.dumps({"name": s["name"], "manifest": m}))
`

// fleetCheckout is a repository with services and an empty manifests repository.
func fleetCheckout(t *testing.T) (dir, remote, app string) {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not on the PATH")
	}
	t.Setenv("GIT_CONFIG_GLOBAL", "/dev/null")
	dir, remote = t.TempDir(), filepath.Join(t.TempDir(), "manifests.git")
	app = filepath.Join(t.TempDir(), "services")
	if err := os.WriteFile(app, []byte(fakeApp), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	fixture.Write(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, "k8s/services")); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	gitIn(t, dir, "init", "-q")
	gitIn(t, dir, "init", "-q", "--bare", remote)
	return dir, remote, app
}

func put(t *testing.T, dir, name, content string) {
	t.Helper()
	target := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func gitIn(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// gitops runs a command line and returns what it says.
func gitops(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := run(t.Context(), args, &out, &errs); got != code {
		t.Fatalf("%v: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String() + errs.String()
}

// TestServiceLife goes the way of a service: added, published, changed, proposed, removed.
func TestServiceLife(t *testing.T) {
	dir, remote, app := fleetCheckout(t)
	to := []string{"--remote", remote, "--app", app}
	publish := func(args ...string) []string { return append(append([]string{"service", "publish"}, args...), to...) }

	gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0")
	if says := gitops(t, 1, publish("npm", "-e", "dev")...); !strings.Contains(says, "no commit") && !strings.Contains(says, "has a commit") {
		t.Errorf("without a commit: %s", says)
	}
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "one")
	gitIn(t, dir, "tag", "npm/v1.0.0")
	gitops(t, 0, publish("npm", "-e", "dev")...)
	if log := gitIn(t, remote, "log", "--format=%B", "dev/npm"); !strings.Contains(log, "Source-Tag: npm/v1.0.0") {
		t.Errorf("commit: %s", log)
	}
	if says := gitops(t, 0, publish("-e", "dev")...); !strings.Contains(says, "1 of 1 are as they were") {
		t.Error(says)
	}

	put(t, dir, "k8s/services/npm.yaml", "image: ghcr.io/nodezoo/npm:1.0.1\nport: 8080\n")
	if says := gitops(t, 1, publish("npm", "-e", "dev")...); !strings.Contains(says, "npm.yaml is not committed") {
		t.Error(says)
	}
	gitIn(t, dir, "commit", "-qam", "two")
	gitops(t, 0, publish("npm", "-e", "dev")...)
	if says := gitops(t, 0, publish("npm", "-e", "production")...); !strings.Contains(says, "proposals/production/npm") {
		t.Error(says)
	}
	gitIn(t, dir, "checkout", "-q", "HEAD^")
	if says := gitops(t, 1, publish("npm", "-e", "dev")...); !strings.Contains(says, "--rollback") {
		t.Error(says)
	}
	gitops(t, 0, publish("npm", "-e", "dev", "--rollback")...)

	if says := gitops(t, 1, append([]string{"service", "remove", "npm", "-e", "dev"}, to...)...); !strings.Contains(says, "without --env first") {
		t.Error(says)
	}
	if says := gitops(t, 0, "service", "remove", "npm"); !strings.Contains(says, "Secrets Manager") {
		t.Error(says)
	}
	gitops(t, 0, append([]string{"service", "remove", "npm", "-e", "dev", "--without-check"}, to...)...)
	if left := gitIn(t, remote, "for-each-ref", "--format=%(refname)", "refs/heads/dev"); left != "" {
		t.Errorf("left: %s", left)
	}
}

// TestServiceRefusals publishes nothing when anything is wrong.
func TestServiceRefusals(t *testing.T) {
	dir, remote, app := fleetCheckout(t)
	gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0", "--topic")
	gitops(t, 0, "service", "add", "mail", "--image", "ghcr.io/nodezoo/mail:1.0.0", "--database", "postgres", "--cache", "--bucket", "--queue", "--table", "id", "--mail")
	subscribe(t, filepath.Join(dir, "k8s/services/mail.yaml"), "npm")
	gitops(t, 0, "service", "add", "info", "--image", "ghcr.io/nodezoo/info:1.0.0", "--host", "info")
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "one")
	to := []string{"--remote", remote, "--app", app}
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"no environment":      {2, []string{"publish"}, "--env"},
		"unknown environment": {2, []string{"publish", "-e", "devel"}, "dev, integration, local, production"},
		"unknown service":     {1, []string{"publish", "web", "-e", "dev"}, `there is no service "web"`},
		"no app":              {1, []string{"render", "-e", "dev", "--app", "nowhere"}, "make bin/services"},
		"bad output":          {2, []string{"publish", "-e", "dev", "-o", "xml"}, `"xml"`},
		"added twice":         {1, []string{"add", "npm", "--image", "other:1"}, "is there already"},
		"bad name":            {1, []string{"add", "Npm", "--image", "a:1"}, "must be named by lower case letters"},
		"host taken":          {1, []string{"add", "web", "--image", "a:1", "--host", "info"}, "that of info in environment dev"},
		"no image":            {2, []string{"add", "web"}, "--image"},
		"no engine":           {1, []string{"add", "web", "--image", "a:1", "--database", "oracle"}, "must be mysql or postgres"},
		"subscribed to":       {1, []string{"remove", "npm"}, "mail.yaml subscribes to npm"},
		"removed twice":       {1, []string{"remove", "web"}, `there is no service "web"`},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"service"}, c.args...)
			if c.args[0] != "add" && !strings.Contains(strings.Join(c.args, " "), "--remote") {
				args = append(args, "--remote", remote)
			}
			if c.args[0] != "add" && !strings.Contains(strings.Join(c.args, " "), "--app") {
				args = append(args, "--app", app)
			}
			if says := gitops(t, c.code, args...); !strings.Contains(says, c.says) {
				t.Errorf("says %q, want %q", says, c.says)
			}
		})
	}
	if _, err := os.Stat(filepath.Join(dir, "k8s/services/web.yaml")); err == nil {
		t.Error("a refused service was left behind")
	}
	// One bad file of two: nothing is published.
	put(t, dir, "k8s/services/npm.yaml", "image: ghcr.io/nodezoo/npm\nport: 80\n")
	gitIn(t, dir, "commit", "-qam", "bad")
	says := gitops(t, 1, append([]string{"service", "publish", "-e", "dev"}, to...)...)
	if !strings.Contains(says, "npm.yaml:1:") || !strings.Contains(says, "npm.yaml:2:") {
		t.Error(says)
	}
	if refs := gitIn(t, remote, "for-each-ref"); refs != "" {
		t.Errorf("published: %s", refs)
	}
}

// subscribe changes what service add wrote of a service's queue.
func subscribe(t *testing.T, file, topic string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const added = "aws:\n  database: {engine: postgres}\n  cache: {}\n  bucket: {}\n  queue: {}\n  table: {partitionKey: {name: id}}\n  mail: {}\n"
	if !strings.HasSuffix(string(content), added) {
		t.Fatalf("%s does not end with what was asked for:\n%s", file, content)
	}
	changed := strings.Replace(string(content), "queue: {}", "queue: {subscribes: ["+topic+"]}", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}
