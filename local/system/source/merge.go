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
	// A history of three commits: git finds the base of a merge by itself, and
	// can be told it since 2.40 only.
	root, err := b.snapshot(ctx, base+"^{tree}", "")
	if err != nil {
		return "", err
	}
	theirs, err := b.snapshot(ctx, parent+"^{tree}", root)
	if err != nil {
		return "", err
	}
	ours, err := b.snapshot(ctx, tree, root)
	if err != nil {
		return "", err
	}
	out, err := git(ctx, b.Scratch, nil, "merge-tree", "--write-tree", "--name-only", "--no-messages", theirs, ours)
	merged, files, _ := strings.Cut(out, "\n")
	if err != nil && files != "" {
		return "", fmt.Errorf("%s: changed here and on %s of %s since the last push: run `git fetch %s %s && git checkout FETCH_HEAD -- FILE`, push, and change it again",
			strings.Join(strings.Fields(files), ", "), Branch, b.Bare, b.Bare, Branch)
	}
	return merged, err
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
