package rollback

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
)

// revert makes the reverts in a folder of their own, beside the working tree. A rollback that was pushed earlier is taken as it is.
func (o Options) revert(ctx context.Context, r *Report) (folder string, remove func(context.Context), err error) {
	start := r.From
	pushed, err := release.Tip(ctx, o.Root, o.URL, r.Head)
	if err != nil {
		return "", nil, err
	}
	if pushed != "" {
		same, err := equal(ctx, o.Root, pushed, r.To)
		if err == nil && !same {
			err = fmt.Errorf("branch %s is there with another content than %.12s; delete it, or merge it if that is meant", r.Head, r.To)
		}
		if err != nil {
			return "", nil, err
		}
		start = pushed
	}
	scratch, err := os.MkdirTemp("", "gitops-rollback-")
	if err != nil {
		return "", nil, err
	}
	folder = filepath.Join(scratch, "checkout")
	remove = func(ctx context.Context) {
		// What git cannot remove, RemoveAll does; prune then forgets it.
		_, _ = git.Run(ctx, o.Root, nil, "worktree", "remove", "--force", folder)
		os.RemoveAll(scratch)
		_, _ = git.Run(ctx, o.Root, nil, "worktree", "prune")
	}
	// Without hooks: they belong to the user's own working tree.
	if _, err := git.Run(ctx, o.Root, nil, "-c", "core.hooksPath=/dev/null", "worktree", "add", "--detach", "--quiet", folder, start); err != nil {
		remove(context.WithoutCancel(ctx))
		return "", nil, err
	}
	if pushed == "" {
		err = o.revertAll(ctx, r, folder)
	}
	if err != nil {
		remove(context.WithoutCancel(ctx))
		return "", nil, err
	}
	return folder, remove, nil
}

// revertAll reverts each commit, the newest first, so that none can conflict with a later one.
func (o Options) revertAll(ctx context.Context, r *Report, folder string) error {
	for _, c := range r.Reverted {
		args := []string{"-c", "core.hooksPath=/dev/null", "revert", "--no-edit"}
		if c.merge {
			args = append(args, "--mainline", "1")
		}
		_, err := git.Run(ctx, folder, nil, append(args, c.ID)...)
		if err != nil && !empty(ctx, folder) {
			return fmt.Errorf("revert %.12s %q: %w; set user.name and user.email of git, or revert it by hand", c.ID, c.Subject, err)
		}
	}
	same, err := equal(ctx, folder, "HEAD", r.To)
	if err == nil && !same {
		err = fmt.Errorf("the reverts do not lead to the content of %.12s; revert by hand: git revert %.12[1]s..%.12s", r.To, r.From)
	}
	return err
}

// empty skips a commit that changed nothing, of which git makes no revert; it reports whether it was one.
func empty(ctx context.Context, folder string) bool {
	status, err := git.Run(ctx, folder, nil, "status", "--porcelain")
	if err != nil || strings.TrimSpace(status) != "" {
		return false
	}
	_, err = git.Run(ctx, folder, nil, "revert", "--skip")
	// Of one commit alone nothing is left in progress.
	return err == nil || !inProgress(ctx, folder)
}

func inProgress(ctx context.Context, folder string) bool {
	_, err := git.Run(ctx, folder, nil, "rev-parse", "--verify", "--quiet", "REVERT_HEAD")
	return err == nil
}

// push makes the branch, which must not exist.
func (o Options) push(ctx context.Context, r *Report, folder string) error {
	there, err := release.Tip(ctx, o.Root, o.URL, r.Head)
	if err != nil || there != "" {
		return err
	}
	if _, err := git.Run(ctx, folder, nil, "push", "--porcelain", "--no-verify", "--force-with-lease=refs/heads/"+r.Head+":", o.URL, "HEAD:refs/heads/"+r.Head); err != nil {
		return fmt.Errorf("branch %s: %w; check the credentials for %s", r.Head, err, git.WithoutCredentials(o.URL))
	}
	r.Pushed = true
	return nil
}
