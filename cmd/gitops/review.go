package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/comment"
	"k8s-plus-aws-gitops/internal/review/render"
)

// reviewFlags are the flags of `gitops review`.
type reviewFlags struct {
	review.Options
	output      string
	markdown    string
	comment     bool
	pullRequest int
	tokenSecret string
	api         string
	rehearsal   string // a file
}

func newReview() *cobra.Command {
	f := &reviewFlags{}
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Show what a change does in AWS and in Kubernetes before it is merged.",
		Long: `Compare a change with the branch that it goes to, in every environment: the
CloudFormation templates that both sides synthesize, the objects that Flux would
apply, and the monthly cost. Replacements and deletions of what holds data and
every widening come first: of IAM policies and security groups, of what pods,
roles and network policies allow, of what is reached from outside. It needs no
AWS account; docs/guides/review.md explains what it can and cannot see.

The base is checked out beside the working tree, which stays as it is. It is
compared from the commit where the change left it, as a pull request is.

--comment creates or updates one comment on the pull request, and gives its commit
the status gitops/review: failure if the guard forbids something, else success.
The token is taken from GITOPS_REVIEW_TOKEN or GITHUB_TOKEN, else from the secret
that --token-secret names in AWS Secrets Manager; without a token the comment is
printed.

--rehearsal adds what a rehearsal of the same commit found, and with --comment gives
the commit the status gitops/rehearsal, too. It leaves the exit code as it is.

Exit codes: 0 nothing changes, 1 something changes, 2 an error, 3 a change that
needs an entry in allowReplacement of cdk.json: it replaces or removes a
database, the cluster, a namespace, volumes or something else that holds data.`,
		Example: `  gitops review
  gitops review --base origin/production --head origin/integration
  gitops review --env production --output json
  gitops review --rehearsal rehearsal.json
  gitops review --comment --pull-request 42 --markdown review.md`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Base, "base", "origin/main", "the `revision` that the change goes to")
	flags.StringVar(&f.Head, "head", "", "the change: a `checkout` or a revision (default: this working tree, as it is)")
	flags.StringSliceVarP(&f.Environments, "env", "e", nil, "compare these `environments` only (default: all)")
	flags.StringVarP(&f.output, "output", "o", "", "json or markdown, or text when left out")
	flags.StringVar(&f.rehearsal, "rehearsal", "", "add the result of a rehearsal, the `file` that gitops rehearse -o json wrote")
	flags.StringVar(&f.markdown, "markdown", "", "also write the comment to this `file`")
	flags.BoolVar(&f.comment, "comment", false, "create or update the comment on the pull request")
	flags.IntVar(&f.pullRequest, "pull-request", 0, "`number` of the pull request (default: PULL_REQUEST, CodeBuild's webhook, or the open one of this commit)")
	flags.StringVar(&f.tokenSecret, "token-secret", "", "`name` of the token's secret (default: REVIEW_TOKEN_SECRET, or with one --env /<environment>/gitops/review-token)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

// run reviews and reports. Every error has exit code 2, so that a pipeline can tell it from a change.
func (f *reviewFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return cli.UsageError{Err: err}
	}
	result, err := f.review(cmd)
	if err == nil {
		err = f.rehearsed(result)
	}
	if err == nil {
		err = f.report(cmd, result)
	}
	if err != nil {
		return cli.ExitError{Code: review.ExitError, Err: err}
	}
	if code := result.ExitCode(); code != review.ExitSame {
		return cli.ExitError{Code: code, Err: nil}
	}
	return nil
}

// check refuses flags that do not fit.
func (f *reviewFlags) check() error {
	switch f.output {
	case "", "json", "markdown":
	default:
		return fmt.Errorf("--output %q: it is json or markdown, or left out for text", f.output)
	}
	if f.pullRequest < 0 {
		return fmt.Errorf("--pull-request %d: it is the number of a pull request", f.pullRequest)
	}
	return nil
}

// review compares both sides, with progress on stderr.
func (f *reviewFlags) review(cmd *cobra.Command) (*review.Review, error) {
	var err error
	if f.Root, err = checkout.Root(); err != nil {
		return nil, err
	}
	f.Display = progress.New(cmd.ErrOrStderr())
	defer f.Display.Close()
	return review.Run(cmd.Context(), f.Options)
}

// rehearsed adds the result of the rehearsal. It must be the same commit's: what another one does says nothing of this.
func (f *reviewFlags) rehearsed(result *review.Review) error {
	if f.rehearsal == "" {
		return nil
	}
	r, err := rehearsal.ReadFile(f.rehearsal)
	if err != nil {
		return fmt.Errorf("--rehearsal: %w", err)
	}
	if r.Commit != "" && result.Head.Commit != "" && r.Commit != result.Head.Commit {
		return fmt.Errorf("--rehearsal %s: must be of commit %.12s, which is reviewed, got %.12s; run `gitops rehearse -o json` again", f.rehearsal, result.Head.Commit, r.Commit)
	}
	result.Rehearsal = r
	return nil
}

