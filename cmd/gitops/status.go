package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/status"
)

// statusFlags are the flags of `gitops status`.
type statusFlags struct {
	commit, output, kubeconfig, only, published string
	wait                                        bool
	timeout                                     time.Duration
}

func newStatus() *cobra.Command {
	f := &statusFlags{}
	cmd := &cobra.Command{
		Use:   "status ENVIRONMENT",
		Short: "Show where a commit is in an environment, in AWS and in Kubernetes.",
		Long: `Show where a commit is: the stages of the pipeline's execution that brings it,
the environment's stacks, the branch that Flux follows, and every object of Flux
with the commit that it has applied. --wait waits until both halves are healthy at
the commit, or something has failed; the pipeline's last stage does that, also for
the services that the release has published.

The pipeline is read with codepipeline:ListPipelineExecutions, GetPipelineState
and ListActionExecutions. Without these rights a line says so, and the rest is
shown.

The cluster is reached by --kubeconfig, by $KUBECONFIG, or as EKS with the AWS
credentials at hand, which need an access entry.

Exit codes: 0 verified, 1 an error or a failure, 2 a wrong command line,
3 not there yet.`,
		Example: `  gitops status dev
  gitops status dev --commit 1f3a9c2 --wait
  gitops status production --output json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case f.output != "" && f.output != "json":
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for a table, got %q", f.output)}
			case f.only != "" && f.only != "kubernetes":
				return cli.UsageError{Err: fmt.Errorf("--only must be kubernetes, or left out for both halves, got %q", f.only)}
			}
			return f.run(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.commit, "commit", "", "the `commit` (default: the one that Flux's branch is at)")
	flags.StringVarP(&f.output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&f.only, "only", "", "kubernetes leaves the pipeline and the stacks out")
	flags.StringVar(&f.published, "published", "", "services that must be healthy, too, and the commits of their branches: `NAME@COMMIT`…, or none")
	flags.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.BoolVar(&f.wait, "wait", false, "wait until the commit is verified or has failed")
	flags.DurationVar(&f.timeout, "timeout", 20*time.Minute, "how long --wait waits")
	return cmd
}

func (f *statusFlags) run(cmd *cobra.Command, name string) error {
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return err
	}
	from, err := f.source(cmd.Context(), root, env)
	var lost *lostBranchError
	if errors.As(err, &lost) && !f.wait {
		if perr := f.print(cmd, from.Survey(cmd.Context())); perr != nil {
			return perr
		}
	}
	if err != nil {
		return err
	}
	now, err := f.read(cmd, from)
	if now != nil {
		if perr := f.print(cmd, now); perr != nil {
			return perr
		}
	}
	switch {
	case err != nil:
		return err
	case now.State == status.Failed:
		return fmt.Errorf("%s", now.Cause)
	case now.State != status.Verified:
		return cli.ExitError{Code: 3}
	}
	return nil
}

// read reads once, or until the end.
func (f *statusFlags) read(cmd *cobra.Command, from status.Source) (*status.Status, error) {
	if !f.wait {
		return from.Read(cmd.Context())
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), f.timeout)
	defer cancel()
	began := time.Now()
	return from.Wait(ctx, 2*time.Second, func(s *status.Status) {
		fmt.Fprintf(cmd.ErrOrStderr(), "%4.0fs %s", time.Since(began).Seconds(), s.State)
		if s.Cause != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), ": %s", s.Cause)
		}
		fmt.Fprintln(cmd.ErrOrStderr())
	})
}

func (f *statusFlags) print(cmd *cobra.Command, s *status.Status) error {
	if f.output == "json" {
		return cli.JSON(cmd.OutOrStdout(), s)
	}
	s.Print(cmd.OutOrStdout())
	return nil
}

// source finds both halves of the environment.
func (f *statusFlags) source(ctx context.Context, root string, env config.Environment) (status.Source, error) {
	published, err := status.ParsePublished(f.published)
	if err != nil {
		return status.Source{}, cli.UsageError{Err: fmt.Errorf("--published %w", err)}
	}
	from, err := f.released(ctx, root, env)
	from.Published = published
	var lost *lostBranchError
	if err != nil && !errors.As(err, &lost) {
		return from, err
	}
	load := awsOf
	if f.wait {
		load = patientAWS // who waits has the time, and Verify hangs on it
	}
	c, err := load(ctx, env.Region)
	if err != nil {
		return from, err
	}
	if f.only == "" {
		inAWS(&from, c, env)
	}
	if from.Cluster, err = clusterOf(ctx, c, env, f.kubeconfig); err != nil || lost == nil {
		return from, errors.Join(asError(lost), err)
	}
	return from, f.withoutBranch(ctx, root, &from, lost)
}

// lostBranchError is that the repository does not answer: the rest of the status can be told.
type lostBranchError struct{ error }

func (e *lostBranchError) Unwrap() error { return e.error }

// asError is nil where there is no lost branch.
func asError(lost *lostBranchError) error {
	if lost == nil {
		return nil
	}
	return lost.error
}

// withoutBranch takes the commit that was asked for, or else the one that Flux has fetched last. It returns why the branch is lost.
func (f *statusFlags) withoutBranch(ctx context.Context, root string, from *status.Source, lost *lostBranchError) error {
	from.Tip = func(context.Context) (string, error) { return "", lost.error }
	if f.commit != "" {
		var err error
		if from.Commit, err = git.Commit(ctx, root, f.commit); err != nil {
			return errors.Join(lost.error, err)
		}
		return lost
	}
	look, err := from.Cluster.Look(ctx)
	if err != nil {
		return errors.Join(lost.error, err)
	}
	for _, g := range look.GitRepositories {
		if _, commit, ok := strings.Cut(g.Revision, "@sha1:"); ok && g.Name == flux.Root {
			from.Commit = commit
			return lost
		}
	}
	return lost.error
}

// released is a source that knows the commit and the branch, and no half yet.
func (f *statusFlags) released(ctx context.Context, root string, env config.Environment) (status.Source, error) {
	from := sourceOf(root, env)
	err := f.branch(ctx, root, env, &from)
	return from, err
}

// sourceOf is what a clone alone says of an environment.
func sourceOf(root string, env config.Environment) status.Source {
	return status.Source{
		Environment: env.Name, Branch: env.FluxBranch(),
		Contains: func(ctx context.Context, head, commit string) bool {
			holds, err := release.Contains(ctx, root, head, commit)
			return err == nil && holds
		},
		Tip: func(ctx context.Context) (string, error) {
			return release.Tip(ctx, root, env.RepositoryURL, env.FluxBranch())
		},
	}
}

// inAWS adds the AWS half.
func inAWS(from *status.Source, c aws.Config, env config.Environment) {
	from.Stacks = func(ctx context.Context) ([]status.Stack, error) {
		return status.Stacks(ctx, cloudformation.NewFromConfig(c), env.Name)
	}
	from.Pipeline = pipelineOf(c, env)
}

// pipelineOf reads the environment's pipeline, if it has one.
func pipelineOf(c aws.Config, env config.Environment) func(context.Context, string, func(string) bool) *status.Pipeline {
	return func(ctx context.Context, commit string, holds func(string) bool) *status.Pipeline {
		if !env.Delivers() {
			return &status.Pipeline{Note: fmt.Sprintf("%s has no pipelines: it has no connection in cdk.json", env.Name)}
		}
		return status.ReadPipeline(ctx, codepipeline.NewFromConfig(c), env.StackName(config.DeployPipeline), commit, holds)
	}
}

// branch finds the commit, and where the branch is that Flux follows. Of the cluster alone a full commit needs no repository:
// whoever asks has released it.
func (f *statusFlags) branch(ctx context.Context, root string, env config.Environment, from *status.Source) error {
	if f.only != "" && fullCommit.MatchString(f.commit) {
		from.Commit = f.commit
		from.Tip = func(context.Context) (string, error) { return f.commit, nil }
		return nil
	}
	tip, err := from.Tip(ctx)
	switch {
	case err != nil:
		return &lostBranchError{err}
	case f.commit == "" && tip == "":
		return fmt.Errorf("branch %s does not exist; make it with: gitops release %s", from.Branch, env.Name)
	case f.commit == "":
		from.Commit = tip
		return nil
	}
	from.Commit, err = git.Commit(ctx, root, f.commit)
	return err
}

// fullCommit is a commit that needs no clone to be known.
var fullCommit = regexp.MustCompile(`^[0-9a-f]{40}$`)
