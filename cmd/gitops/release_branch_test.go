package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gated is a checkout's cdk.json with an environment whose pipeline releases, and one whose does not.
const gated = `{"context": {"gitops": {"repository": {"owner": "me", "name": "platform"}, "environments": {
	"dev": {"account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main",
		"delivery": {"connectionArn": "arn:aws:codeconnections:eu-west-1:111111111111:connection/01234567-89ab-cdef-0123-456789abcdef"}},
	"own": {"account": "222222222222", "region": "eu-west-1", "domain": "own.example.com", "branch": "own"}}}}}`

// gatedCheckout makes a checkout of it with one commit, changes into it, and returns a repository that git takes for the one on
// GitHub.
func gatedCheckout(t *testing.T) (dir, remote string) {
	t.Helper()
	dir, remote = t.TempDir(), filepath.Join(t.TempDir(), "platform.git")
	put(t, dir, "cdk.json", gated)
	put(t, dir, "k8s/clusters/README.md", "")
	config := filepath.Join(t.TempDir(), "gitconfig")
	put(t, filepath.Dir(config), "gitconfig", "[url \""+remote+"\"]\n\tinsteadOf = https://github.com/me/platform.git\n")
	for name, value := range map[string]string{"GIT_CONFIG_GLOBAL": config, "GIT_CONFIG_SYSTEM": os.DevNull, "RELEASE_TOKEN_SECRET": "", "PIPELINE_EXECUTION_ID": ""} {
		t.Setenv(name, value)
	}
	gitIn(t, dir, "init", "--quiet", "--bare", remote)
	gitIn(t, dir, "init", "--quiet", "--initial-branch", "main")
	commitIn(t, dir)
	t.Chdir(dir)
	return dir, remote
}

// commitIn commits everything and returns the commit.
func commitIn(t *testing.T, dir string) string {
	t.Helper()
	gitIn(t, dir, "add", "--all")
	gitIn(t, dir, "commit", "--quiet", "--allow-empty", "-m", "x")
	return gitIn(t, dir, "rev-parse", "HEAD")
}

// The branch is made once before the first deployment, then only moved, and forward.
func TestReleaseBranch(t *testing.T) {
	dir, remote := gatedCheckout(t)
	one := gitIn(t, dir, "rev-parse", "HEAD")
	two := commitIn(t, dir)
	for _, step := range []struct {
		name, args, says, tip string
		code                  int
	}{
		{"a dry run", "dev --dry-run", "released/dev would be made at", "", 0},
		{"the first", "dev --first --commit " + one, "released/dev is made at " + one[:12], one, 0},
		{"the first is there", "dev --first", "released/dev is at " + one[:12] + " already", one, 0},
		{"the next", "dev", "moved from " + one[:12] + " to " + two[:12], two, 0},
		{"once more", "dev", "is at " + two[:12] + " already", two, 0},
		{"an earlier one", "dev --commit HEAD^", "which contains " + one[:12], two, 0},
		{"no such commit", "dev --commit nothing", "fetch it", two, 1},
		{"no gate", "own", "own has no release: Flux follows branch own itself", two, 0},
		{"no such environment", "prod", `there is no environment "prod"`, two, 2},
	} {
		t.Run(step.name, func(t *testing.T) {
			said := gitops(t, step.code, append([]string{"release"}, strings.Fields(step.args)...)...)
			if tip := gitIn(t, remote, "for-each-ref", "--format=%(objectname)", "refs/heads/released/dev"); !strings.Contains(said, step.says) || tip != step.tip {
				t.Errorf("says %q, want %q; the branch is at %q, want %q", said, step.says, tip, step.tip)
			}
		})
	}
}