// report writes the review to everything that was asked for.
func (f *reviewFlags) report(cmd *cobra.Command, result *review.Review) error {
	markdown := render.Markdown(result, render.Limit)
	if f.markdown != "" {
		if err := os.WriteFile(f.markdown, []byte(markdown), 0o644); err != nil {
			return err
		}
	}
	posted := false
	if f.comment {
		var err error
		if posted, err = f.post(cmd.Context(), cmd.ErrOrStderr(), markdown, result); err != nil {
			return err
		}
	}
	out := cmd.OutOrStdout()
	switch {
	case f.output == "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(struct {
			*review.Review
			ExitCode int `json:"exitCode"`
		}{result, result.ExitCode()})
	case f.output == "markdown", f.comment && !posted:
		fmt.Fprint(out, markdown)
	default:
		render.Text(out, result)
	}
	return nil
}

// post puts the comment on the pull request that brings the commit, and the commit's status. Without a token it says so and
// reports false.
func (f *reviewFlags) post(ctx context.Context, errs io.Writer, markdown string, result *review.Review) (bool, error) {
	commit := result.Head.Commit
	c, err := config.LoadDir(f.Root)
	if err != nil {
		return false, err
	}
	var of []config.Environment
	for _, name := range f.Environments {
		of = append(of, c.Environments[name])
	}
	token, why := platformToken(ctx, f.tokenSecret, of...)
	if token == "" {
		fmt.Fprintf(errs, "No comment was written: %s.\n", why)
		return false, nil
	}
	repository := forge.Repository{Owner: c.Repository.Owner, Name: c.Repository.Name}
	client := comment.Client{Forge: forge.Client{API: f.api, Token: token}, Marker: render.Marker}
	number, err := f.number(os.LookupEnv)
	if err == nil && number == 0 && commit == "" {
		err = fmt.Errorf("which pull request? The working tree has changes of its own; commit them, or give --pull-request")
	}
	if err == nil && number == 0 {
		number, err = client.Find(ctx, repository, commit, strings.TrimPrefix(f.Base, "origin/"))
	}
	if err != nil {
		return false, err
	}
	address, err := client.Put(ctx, comment.PullRequest{Repository: repository, Number: number}, markdown)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(errs, "The comment is %s\n", address)
	return true, f.status(ctx, errs, client.Forge, repository, result, address)
}

// status gives the commit the review's verdict. A token that may only comment is enough for a review: then it says so.
func (f *reviewFlags) status(ctx context.Context, errs io.Writer, client forge.Client, r forge.Repository, result *review.Review, address string) error {
	if result.Head.Commit == "" {
		fmt.Fprintln(errs, "No commit status is written: the working tree has changes of its own.")
		return nil
	}
	s := forge.Status{Context: forge.ReviewContext, State: forge.Success, Description: "Nothing that the guard forbids", URL: address}
	if count := result.Forbidden(); count > 0 {
		s.State, s.Description = forge.Failure, fmt.Sprintf("The guard forbids %d changes; the comment says which", count)
	}
	_, err := client.SetStatus(ctx, r, result.Head.Commit, s)
	if err == nil && result.Rehearsal != nil {
		s = rehearsalStatus(result.Rehearsal)
		s.URL = address
		_, err = client.SetStatus(ctx, r, result.Head.Commit, s)
	}
	var refused *forge.Error
	if errors.As(err, &refused) && refused.Denied() {
		fmt.Fprintf(errs, "No commit status is written: %v.\n", err)
		return nil
	}
	return err
}

// webhook is what CodeBuild says of a build that a pull request started.
var webhook = regexp.MustCompile(`^pr/([0-9]+)$`)

// number is the pull request's number, from the flag or the variables of a build; 0 when they do not tell.
func (f *reviewFlags) number(lookup func(string) (string, bool)) (int, error) {
	if f.pullRequest > 0 {
		return f.pullRequest, nil
	}
	if value, ok := lookup("PULL_REQUEST"); ok && value != "" {
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			return n, nil
		}
		return 0, fmt.Errorf("PULL_REQUEST %q: it is the number of a pull request", value)
	}
	value, _ := lookup("CODEBUILD_WEBHOOK_TRIGGER")
	if match := webhook.FindStringSubmatch(value); match != nil {
		return strconv.Atoi(match[1])
	}
	return 0, nil
}
