package source

import (
	"context"
	"fmt"
	"strings"
)

// checkoutRef names, in the local repository, the checkout as it was last
// pushed. What differs from it on the branch others wrote: Flux its image
// tags, or a colleague with a plain git push.
const checkoutRef = "refs/gitops/checkout"

// merge returns the tree to push: the working tree's, with what others changed
// on the branch since the checkout was last pushed. Without a note of that push
// the working tree is taken as it is.
func (b Builder) merge(ctx context.Context, parent, tree string) (string, error) {
	base, err := git(ctx, b.Bare, nil, "for-each-ref", "--format=%(objectname)", checkoutRef)
	if err != nil || base == "" {
		return tree, err
	}
	if _, err := git(ctx, b.Scratch, nil, "fetch", "--quiet", "--no-tags", "--update-shallow", b.Bare, "+"+checkoutRef+":"+checkoutRef); err != nil {
		return "", err
	}
	merged, conflicts, err := b.combine(ctx, base, parent, tree)
	if len(conflicts) > 0 {
		return "", fmt.Errorf("%s: changed here and on %s of %s since the last push: run `git fetch %s %s && git checkout FETCH_HEAD -- FILE`, push, and change it again",
			strings.Join(conflicts, ", "), Branch, b.Bare, b.Bare, Branch)
	}
	return merged, err
}

// Combine commits, in the builder's repository and on the commit onto, what another commit changed since base. Conflicts are the
// files that onto changed as well, at the same place; then there is no commit.
func (b Builder) Combine(ctx context.Context, base, onto, other, message string) (c Commit, conflicts []string, err error) {
	tree, conflicts, err := b.combine(ctx, base, onto, other+"^{tree}")
	if err != nil || len(conflicts) > 0 {
		return Commit{}, conflicts, err
	}
	c = Commit{ID: onto, Parent: onto}
	if c.Files, err = Changed(ctx, b.Scratch, onto, tree); err != nil || len(c.Files) == 0 {
		return c, nil, err
	}
	c.ID, err = b.commitTree(ctx, message, tree, onto)
	return c, nil, err
}

// combine merges what a commit and a tree have changed since a commit, and returns the tree, or the files in which they conflict.
func (b Builder) combine(ctx context.Context, base, commit, tree string) (merged string, conflicts []string, err error) {
	// A history of three commits: git finds the base of a merge by itself, and
	// can be told it since 2.40 only.
	root, err := b.snapshot(ctx, base+"^{tree}", "")
	if err != nil {
		return "", nil, err
	}
	theirs, err := b.snapshot(ctx, commit+"^{tree}", root)
	if err != nil {
		return "", nil, err
	}
	ours, err := b.snapshot(ctx, tree, root)
	if err != nil {
		return "", nil, err
	}
	out, err := git(ctx, b.Scratch, nil, "merge-tree", "--write-tree", "--name-only", "--no-messages", theirs, ours)
	merged, files, _ := strings.Cut(out, "\n")
	if err != nil && files != "" {
		return "", strings.Split(files, "\n"), nil
	}
	return merged, nil, err
}

// snapshot is a commit of a tree, for the sake of the merge alone.
func (b Builder) snapshot(ctx context.Context, tree, parent string) (string, error) {
	args := []string{"commit-tree", "-m", "merge"}
	if parent != "" {
		args = append(args, "-p", parent)
	}
	return git(ctx, b.Scratch, b.identity(ctx), append(args, tree)...)
}

// note records what the checkout was when its content reached the branch.
func (b Builder) note(ctx context.Context, c Commit) error {
	_, err := git(ctx, b.Scratch, nil, "push", "--quiet", "--force", b.Bare, c.checkout+":"+checkoutRef)
	return err
}
