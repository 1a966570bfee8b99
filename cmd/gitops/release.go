package main

import (
	"cmp"
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
)

// releaseFlags are the flags of `gitops release`.
type releaseFlags struct {
	commit, secret, execution, services, variables string
	first, dryRun                                  bool
}

func newRelease() *cobra.Command {
	f := &releaseFlags{}
	cmd := &cobra.Command{
		Use:   "release ENVIRONMENT",
		Short: "Let Flux apply a commit: move the branch released/<environment> to it.",
		Long: `Move the branch released/<environment>, which Flux applies, to a commit. The
environment's pipeline does it once tests, approval and the stacks have passed. By
hand it is needed once, before the first deployment, when no pipeline exists:
make bootstrap does it, with --first.

The branch only goes forward. An earlier commit changes nothing, and one that does
not contain what was released is refused. Where CodePipeline says that --execution
rolls back, it goes back to the commit of the execution that is repeated.

With --services it publishes these services before, by the checkout's commit: those
that the plan names, where the environment publishes them by merge. A rollback takes
back what later commits have published.

The token for the push is in the secret that --token-secret names; without one
git's own credentials are used. So it is with MANIFESTS_TOKEN_SECRET and services.`,
		Example: `  gitops release dev
  gitops release dev --services "npm orders"
  gitops release production --commit 1f3a9c2 --dry-run`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.commit, "commit", "HEAD", "the `commit` to release")
	flags.StringVar(&f.secret, "token-secret", "", "`name` of the secret with the token (default: RELEASE_TOKEN_SECRET, or git's own credentials)")
	flags.StringVar(&f.execution, "execution", "", "`id` of the pipeline's execution that releases (default: PIPELINE_EXECUTION_ID)")
	flags.StringVar(&f.services, "services", "", "`names` of the services to publish, separated by blanks")
	flags.StringVar(&f.variables, "variables", "", "write what was published to this `file`: PUBLISHED")
	flags.BoolVar(&f.first, "first", false, "make the branch, and leave one that is there where it is")
	flags.BoolVar(&f.dryRun, "dry-run", false, "move nothing; say what would be done")
	return cmd
}

func (f *releaseFlags) run(cmd *cobra.Command, name string) error {
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if !env.Gated() {
		if err := f.publish(cmd.Context(), cmd, root, env, release.Options{}); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s has no release: Flux follows branch %s itself.\n", env.Name, env.Branch)
		return nil
	}
	token, err := secretToken(cmd, env.Region, cmp.Or(f.secret, os.Getenv("RELEASE_TOKEN_SECRET")))
	if err != nil {
		return err
	}
	ctx := git.WithToken(cmd.Context(), env.RepositoryURL, token)
	o := release.Options{Dir: root, URL: env.RepositoryURL, Branch: env.ReleasedBranch(), Commit: f.commit}
	if f.first {
		tip, err := release.Tip(ctx, root, o.URL, o.Branch)
		if err != nil {
			return err
		}
		if tip != "" {
			fmt.Fprintf(out, "%s is at %.12s already.\n", o.Branch, tip)
			return nil
		}
	}
	if o.Rollback, err = f.rollback(ctx, env); err != nil {
		return err
	}
	if err := f.publish(ctx, cmd, root, env, o); err != nil {
		return err
	}
	run := release.Run
	if f.dryRun {
		run = release.Look
	}
	r, err := run(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, r.Text(o.Branch, f.dryRun))
	return nil
}

// rollback asks what the execution rolls back; nil without one.
func (f *releaseFlags) rollback(ctx context.Context, env config.Environment) (*release.Rollback, error) {
	id := cmp.Or(f.execution, os.Getenv("PIPELINE_EXECUTION_ID"))
	if id == "" {
		return nil, nil
	}
	c, err := patientAWS(ctx, env.Region)
	if err != nil {
		return nil, err
	}
	return release.FindRollback(ctx, codepipeline.NewFromConfig(c), env.StackName(config.DeployPipeline), id)
}
