package release_test

import (
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
)

// world is a remote and a clone with the commits one and two on main, and other beside two.
type world struct {
	t                       *testing.T
	remote, clone           string
	one, two, three, branch string
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, remote: filepath.Join(t.TempDir(), "remote.git"), clone: filepath.Join(t.TempDir(), "clone"), branch: "released/dev"}
	w.git("", "init", "--quiet", "--bare", "--initial-branch=main", w.remote)
	w.git("", "clone", "--quiet", w.remote, w.clone)
	w.one = w.commit("one")
	w.two = w.commit("two")
	w.git(w.clone, "checkout", "--quiet", "-B", "other", w.one)
	w.three = w.commit("three")
	w.git(w.clone, "push", "--quiet", "origin", w.two+":refs/heads/main", "other")
	return w
}

func (w *world) git(dir string, args ...string) string {
	w.t.Helper()
	c := exec.Command("git", args...)
	c.Dir, c.Env = dir, append(git.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := c.CombinedOutput()
	if err != nil {
		w.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) commit(message string) string {
	w.git(w.clone, "commit", "--quiet", "--allow-empty", "-m", message)
	return w.git(w.clone, "rev-parse", "HEAD")
}

func (w *world) options(commit string) release.Options {
	return release.Options{Dir: w.clone, URL: w.remote, Branch: w.branch, Commit: commit}
}

// tip is where the branch is now.
func (w *world) tip() string {
	out := w.git(w.clone, "ls-remote", w.remote, "refs/heads/"+w.branch)
	tip, _, _ := strings.Cut(out, "\t")
	return tip
}

func TestRelease(t *testing.T) {
	w := newWorld(t)
	for _, step := range []struct {
		name, commit, tip string
		want              release.Outcome
	}{
		{"the first makes the branch", w.one, w.one, release.Made},
		{"the same again", w.one, w.one, release.Same},
		{"a later one", w.two, w.two, release.Moved},
		{"an earlier one, by an execution that is run again", w.one, w.two, release.Passed},
	} {
		t.Run(step.name, func(t *testing.T) {
			got, err := release.Run(t.Context(), w.options(step.commit))
			if err != nil || got.Outcome != step.want || w.tip() != step.tip {
				t.Errorf("got %+v, %v, branch at %s; want %s at %s", got, err, w.tip(), step.want, step.tip)
			}
		})
	}
	t.Run("a rewound branch is refused", func(t *testing.T) {
		_, err := release.Run(t.Context(), w.options(w.three))
		var diverged *release.DivergedError
		if !errors.As(err, &diverged) || w.tip() != w.two {
			t.Errorf("got %v, branch at %s", err, w.tip())
		}
		if !strings.Contains(err.Error(), "git revert") {
			t.Errorf("the error names no remedy: %v", err)
		}
	})
}

// The clone of a build has the environment's branch alone.
func TestReleaseOfACloneWithoutTheReleasedCommit(t *testing.T) {
	w := newWorld(t)
	if _, err := release.Run(t.Context(), w.options(w.two)); err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "alone")
	w.git("", "clone", "--quiet", "--no-local", "--single-branch", "--branch=other", w.remote, alone)
	o := w.options("HEAD")
	o.Dir = alone
	var diverged *release.DivergedError
	if _, err := release.Run(t.Context(), o); !errors.As(err, &diverged) {
		t.Errorf("got %v, want that the histories differ", err)
	}
}

// A host that protects released/* refuses whoever it does not know.
func TestReleaseThatTheHostRefuses(t *testing.T) {
	w := newWorld(t)
	hook := filepath.Join(w.remote, "hooks", "update")
	w.git("", "config", "--file", filepath.Join(w.remote, "config"), "core.hooksPath", filepath.Dir(hook))
	if out, err := exec.Command("sh", "-c", `printf '#!/bin/sh\necho protected >&2\nexit 1\n' > "$1" && chmod +x "$1"`, "sh", hook).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	_, err := release.Run(t.Context(), w.options(w.one))
	if err == nil || !strings.Contains(err.Error(), "let the token's owner push to released/*") {
		t.Errorf("got %v", err)
	}
}

func TestReleaseOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	if _, err := release.Run(t.Context(), w.options("nothing")); err == nil || !strings.Contains(err.Error(), "fetch it") {
		t.Errorf("got %v", err)
	}
	o := w.options(w.one)
	o.URL = filepath.Join(t.TempDir(), "missing.git")
	if _, err := release.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "cdk.json") {
		t.Errorf("got %v", err)
	}
}
