package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/setup"
	"k8s-plus-aws-gitops/internal/services"
)

func newRepository() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "repository",
		Short:   "Set up the repository on GitHub.",
		Long:    "Set up the repository on GitHub that cdk.json names.",
		Example: "  gitops repository setup --dry-run",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRepositorySetup())
	return cmd
}

// setupFlags are those of repository setup.
type setupFlags struct {
	yes, dryRun       bool
	releaseActor, api string
	rehearsed         []string // environments
}

func newRepositorySetup() *cobra.Command {
	var f setupFlags
	cmd := &cobra.Command{
		Use:   "setup",
		Short: "Make GitHub enforce the way of working.",
		Long: `Make GitHub enforce the way of working in the repository that cdk.json names:

- no forced push and no deletion of the environments' branches and of released/*
- changes reach an environment's branch by pull requests, with an approval, the code
  owners' and the check gitops/review; where Flux commits image tags, it may push
- with --require-rehearsal the check gitops/rehearsal is needed, too
- only the release actor makes and moves released/*
- a webhook tells Flux in each environment of pushes

and in the repositories of fleet.yaml to which services are published:

- only the platform's token moves the services' branches, and for a service of a
  repository of its own the token that it has, too
- where fleet.yaml says propose, they change by pull requests, with an approval

It shows what it would do, asks, and changes only what differs. Its rulesets begin
with 'gitops: '; it changes and deletes no others, and takes away nothing stricter
that a person set. docs/guides/repository.md tells how to undo it.

The token is taken from GITHUB_TOKEN; it needs 'Administration: write' on each,
and 'Webhooks: write' on the first. What signs the webhooks, and as whom Flux
pushes, is read from Secrets Manager with the caller's credentials: of environments
in other accounts it is not known, and is left alone until a run that knows.

Exit codes: 0 all is done, 1 an error, 2 a wrong command line.`,
		Example: `  gitops repository setup --dry-run
  AWS_PROFILE=dev gitops repository setup --release-actor user:platform-bot
  gitops repository setup --require-rehearsal production`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	flags.BoolVar(&f.dryRun, "dry-run", false, "show what it would do, and change nothing")
	flags.StringVar(&f.releaseActor, "release-actor", "", "`actor` who moves released/*: user:LOGIN, app:SLUG, team:SLUG or deploy-keys (default: who may already)")
	flags.StringSliceVar(&f.rehearsed, "require-rehearsal", nil, "also require the check gitops/rehearsal on the branches of these `environments`")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

func (f *setupFlags) run(cmd *cobra.Command) error {
	ctx := cmd.Context()
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	c, err := config.LoadDir(root)
	if err != nil {
		return err
	}
	client := forge.Client{API: f.api, Token: forge.Token(os.Getenv("GITHUB_TOKEN"))}
	if client.Token == "" {
		return errors.New("there is no token; set GITHUB_TOKEN to one with 'Administration: write' and 'Webhooks: write', for example GITHUB_TOKEN=$(gh auth token)")
	}
	account := &setup.Account{}
	options := setup.Options{
		Config: c, Forge: client, ReleaseActor: f.releaseActor, Rehearsed: f.rehearsed, Secret: account.Secret,
		Hook: func(ctx context.Context, environment string) (setup.Hook, error) {
			return setup.FindHook(ctx, root, environment)
		},
	}
	desired, err := setup.Desire(ctx, options)
	if err != nil {
		return err
	}
	plan, err := setup.NewPlan(ctx, client, desired)
	if err != nil {
		return err
	}
	if err := f.apply(cmd, plan, next(desired, plan)); err != nil {
		return err
	}
	return f.manifests(cmd, root, options)
}

// manifests sets up the repositories to which services are published.
func (f *setupFlags) manifests(cmd *cobra.Command, root string, o setup.Options) error {
	fleet, err := services.Load(root)
	if err != nil {
		return err
	}
	all, err := setup.DesireManifests(cmd.Context(), o, fleet)
	if err != nil {
		return err
	}
	for _, m := range all {
		plan, err := setup.NewManifestsPlan(cmd.Context(), o.Forge, m)
		if err != nil {
			return err
		}
		if err := f.apply(cmd, plan, "publish a service, for example gitops service publish NAME --env "+m.Places[0].Environment); err != nil {
			return err
		}
	}
	return nil
}

// apply shows a plan, asks, and does it.
func (f *setupFlags) apply(cmd *cobra.Command, plan setup.Plan, next string) error {
	ctx, out, errs := cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	plan.Print(out)
	changes := plan.Changes()
	switch {
	case changes == 0:
		fmt.Fprintf(out, "%s: nothing to do.\n", plan.Repository)
		return nil
	case f.dryRun:
		fmt.Fprintf(errs, "%d to do in %s; run it without --dry-run.\n", changes, plan.Repository)
		return nil
	case !f.yes:
		if err := confirmName(cmd, plan.Repository.Name, "change it"); err != nil {
			return err
		}
	}
	err := plan.Apply(ctx, func(item setup.Item) { fmt.Fprintf(errs, "%s %s: done\n", item.Action, item.Object) })
	if err != nil {
		return fmt.Errorf("%w; what was done stays, run it again to go on", err)
	}
	fmt.Fprintf(errs, "Next: %s\n", next)
	return nil
}

// next is the step that follows.
func next(d setup.Desired, p setup.Plan) string {
	for _, b := range d.Branches {
		if b.Reviewed {
			return "give the review's token 'Commit statuses: write' (docs/guides/repository.md) and open a pull request towards " + b.Name
		}
	}
	return "open a pull request in " + p.Repository.String()
}
