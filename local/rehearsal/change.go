package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/local/system/source"
)

// change is what is rehearsed: a commit on its base, both in the scratch checkout, which is at the base.
type change struct {
	source.Commit
	base string
	// from is the base in the checkout: base itself, but where another environment runs in the place of local.
	from string
	// why tells how the base was chosen; tip is the branch that the change goes to, as the checkout knows it.
	why, tip string
	subject  string
	// head is HEAD where the change is that commit, else empty: the working tree has more.
	head string
	// made says that the change is the upgrade that Options name, and in no checkout.
	made bool
}

// find clones the checkout into the scratch and makes one commit of its working tree on the base. The checkout's own index,
// branches and commits are not touched.
func find(ctx context.Context, s *scratch, o Options) (*change, error) {
	branch, err := environmentBranch(o.Repo, o.Environment)
	if err != nil {
		return nil, err
	}
	c := &change{}
	if c.base, c.tip, err = chooseBase(ctx, o.Repo, o.Base, branch); err != nil {
		return nil, err
	}
	c.from, c.why = c.base, "where HEAD left "+c.tip
	if c.subject, err = source.Subject(ctx, o.Repo, "HEAD"); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		// Hard links or the objects of the checkout themselves: nothing is copied.
		{"clone", "--quiet", "--shared", "--no-checkout", o.Repo, s.repo()},
		{"-C", s.repo(), "checkout", "--quiet", "--detach", c.base},
		{"-C", s.repo(), "update-ref", "refs/heads/" + source.Branch, c.base},
	} {
		if _, err := git.Run(ctx, "", nil, args...); err != nil {
			return nil, err
		}
	}
	gitDir := filepath.Join(s.repo(), ".git")
	b := source.Builder{Repo: o.Repo, Bare: gitDir, Scratch: filepath.Join(s.root, "change.git")}
	if c.Commit, err = b.Build(ctx, "Rehearse: "+c.subject); err != nil {
		return nil, err
	}
	if c.Unchanged() && o.Upgrade != "" {
		c.made = true
		return c, c.makeUpgrade(ctx, s, o, gitDir)
	}
	if c.Unchanged() {
		return nil, fmt.Errorf("nothing differs from %.8s, %s: change something, or name an earlier commit with --base", c.base, c.why)
	}
	if c.head, err = sameTree(ctx, o.Repo, s.root, c.ID); err != nil {
		return nil, err
	}
	return c, b.Push(ctx, c.Commit, gitDir)
}

// sameTree returns HEAD of the checkout where it has the content of a commit of the builder, else nothing.
func sameTree(ctx context.Context, repo, root, commit string) (string, error) {
	out, err := git.Run(ctx, repo, nil, "rev-parse", "HEAD", "HEAD^{tree}")
	if err != nil {
		return "", err
	}
	head, tree, _ := strings.Cut(strings.TrimSpace(out), "\n")
	mine, err := git.Run(ctx, filepath.Join(root, "change.git"), nil, "rev-parse", commit+"^{tree}")
	if err != nil || strings.TrimSpace(mine) != tree {
		return "", err
	}
	return head, nil
}

// environmentBranch is the branch whose commits reach the environment.
func environmentBranch(repo, environment string) (string, error) {
	c, err := config.LoadDir(repo)
	if err != nil {
		return "", err
	}
	env, known := c.Environments[environment]
	if !known {
		return "", fmt.Errorf("cdk.json has no environment %s", environment)
	}
	return env.Branch, nil
}

// chooseBase returns where the change left the branch that it goes to, and that branch.
func chooseBase(ctx context.Context, repo, wanted, branch string) (commit, tip string, err error) {
	candidates := []string{wanted}
	if wanted == "" {
		candidates = []string{"origin/" + branch, branch}
	}
	for _, revision := range candidates {
		if _, err := git.Commit(ctx, repo, revision); err != nil {
			continue
		}
		base, err := source.Base(ctx, repo, "HEAD", revision)
		if err != nil {
			return "", "", fmt.Errorf("HEAD and %s have no commit in common; a shallow clone lacks it: git fetch --unshallow", revision)
		}
		return base, revision, nil
	}
	if wanted != "" {
		return "", "", fmt.Errorf("there is no revision %q; fetch it, or name another with --base", wanted)
	}
	return "", "", fmt.Errorf("there is no branch %s here: fetch it, or name the base with --base", strings.Join(candidates, " and no "))
}

// checkout moves the scratch checkout to a commit.
func (s *scratch) checkout(ctx context.Context, commit string) error {
	_, err := git.Run(ctx, s.repo(), nil, "checkout", "--quiet", "--detach", commit)
	return err
}

// linkModules lends the scratch the npm packages of the checkout where the lock files agree; else `up` installs its own.
func (s *scratch) linkModules(repo string) error {
	const lock = "package-lock.json"
	mine, err := os.ReadFile(filepath.Join(repo, lock))
	if err != nil {
		return nil //nolint:nilerr // then there is nothing to lend
	}
	its, err := os.ReadFile(filepath.Join(s.repo(), lock))
	if err != nil || string(mine) != string(its) {
		return nil //nolint:nilerr // as above
	}
	modules := filepath.Join(repo, "node_modules")
	if _, err := os.Stat(filepath.Join(modules, ".package-lock.json")); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := os.Symlink(modules, filepath.Join(s.repo(), "node_modules")); !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil // of an earlier start
}
