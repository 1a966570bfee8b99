// Package source moves the checkout into the local Git repository, which
// stands for the one on GitHub, and tells which half a change touches.
package source

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"k8s-plus-aws-gitops/local/internal/spawn"
)

// Branch is the branch that Flux and the deployer follow.
const Branch = "main"

// git runs git in dir and returns its trimmed output, also beside an error.
// Variables by which a hook or an editor points git elsewhere are removed.
func git(ctx context.Context, dir string, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = dir
	cmd.Env = append(environ(), env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	// It ends with this process: one that outlived a killed runner would go on writing where the next one clears.
	err := spawn.Start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return strings.TrimSpace(out.String()), fmt.Errorf("git %s: %s", args[0], firstLine(errs.String(), err))
	}
	return strings.TrimSpace(out.String()), nil
}

func firstLine(text string, err error) string {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		for _, p := range []string{"fatal: ", "error: ", "remote: error: "} {
			if after, ok := strings.CutPrefix(line, p); ok {
				return after
			}
		}
	}
	if t := strings.TrimSpace(text); t != "" {
		return strings.Join(strings.Fields(t), " ")
	}
	return err.Error()
}

func environ() []string {
	var out []string
	for _, e := range os.Environ() {
		switch name, _, _ := strings.Cut(e, "="); name {
		case "GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
			"GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_PREFIX", "GIT_CEILING_DIRECTORIES":
		default:
			out = append(out, e)
		}
	}
	// A proxy in the environment is not for the loopback repository.
	return append(out, "GIT_TERMINAL_PROMPT=0", "LC_ALL=C", "NO_PROXY=127.0.0.1,localhost", "no_proxy=127.0.0.1,localhost")
}

// Head returns the commit of the branch in a bare repository, or "" when the
// branch does not exist yet.
func Head(ctx context.Context, bare string) (string, error) {
	if _, err := os.Stat(bare); err != nil {
		return "", nil //nolint:nilerr // no repository yet: no commit
	}
	out, err := git(ctx, bare, nil, "for-each-ref", "--format=%(objectname)", "refs/heads/"+Branch)
	return out, err
}

// Subject returns a commit's subject line.
func Subject(ctx context.Context, bare, commit string) (string, error) {
	return git(ctx, bare, nil, "log", "-1", "--format=%s", commit)
}

// Seed fills an empty bare repository with the checkout's HEAD, as the first
// merge would. It reports whether it did; a repository with a branch is left
// as it is.
func Seed(ctx context.Context, repo, bare string) (bool, error) {
	if head, err := Head(ctx, bare); err != nil || head != "" {
		return false, err
	}
	if err := check(ctx, repo); err != nil {
		return false, err
	}
	if _, err := git(ctx, repo, nil, "rev-parse", "--verify", "HEAD^{commit}"); err != nil {
		return false, fmt.Errorf("%s has no commit yet: commit once (git add -A && git commit), then run again", repo)
	}
	// A shallow clone, as CI makes it, is good enough to deploy from.
	if _, err := git(ctx, bare, nil, "config", "receive.shallowUpdate", "true"); err != nil {
		return false, err
	}
	if _, err := git(ctx, repo, nil, "push", "--quiet", "--no-verify", bare, "HEAD:refs/heads/"+Branch); err != nil {
		return false, err
	}
	_, err := git(ctx, bare, nil, "update-ref", checkoutRef, "refs/heads/"+Branch)
	return err == nil, err
}

// check fails when repo is not the top of a git checkout of this project.
func check(ctx context.Context, repo string) error {
	top, err := git(ctx, repo, nil, "rev-parse", "--show-toplevel")
	if err != nil {
		return fmt.Errorf("%s is not a git checkout: clone the repository instead of copying it, or run git init and commit", repo)
	}
	a, errA := os.Stat(top)
	b, errB := os.Stat(repo)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return fmt.Errorf("%s lies inside the checkout %s: run the command in the top folder", repo, top)
	}
	return nil
}

// Export writes the tree of a commit to dir, which is emptied first except
// for the names in keep.
func Export(ctx context.Context, bare, commit, dir string, keep ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	kept := map[string]bool{}
	for _, k := range keep {
		kept[k] = true
	}
	for _, e := range entries {
		if !kept[e.Name()] {
			if err := os.RemoveAll(dir + string(os.PathSeparator) + e.Name()); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	index := dir + ".index"
	defer os.Remove(index)
	_, err = git(ctx, dir, []string{"GIT_DIR=" + bare, "GIT_WORK_TREE=" + dir, "GIT_INDEX_FILE=" + index}, "read-tree", "--reset", "-u", commit)
	return err
}

// Extract writes those files and folders of a commit to dir that the commit has,
// and reports whether there are any.
func Extract(ctx context.Context, bare, commit, dir string, paths ...string) (bool, error) {
	have, err := git(ctx, bare, nil, append([]string{"ls-tree", "--name-only", "--full-tree", commit, "--"}, paths...)...)
	if err != nil || have == "" {
		return false, err
	}
	index := dir + ".index"
	defer os.Remove(index)
	args := append([]string{"checkout", "--quiet", commit, "--"}, strings.Split(have, "\n")...)
	_, err = git(ctx, dir, []string{"GIT_DIR=" + bare, "GIT_WORK_TREE=" + dir, "GIT_INDEX_FILE=" + index}, args...)
	return err == nil, err
}

// Contains reports whether commit is part of the history of head.
func Contains(ctx context.Context, bare, head, commit string) (bool, error) {
	base, err := git(ctx, bare, nil, "merge-base", head, commit)
	return base == commit, err
}

// Base returns the newest commit that two have in common.
func Base(ctx context.Context, bare, a, b string) (string, error) {
	return git(ctx, bare, nil, "merge-base", a, b)
}

// Tree returns the files of a commit, each with the mode and the hash that git has of it.
func Tree(ctx context.Context, repository, commit string) (map[string]string, error) {
	out, err := git(ctx, repository, nil, "ls-tree", "-r", "-z", "--full-tree", commit)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for line := range strings.SplitSeq(out, "\x00") {
		if what, name, ok := strings.Cut(line, "\t"); ok {
			files[name] = what
		}
	}
	return files, nil
}

// Resolve returns the commit that a ref points to.
func Resolve(ctx context.Context, bare, ref string) (string, error) {
	return git(ctx, bare, nil, "rev-parse", "--verify", "--end-of-options", ref+"^{commit}")
}

// Person wrote a commit.
type Person struct{ Name, Email, Date string }

// Author returns who wrote a commit, and when.
func Author(ctx context.Context, bare, commit string) (Person, error) {
	out, err := git(ctx, bare, nil, "log", "-1", "--format=%an%n%ae%n%aI", commit)
	lines := append(strings.Split(out, "\n"), "", "", "")
	return Person{Name: lines[0], Email: lines[1], Date: lines[2]}, err
}

// Clone makes a full clone with the commit checked out, from the bare
// repository, with url as its origin.
func Clone(ctx context.Context, bare, url, commit, dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"clone", "--quiet", "--no-checkout", bare, dir},
		{"-C", dir, "remote", "set-url", "origin", url},
		{"-C", dir, "checkout", "--quiet", "--detach", commit},
	} {
		if _, err := git(ctx, "", nil, args...); err != nil {
			return err
		}
	}
	return nil
}
