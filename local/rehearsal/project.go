package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/rehearsal/projection"
	"k8s-plus-aws-gitops/local/system/source"
)

// project puts two commits in the place of the base and the change, in which another environment has the place of local. All else
// of a rehearsal is then as it is with local. The scratch is left at the base.
func (c *change) project(ctx context.Context, s *scratch, environment string) ([]rehearsal.Substitution, error) {
	before, err := s.project(ctx, environment, c.base)
	if err != nil {
		return nil, fmt.Errorf("the base %.8s: %w", c.base, err)
	}
	base, err := git.Commit(ctx, s.repo(), "HEAD")
	if err != nil {
		return nil, err
	}
	after, err := s.project(ctx, environment, c.ID)
	if err != nil {
		return nil, fmt.Errorf("the change: %w", err)
	}
	changed, err := git.Commit(ctx, s.repo(), "HEAD")
	if err != nil {
		return nil, err
	}
	files, err := source.Changed(ctx, s.repo(), base, changed)
	if err != nil {
		return nil, err
	}
	all := compare(before, after)
	if len(files) == 0 {
		return nil, nothingLeft(environment, all)
	}
	c.base, c.ID, c.Parent, c.Files = base, changed, base, files
	return all, s.checkout(ctx, base)
}

// project commits the projection of a commit on HEAD of the scratch.
func (s *scratch) project(ctx context.Context, environment, commit string) ([]rehearsal.Substitution, error) {
	// HEAD stays: a commit of the change goes onto that of the base.
	if _, err := git.Run(ctx, s.repo(), nil, "read-tree", "-u", "--reset", commit); err != nil {
		return nil, err
	}
	rows, err := projection.Project(ctx, s.repo(), environment)
	if err != nil {
		return nil, err
	}
	if _, err := git.Run(ctx, s.repo(), nil, "add", "--all"); err != nil {
		return nil, err
	}
	// With the author and the message of the commit.
	_, err = git.Run(ctx, s.repo(), nil, "-c", "user.name=gitops", "-c", "user.email=gitops@localhost",
		"commit", "--quiet", "--no-verify", "--no-gpg-sign", "--allow-empty", "-C", commit)
	return rows, err
}

// compare returns the substitutions of the change, and before them those that only the base has; what differs is marked.
func compare(before, after []rehearsal.Substitution) []rehearsal.Substitution {
	at := func(in []rehearsal.Substitution, path string) int {
		return slices.IndexFunc(in, func(s rehearsal.Substitution) bool { return s.Path == path })
	}
	var all []rehearsal.Substitution
	for _, s := range before {
		if at(after, s.Path) < 0 {
			s.Changed = true
			all = append(all, s)
		}
	}
	for _, s := range after {
		i := at(before, s.Path)
		s.Changed = i < 0 || before[i].From != s.From
		all = append(all, s)
	}
	return all
}

// nothingLeft says why a change is none in an environment.
func nothingLeft(environment string, all []rehearsal.Substitution) error {
	var replaced []string
	for _, s := range all {
		if s.Changed {
			replaced = append(replaced, s.Path)
		}
	}
	if len(replaced) > 0 {
		return fmt.Errorf("nothing of the change can be rehearsed in %s: it is of %s, which the laboratory replaces",
			environment, strings.Join(replaced, ", "))
	}
	return fmt.Errorf("nothing of the change is of %s: name the environment that it is of with --env", environment)
}
