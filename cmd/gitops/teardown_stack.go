package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/teardown"
)

// one removes the stack of one application.
func (f *teardownFlags) one(cmd *cobra.Command, root string, t *teardown.Teardown) error {
	plan, err := t.PlanStack(cmd.Context(), f.stack)
	if err != nil {
		return err
	}
	if err := leftApp(cmd, root, t, f.stack); err != nil {
		return err
	}
	return f.remove(cmd, plan, t.Env.StackName(f.stack), t.RemoveStack)
}

// leftApp fails while the app of the commit that is released in the environment makes a stack: the next deployment would make it
// again, without its data. Before the first release the commit is the one of the checkout.
func leftApp(cmd *cobra.Command, root string, t *teardown.Teardown, name string) error {
	branch := t.Env.FluxBranch()
	commit, err := release.Tip(cmd.Context(), root, t.Env.RepositoryURL, branch)
	if err != nil {
		return err
	}
	revision := cmp.Or(commit, "HEAD")
	display := progress.New(cmd.ErrOrStderr())
	defer display.Close()
	makes := false
	err = progress.Runner{Display: display}.Run(cmd.Context(), []progress.Step{{
		Name: fmt.Sprintf("Synthesize %.12s", revision),
		Run: func(ctx context.Context, out *progress.Output) error {
			all, err := review.SynthesizeAt(ctx, root, revision, t.Env.Name, out)
			_, makes = all[name]
			return err
		},
	}})
	if err == nil && makes {
		return fmt.Errorf("commit %.12s, which is released in %s, still makes the stack %s: remove the application there first, merge that, and wait for gitops status %s", revision, t.Env.Name, t.Env.StackName(name), t.Env.Name)
	}
	return err
}
