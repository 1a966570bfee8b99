package review

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/config"
	runner "k8s-plus-aws-gitops/internal/git"
)

// checkout is one side in a folder.
type checkout struct {
	name, commit string
	// label names the side in messages.
	label string
	root  string
	// temporary checkouts are removed at the end.
	temporary bool
	// environments of cdk.json by name; none if the side has no cdk.json.
	environments map[string]config.Environment
}

func (c checkout) has(environment string) bool { _, ok := c.environments[environment]; return ok }

func (c checkout) side() Side { return Side{Name: c.name, Commit: c.commit} }

// work holds both sides.
type work struct {
	git        git
	base, head checkout
	scratch    string
}

// open makes both sides available as folders.
func open(ctx context.Context, o Options) (*work, error) {
	scratch, err := os.MkdirTemp("", "gitops-review-")
	if err != nil {
		return nil, err
	}
	w := &work{git: git(o.Root), scratch: scratch}
	if err := w.open(ctx, o); err != nil {
		w.close(context.WithoutCancel(ctx))
		return nil, err
	}
	return w, nil
}

func (w *work) open(ctx context.Context, o Options) error {
	if err := w.openHead(ctx, o); err != nil {
		return err
	}
	if o.Base == "" && o.Deployed != nil {
		// A folder without anything.
		w.base = checkout{label: "nothing", root: filepath.Join(w.scratch, "nothing")}
		var err error
		w.head.environments, err = environmentsOf(w.head.root)
		return err
	}
	tip, err := git(w.head.root).commit(ctx, o.Base)
	if err != nil {
		return err
	}
	// From where the change left the base, as a pull request shows it: what others merged since is not undone by it.
	start, err := git(w.head.root).output(ctx, "merge-base", tip, "HEAD")
	if err != nil {
		return fmt.Errorf("%s and %s share no commit here; fetch the whole history: git fetch --unshallow", o.Base, w.head.name)
	}
	w.base = checkout{name: o.Base, commit: start, label: "base " + o.Base}
	if err := w.add(ctx, &w.base, "base"); err != nil {
		return err
	}
	for _, c := range []*checkout{&w.base, &w.head} {
		if c.environments, err = environmentsOf(c.root); err != nil {
			return fmt.Errorf("%s: %w", c.label, err)
		}
	}
	return nil
}

// openHead finds the change: a folder, or a revision that is checked out.
func (w *work) openHead(ctx context.Context, o Options) error {
	folder := o.Head
	if folder == "" {
		folder = o.Root
	}
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		root, err := git(folder).output(ctx, "rev-parse", "--show-toplevel")
		if err != nil {
			return fmt.Errorf("--head %s: %w", o.Head, err)
		}
		w.head = checkout{name: "working tree", label: "working tree", root: root}
		if status, err := git(root).output(ctx, "status", "--porcelain"); err == nil && status == "" {
			w.head.commit, err = git(root).commit(ctx, "HEAD")
			if err != nil {
				return err
			}
		}
		return nil
	}
	commit, err := w.git.commit(ctx, o.Head)
	if err != nil {
		return err
	}
	w.head = checkout{name: o.Head, commit: commit, label: "change " + o.Head}
	return w.add(ctx, &w.head, "head")
}

// add checks a commit out beside the repository's own working tree.
func (w *work) add(ctx context.Context, c *checkout, name string) error {
	root := filepath.Join(w.scratch, name)
	// Without hooks: they belong to the user's own working tree.
	if _, err := w.git.output(ctx, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--quiet", root, c.commit); err != nil {
		return fmt.Errorf("check out %s: %w", c.name, err)
	}
	c.root, c.temporary = root, true
	return nil
}

// close removes what open made.
func (w *work) close(ctx context.Context) {
	for _, c := range []checkout{w.base, w.head} {
		if c.temporary {
			// What git cannot remove, RemoveAll does; prune then forgets it.
			_, _ = w.git.output(ctx, "worktree", "remove", "--force", c.root)
		}
	}
	os.RemoveAll(w.scratch)
	_, _ = w.git.output(ctx, "worktree", "prune")
}

// changed lists the files that differ between the sides, with those that git does not know yet.
func (w *work) changed(ctx context.Context) ([]string, error) {
	head := git(w.head.root)
	if w.base.commit == "" {
		all, err := head.output(ctx, "ls-files", "-z")
		return strings.FieldsFunc(all, func(r rune) bool { return r == 0 }), err
	}
	tracked, err := head.output(ctx, "diff", "-z", "--name-only", "--no-renames", w.base.commit)
	if err != nil {
		return nil, err
	}
	fresh, err := head.output(ctx, "ls-files", "-z", "--others", "--exclude-standard", "--full-name", ":/")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(tracked+"\x00"+fresh, func(r rune) bool { return r == 0 }), nil
}

// git runs git in a folder.
type git string

func (g git) output(ctx context.Context, args ...string) (string, error) {
	out, err := runner.Run(ctx, string(g), nil, args...)
	return strings.TrimSpace(out), err
}

// commit resolves a revision.
func (g git) commit(ctx context.Context, revision string) (string, error) {
	return runner.Commit(ctx, string(g), revision)
}

// environmentsOf reads the environments of a checkout; none if it has no cdk.json.
func environmentsOf(root string) (map[string]config.Environment, error) {
	if _, err := os.Stat(filepath.Join(root, "cdk.json")); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	c, err := config.LoadOld(root)
	return c.Environments, err
}
