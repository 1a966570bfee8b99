package review_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review"
)

// project is a Git repository with the small tree that internal/manifests tests with; its changes are in Kubernetes alone,
// so that nothing is synthesized.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	copyTree(t, filepath.Join(repository, "internal", "manifests", "testdata", "good"), root)
	cdk := `{"context": {"gitops": {"repository": {"owner": "me", "name": "platform"}, "environments": {
		"dev": {"account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main"}}}}}`
	write(t, root, "cdk.json", cdk)
	write(t, root, "package.json", "{}")
	os.RemoveAll(filepath.Join(root, "k8s", "clusters", "local"))
	run(t, root, "init", "--quiet", "--initial-branch", "main")
	commit(t, root)
	return root
}

func write(t *testing.T, root, file, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs git without the user's settings.
func run(t *testing.T, root string, args ...string) string {
	t.Helper()
	command := exec.Command("git", append([]string{"-C", root, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull)
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func commit(t *testing.T, root string) {
	t.Helper()
	run(t, root, "add", "--all")
	run(t, root, "commit", "--quiet", "--message", "change")
}

// charts finds the charts of a side in its own tree.
func charts(root string) manifests.Charts {
	return func(wanted manifests.Chart) (string, error) { return filepath.Join(root, "charts", wanted.Name), nil }
}

// replicas changes the one Deployment.
func replicas(t *testing.T, root, from, to string) {
	t.Helper()
	path := "k8s/apps/deployment.yaml"
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	write(t, root, path, strings.Replace(string(content), "replicas: "+from, "replicas: "+to, 1))
}

func TestRun(t *testing.T) {
	root := project(t)
	run(t, root, "branch", "start")
	run(t, root, "checkout", "--quiet", "-b", "change")
	replicas(t, root, "1", "2")
	commit(t, root)
	// Others merge meanwhile: that is not part of the change.
	run(t, root, "checkout", "--quiet", "main")
	write(t, root, "k8s/apps/other.yaml", "")
	commit(t, root)
	run(t, root, "checkout", "--quiet", "change")
	write(t, root, "README.md", "a file that Git does not know yet")
	for name, c := range map[string]struct {
		options review.Options
		code    int
		changed int // objects
	}{
		"branch against main": {review.Options{Base: "main"}, review.ExitChanged, 1},
		"revisions":           {review.Options{Base: "start", Head: "change"}, review.ExitChanged, 1},
		"same revision":       {review.Options{Base: "change", Head: "change"}, review.ExitSame, 0},
		"a folder":            {review.Options{Base: "start", Head: root, Environments: []string{"dev"}}, review.ExitChanged, 1},
		"words alone":         {review.Options{Base: "change"}, review.ExitSame, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Root, c.options.Charts = root, charts
			r, err := review.Run(t.Context(), c.options)
			if err != nil {
				t.Fatal(err)
			}
			objects := 0
			for _, e := range r.Environments {
				for _, k := range e.Kustomizations {
					objects += len(k.Objects)
				}
			}
			if r.ExitCode() != c.code || objects != c.changed {
				t.Errorf("exit code %d, %d objects: %+v", r.ExitCode(), objects, r)
			}
		})
	}
	if list := run(t, root, "worktree", "list"); strings.Count(list, "\n") != 1 {
		t.Errorf("worktrees stay:\n%s", list)
	}
	if status := run(t, root, "status", "--porcelain"); status != "?? README.md\n" {
		t.Errorf("the working tree changed:\n%s", status)
	}
}

func TestRunFails(t *testing.T) {
	root := project(t)
	run(t, root, "checkout", "--quiet", "--orphan", "stranger")
	replicas(t, root, "1", "2")
	commit(t, root)
	for name, c := range map[string]struct {
		options review.Options
		want    string
	}{
		"unknown base":        {review.Options{Base: "nope"}, `there is no revision "nope"; fetch it`},
		"option as a base":    {review.Options{Base: "--all"}, `there is no revision "--all"`},
		"unknown head":        {review.Options{Base: "main", Head: "nope"}, `there is no revision "nope"; fetch it`},
		"no common history":   {review.Options{Base: "main"}, "git fetch --unshallow"},
		"unknown environment": {review.Options{Base: "stranger", Environments: []string{"prod"}}, "--env prod: cdk.json has no such environment; use one of dev"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "unknown environment" {
				replicas(t, root, "2", "3")
			}
			c.options.Root, c.options.Charts = root, charts
			_, err := review.Run(t.Context(), c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	if list := run(t, root, "worktree", "list"); strings.Count(list, "\n") != 1 {
		t.Errorf("worktrees stay:\n%s", list)
	}
}

func TestOfAWS(t *testing.T) {
	for file, want := range map[string]bool{
		"cdk.json": true, "infrastructure/network.go": true, "config/config.go": true, "package-lock.json": true, "dockerbuild/README.md": true,
		"README.md": false, "docs/local.md": false, "k8s/apps/ghost/deployment.yaml": false,
	} {
		if review.OfAWS(file) != want {
			t.Errorf("%s: want %t", file, want)
		}
	}
}

// What is synthesized is code that nobody approved: it gets no credentials.
func TestEnviron(t *testing.T) {
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "GITHUB_TOKEN", "GITOPS_REVIEW_TOKEN", "GIT_DIR", "MAKEFLAGS"} {
		t.Setenv(name, "secret")
	}
	t.Setenv("HOME", "/home/me")
	env := review.Environ("/repo")
	if all := strings.Join(env, "\n"); strings.Contains(all, "secret") {
		t.Error(all)
	}
	if !slices.Contains(env, "HOME=/home/me") || !slices.Contains(env, "CDK_VALIDATION=false") {
		t.Error(env)
	}
}

func TestCause(t *testing.T) {
	said := "context.gitops.environments.dev.account: is missing; give 12 digits\n\nmake: *** [Makefile:1: x] Error 1\nSubprocess exited with error 1\n"
	if got := review.Cause(said); got != "context.gitops.environments.dev.account: is missing; give 12 digits" {
		t.Error(got)
	}
	if got := review.Cause(strings.Repeat("x\n", 9)); got != "x; x; x; x; x; and 4 lines more" {
		t.Error(got)
	}
}
