package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/forge"
)

// reportFlags are the flags of `gitops report`.
type reportFlags struct{ execution, rehearsal, results, secret, api string }

func newReport() *cobra.Command {
	f := &reportFlags{}
	cmd := &cobra.Command{
		Use:   "report ENVIRONMENT",
		Short: "Give a commit the status of its deployment on GitHub.",
		Long: `Give the commit of an execution of ENVIRONMENT-deploy the status
gitops/ENVIRONMENT: pending while it runs, success with what it deployed, failure
with the stage and the cause, error when it was stopped or a later commit took its
place. The environment's project ENVIRONMENT-report does it when an execution
starts or ends; by hand it mends a status that was not written.

CodePipeline says how the execution stands now. Where the commit has run more than
once, its last execution counts.

With --rehearsal it tells of a build of ENVIRONMENT-rehearsal instead: the
status gitops/rehearsal, pending while it runs, error where it ended without a
result, and the result as a comment. While it runs it stops the rehearsals of
earlier pushes of the same branch; it stops the build itself where the pull
request has the label no-rehearsal, and then writes no status.
ENVIRONMENT-rehearsed does it (docs/guides/review.md).

The token is found as commit-status does, else in the secret
/ENVIRONMENT/gitops/review-token; it needs 'Commit statuses: write', and for a
rehearsal 'Pull requests: write'. Without a token the status is printed.`,
		Example: `  gitops report dev
  gitops report dev --execution 0a1b2c3d-1111-2222-3333-444455556666`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.execution, "execution", "", "the `id` of the execution (default: the last one)")
	flags.StringVar(&f.rehearsal, "rehearsal", "", "the `id` of a build that rehearses a pull request")
	flags.StringVar(&f.results, "results", "", "with --rehearsal, the `folder` with results, s3://BUCKET/FOLDER/")
	flags.StringVar(&f.secret, "token-secret", "", "`name` of the token's secret (default: REVIEW_TOKEN_SECRET, or /ENVIRONMENT/gitops/review-token)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

// reportTime is how long a report may take: GitHub and CodePipeline may ask to wait, and an execution reads its source first.
const reportTime = 10 * time.Minute

func (f *reportFlags) run(cmd *cobra.Command, name string) error {
	if f.rehearsal != "" && f.execution != "" || (f.rehearsal == "") != (f.results == "") {
		return cli.UsageError{Err: errors.New("--rehearsal: give it with --results, and without --execution")}
	}
	_, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return err
	}
	if !env.Delivers() {
		return fmt.Errorf("%s has no pipeline; give repository.connectionArn in cdk.json, or delivery.connectionArn of the environment", env.Name)
	}
	c, err := patientAWS(cmd.Context(), env.Region) // many executions may end at once
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), reportTime)
	defer cancel()
	token, why := platformToken(ctx, f.secret, env)
	write := func(string, forge.Status) error { return nil }
	if token != "" {
		client := forge.Client{API: f.api, Token: token}
		write = func(commit string, s forge.Status) error {
			_, err := client.SetStatus(ctx, forge.Repository{Owner: env.Repository.Owner, Name: env.Repository.Name}, commit, s)
			return err
		}
	}
	if token == "" { // first, because the last line of the log is what people are shown
		fmt.Fprintf(cmd.ErrOrStderr(), "No commit status is written: %s.\n", why)
	}
	if f.rehearsal != "" {
		return f.reportRehearsal(ctx, cmd, env, c, token)
	}
	from := deployment.Source{API: codepipeline.NewFromConfig(c), Pipeline: env.StackName(config.DeployPipeline)}
	return f.report(ctx, cmd, env, from, write)
}

// report writes until what it wrote is how the execution stands: another report may have written the end while this one was
// about to write the start.
func (f *reportFlags) report(ctx context.Context, cmd *cobra.Command, env config.Environment, from deployment.Source, write func(string, forge.Status) error) error {
	e, err := from.Find(ctx, f.execution)
	for {
		if err != nil {
			return err
		}
		if e.Commit == "" {
			fmt.Fprintf(cmd.OutOrStdout(), "Execution %s has read no commit, so there is none to give a status.\n", e.ID)
			return nil
		}
		s := forge.Status{Context: forge.Context(env.Name), URL: executionPage(env, e.ID)}
		if s.State, s.Description, err = from.Status(ctx, e); err != nil {
			return err
		}
		if err := write(e.Commit, s); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s is %s at %.12s: %s\n", s.Context, s.State, e.Commit, s.Description)
		var now deployment.Execution
		if now, err = from.Find(ctx, f.execution); err == nil && now == e {
			return nil
		}
		e = now
	}
}

// executionPage is the execution in the console.
func executionPage(env config.Environment, id string) string {
	return fmt.Sprintf("https://%s.console.aws.amazon.com/codesuite/codepipeline/pipelines/%s/executions/%s/visualization?region=%[1]s", env.Region, env.StackName(config.DeployPipeline), id)
}
