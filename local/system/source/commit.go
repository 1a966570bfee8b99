package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
)

// Builder makes commits of a checkout's working tree on top of the local
// repository's branch, as a merge would, without touching the checkout's
// index, branches or objects: it works in a repository of its own.
type Builder struct {
	// Repo is the checkout, Bare the local repository, Scratch the folder of
	// the builder's own repository, which is made when it is missing.
	Repo, Bare, Scratch string
	// Env is added to the environment of the git that pushes, so that it can sign in.
	Env []string
}

// Commit is what a Builder made.
type Commit struct {
	// ID is the new commit; it equals Parent when the working tree is what the
	// branch has already.
	ID, Parent string
	// Files are the paths that changed.
	Files []string
	// Merged tells that the branch has what the checkout does not have, such as
	// an image tag that Flux wrote, and that the commit leaves it there.
	Merged bool

	checkout string // a commit with the working tree as it was
}

// Unchanged reports whether there was nothing to commit.
func (c Commit) Unchanged() bool { return c.ID == c.Parent }

// Build commits the tracked and the untracked, not ignored files of the
// working tree, merged with what others committed to the branch since the last
// push from here. Nothing is pushed.
func (b Builder) Build(ctx context.Context, message string) (Commit, error) {
	if err := check(ctx, b.Repo); err != nil {
		return Commit{}, err
	}
	parent, err := b.prepare(ctx)
	if err != nil {
		return Commit{}, err
	}
	env := []string{"GIT_DIR=" + b.Scratch, "GIT_WORK_TREE=" + b.Repo}
	// The index stays between builds: git then reads only files whose time or
	// size changed.
	if _, err := git(ctx, b.Repo, env, "add", "--all", "."); err != nil {
		return Commit{}, err
	}
	tree, err := git(ctx, b.Repo, env, "write-tree")
	if err != nil {
		return Commit{}, err
	}
	merged, err := b.merge(ctx, parent, tree)
	if err != nil {
		return Commit{}, err
	}
	c := Commit{ID: parent, Parent: parent, Merged: merged != tree}
	if c.checkout, err = b.commitTree(ctx, message, tree, parent); err != nil {
		return Commit{}, err
	}
	old, err := git(ctx, b.Scratch, nil, "rev-parse", parent+"^{tree}")
	if err != nil {
		return Commit{}, err
	}
	if merged == old {
		return c, b.note(ctx, c)
	}
	if c.ID = c.checkout; c.Merged {
		if c.ID, err = b.commitTree(ctx, message, merged, parent); err != nil {
			return Commit{}, err
		}
	}
	c.Files, err = Changed(ctx, b.Scratch, parent, c.ID)
	return c, err
}

func (b Builder) commitTree(ctx context.Context, message, tree, parent string) (string, error) {
	args, env := []string{"commit-tree", "-p", parent, "-m", message}, b.identity(ctx)
	if signing, signs := b.signing(ctx); signs {
		args, env = append(args, "-S"), append(env, signing...)
	}
	return git(ctx, b.Scratch, env, append(args, tree)...)
}

// signing reports whether the user signs commits, as commit.gpgSign says, and how: commit-tree signs only if it is told,
// and in a repository of its own it does not know the checkout's settings.
func (b Builder) signing(ctx context.Context) (env []string, signs bool) {
	if on, err := git(ctx, b.Repo, nil, "config", "--type=bool", "--get", "commit.gpgSign"); err != nil || on != "true" {
		return nil, false
	}
	n := 0
	for _, key := range []string{"user.signingKey", "gpg.format", "gpg.program", "gpg.openpgp.program", "gpg.ssh.program", "gpg.x509.program"} {
		if value, err := git(ctx, b.Repo, nil, "config", "--get", key); err == nil {
			env = append(env, fmt.Sprintf("GIT_CONFIG_KEY_%d=%s", n, key), fmt.Sprintf("GIT_CONFIG_VALUE_%d=%s", n, value))
			n++
		}
	}
	return append(env, fmt.Sprintf("GIT_CONFIG_COUNT=%d", n)), true
}

// Push sends a commit to the branch of the repository at url.
func (b Builder) Push(ctx context.Context, c Commit, url string) error {
	if _, err := git(ctx, b.Scratch, b.Env, "push", "--quiet", url, c.ID+":refs/heads/"+Branch); err != nil {
		return err
	}
	return b.note(ctx, c)
}

// prepare makes the builder's repository and fetches the branch into it.
func (b Builder) prepare(ctx context.Context) (string, error) {
	if _, err := os.Stat(filepath.Join(b.Scratch, "HEAD")); errors.Is(err, fs.ErrNotExist) {
		if _, err := git(ctx, b.Repo, nil, "init", "--quiet", "--bare", b.Scratch); err != nil {
			return "", err
		}
	}
	head, err := Head(ctx, b.Bare)
	if err != nil {
		return "", err
	}
	if head == "" {
		return "", fmt.Errorf("%s has no branch %s: run `gitops local up` first", b.Bare, Branch)
	}
	if _, err := git(ctx, b.Scratch, nil, "fetch", "--quiet", "--no-tags", "--update-shallow", b.Bare, "+refs/heads/"+Branch+":refs/heads/"+Branch); err != nil {
		return "", err
	}
	return head, b.copySettings(ctx)
}

// copySettings takes over what decides about a file's content: the ignore
// list that is not committed, and line endings.
func (b Builder) copySettings(ctx context.Context) error {
	dir, err := git(ctx, b.Repo, nil, "rev-parse", "--path-format=absolute", "--git-path", "info/exclude")
	if err != nil {
		return err
	}
	exclude, err := os.ReadFile(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Join(b.Scratch, "info"), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.Scratch, "info", "exclude"), exclude, 0o600); err != nil {
		return err
	}
	// GIT_WORK_TREE and core.bare exclude each other.
	if _, err := git(ctx, b.Scratch, nil, "config", "core.bare", "false"); err != nil {
		return err
	}
	for _, key := range []string{"core.autocrlf", "core.eol", "core.fileMode"} {
		if v, err := git(ctx, b.Repo, nil, "config", "--get", key); err == nil {
			if _, err := git(ctx, b.Scratch, nil, "config", key, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// identity is the user's own where git knows it, because the commit shows up
// in Flux's events.
func (b Builder) identity(ctx context.Context) []string {
	name, err := git(ctx, b.Repo, nil, "config", "--get", "user.name")
	if err != nil || name == "" {
		name = "gitops"
		if u, err := user.Current(); err == nil && u.Username != "" {
			name = u.Username
		}
	}
	mail, err := git(ctx, b.Repo, nil, "config", "--get", "user.email")
	if err != nil || mail == "" {
		mail = "gitops@localhost"
	}
	return []string{"GIT_AUTHOR_NAME=" + name, "GIT_AUTHOR_EMAIL=" + mail, "GIT_COMMITTER_NAME=" + name, "GIT_COMMITTER_EMAIL=" + mail}
}
