package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/plan"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/rollback"
	"k8s-plus-aws-gitops/internal/services/migrations"
)

// rollbackFlags are the flags of `gitops rollback`.
type rollbackFlags struct {
	to, output, secret, api string
	dryRun                  bool
}

func newRollback() *cobra.Command {
	f := &rollbackFlags{}
	cmd := &cobra.Command{
		Use:   "rollback ENVIRONMENT",
		Short: "Prepare the way back to an earlier commit, as a pull request.",
		Long: `Show what goes back in AWS and in Kubernetes when an environment goes back to an
earlier commit, and what does not: data, and what was removed. Then make a branch
with a revert of each commit since, push it, and open a pull request. A person
merges it, and the pipeline deploys it as any other commit. The working tree stays
as it is. What was prepared already is not made again.

Without --to it goes back to the last commit before the released one of which the
pipeline has verified both halves. Other environments that follow the same branch go
back with it, and are judged and reported, too.

It is refused where the commit would remove what holds data, and where a migration
of phase contract is in between: docs/guides/roll-back.md.

The token is taken from GITOPS_REVIEW_TOKEN or GITHUB_TOKEN, else from the secret
of --token-secret; it needs 'Contents: write' and 'Pull requests: write'. Without
one git pushes with its own credentials, and the token of the environment's secret
opens the pull request; without that, too, the command for it is printed. Where the
environment follows another address than the repository's on GitHub, no token is
used.

Exit codes: 0 prepared, or there is nothing to take back, 1 an error, 2 a wrong
command line, 3 it is refused.`,
		Example: `  gitops rollback dev --dry-run
  gitops rollback production
  gitops rollback dev --to 1f3a9c2 -o json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.output != "" && f.output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a table, got %q", f.output)}
			}
			return f.run(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.to, "to", "", "the `commit` to go back to (default: the last verified one before the present)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what would go back; push nothing")
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&f.secret, "token-secret", "", "`name` of the secret with GitHub's token (default: REVIEW_TOKEN_SECRET, or /<environment>/gitops/review-token)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

func (f *rollbackFlags) run(cmd *cobra.Command, name string) error {
	_, c, err := loadConfig()
	if err != nil {
		return err
	}
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return err
	}
	also := c.Beside(env)
	ctx, token, none := f.signIn(cmd.Context(), env)
	display := progress.New(cmd.ErrOrStderr())
	r, err := rollback.Make(ctx, rollback.Options{
		Root: root, Environment: env.Name, Also: also, URL: env.RepositoryURL, Branch: env.Branch, Released: env.FluxBranch(), To: f.to, DryRun: f.dryRun,
		Verified: func(ctx context.Context) ([]string, error) { return verified(ctx, env) },
		Compare: func(ctx context.Context, base, folder string) (*review.Review, error) {
			// By its commit: the review makes a checkout of its own, which gets this one's node_modules.
			head, err := git.Commit(ctx, folder, "HEAD")
			if err != nil {
				return nil, err
			}
			return review.Run(ctx, review.Options{Root: root, Base: base, Head: head, Environments: append([]string{env.Name}, also...), Display: display})
		},
		Schema: func(ctx context.Context, environment, base, folder string) ([]string, error) {
			return migrations.Refusals(ctx, folder, base, environment)
		},
	})
	display.Close()
	if err != nil {
		return err
	}
	if len(r.Refusals) == 0 && !r.Done && !f.dryRun && token != "" {
		if err := f.open(ctx, env, r, token); err != nil {
			return err
		}
	}
	if f.output == "json" {
		err = cli.JSON(cmd.OutOrStdout(), r)
	} else {
		r.Print(cmd.OutOrStdout())
	}
	if err == nil && len(r.Refusals) > 0 {
		return cli.ExitError{Code: plan.ExitRefused, Err: errors.New("nothing was prepared: the rollback is refused")}
	}
	f.next(cmd, env, r, none)
	return err
}

// signIn finds the token that opens the pull request, or says why there is none, and has git push with it if somebody has given it
// for this: that of the environment's secret has no right to push. At another host than GitHub it would be the host's.
func (f *rollbackFlags) signIn(ctx context.Context, env config.Environment) (context.Context, forge.Token, string) {
	if of := repositoryOf(env); !of.At(env.RepositoryURL) {
		return ctx, "", fmt.Sprintf("%s follows %s, not %s on GitHub", env.Name, git.WithoutCredentials(env.RepositoryURL), of)
	}
	token, none := platformToken(ctx, f.secret, env)
	if f.secret != "" || forge.FromEnvironment(os.LookupEnv) != "" {
		ctx = git.WithToken(ctx, env.RepositoryURL, string(token))
	}
	return ctx, token, none
}

// repositoryOf is the platform's repository on GitHub.
func repositoryOf(env config.Environment) forge.Repository {
	return forge.Repository{Owner: env.Repository.Owner, Name: env.Repository.Name}
}

// open opens the pull request; one that is open is found again.
func (f *rollbackFlags) open(ctx context.Context, env config.Environment, r *rollback.Report, token forge.Token) error {
	client := forge.Client{API: f.api, Token: token}
	pull, err := client.OpenPull(ctx, repositoryOf(env), r.Head, env.Branch, fmt.Sprintf("Take %s back to %.12s", env.Name, r.To), r.Body())
	r.Pull = pull.URL
	return err
}

// next says what is left to a person.
func (f *rollbackFlags) next(cmd *cobra.Command, env config.Environment, r *rollback.Report, none string) {
	out := cmd.ErrOrStderr()
	switch {
	case r.Done:
	case f.dryRun:
		fmt.Fprintf(out, "\nNothing was pushed. Prepare it:\n  gitops rollback %s --to %.12s\n", env.Name, r.To)
	case r.Pull != "":
		fmt.Fprintf(out, "\nMerge %s\n", r.Pull)
	case !repositoryOf(env).At(env.RepositoryURL):
		fmt.Fprintf(out, "\nNo pull request is opened: %s.\nOpen one of branch %s into %s there, and merge it.\n", none, r.Head, env.Branch)
	default:
		fmt.Fprintf(out, "\nNo pull request is opened: %s.\nOpen it, and merge it:\n  gh pr create --head %s --base %s --fill\n", none, r.Head, env.Branch)
	}
}

// verified lists the commits of which the pipeline has verified both halves, the last one first. Without a gate no action says so,
// and what succeeded counts.
func verified(ctx context.Context, env config.Environment) ([]string, error) {
	if !env.Delivers() {
		return nil, fmt.Errorf("%s has no pipelines that could have verified a commit; name one with --to", env.Name)
	}
	c, err := patientAWS(ctx, env.Region)
	if err != nil {
		return nil, err
	}
	from := deployment.Source{API: codepipeline.NewFromConfig(c), Pipeline: env.StackName(config.DeployPipeline)}
	return from.Verified(ctx, env.Gated())
}
