package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/comment"
	"k8s-plus-aws-gitops/internal/review/render"
	"k8s-plus-aws-gitops/local/stack"
	"k8s-plus-aws-gitops/local/stack/progress"
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
}

func newReview() *cobra.Command {
	f := &reviewFlags{}
	cmd := &cobra.Command{
		Use:   "review",
		Short: "Show what a change does in AWS and in Kubernetes before it is merged.",
		Long: `Compare a change with the branch that it goes to, in every environment: the
CloudFormation templates that both sides synthesize, the objects that Flux would
apply, and the monthly cost. Replacements and deletions of what holds data and
every widening of IAM policies and security groups come first. It needs no AWS
account; docs/guides/review.md explains what it can and cannot see.

The base is checked out beside the working tree, which stays as it is. It is
compared from the commit where the change left it, as a pull request is.

--comment creates or updates one comment on the pull request. Its token is taken
from GITOPS_REVIEW_TOKEN or GITHUB_TOKEN, else from the secret that
--token-secret names in AWS Secrets Manager; without a token the comment is
printed.

Exit codes: 0 nothing changes, 1 something changes, 2 an error, 3 a change that
needs an entry in allowReplacement of cdk.json: it replaces or removes a
database, the cluster or something else that holds data.`,
		Example: `  gitops review
  gitops review --base origin/production --head origin/integration
  gitops review --environment production --output json
  gitops review --comment --pull-request 42 --markdown review.md`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.Base, "base", "origin/main", "the `revision` that the change goes to")
	flags.StringVar(&f.Head, "head", "", "the change: a `checkout` or a revision (default: this working tree, as it is)")
	flags.StringSliceVarP(&f.Environments, "environment", "e", nil, "compare these `environments` only (default: all)")
	flags.StringVarP(&f.output, "output", "o", "", "json or markdown, or text when left out")
	flags.StringVar(&f.markdown, "markdown", "", "also write the comment to this `file`")
	flags.BoolVar(&f.comment, "comment", false, "create or update the comment on the pull request")
	flags.IntVar(&f.pullRequest, "pull-request", 0, "`number` of the pull request (default: PULL_REQUEST, CodeBuild's webhook, or the open one of this commit)")
	flags.StringVar(&f.tokenSecret, "token-secret", "", "`name` of the token's secret (default: REVIEW_TOKEN_SECRET, or with one --environment /<environment>/gitops/review-token)")
	flags.StringVar(&f.api, "github-api", comment.API, "`address` of GitHub's REST API")
	return cmd
}

// run reviews and reports. Every error has exit code 2, so that a pipeline can tell it from a change.
func (f *reviewFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return usageError{err}
	}
	result, err := f.review(cmd)
	if err == nil {
		err = f.report(cmd, result)
	}
	if err != nil {
		return exitError{review.ExitError, err}
	}
	if code := result.ExitCode(); code != review.ExitSame {
		return exitError{code, nil}
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
	wd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	if f.Root, err = stack.Repository(wd); err != nil {
		return nil, err
	}
	f.Display = progress.New(cmd.ErrOrStderr())
	defer f.Display.Close()
	return review.Run(cmd.Context(), f.Options)
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
		if posted, err = f.post(cmd.Context(), cmd.ErrOrStderr(), markdown, result.Head.Commit); err != nil {
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

// post puts the comment on the pull request that brings the commit. Without a token it says so and reports false.
func (f *reviewFlags) post(ctx context.Context, errs io.Writer, markdown, commit string) (bool, error) {
	token, why := f.token(ctx)
	if token == "" {
		fmt.Fprintf(errs, "No comment was written: %s.\n", why)
		return false, nil
	}
	c, err := config.LoadFile(filepath.Join(f.Root, "cdk.json"))
	if err != nil {
		return false, err
	}
	client := comment.Client{API: f.api, Token: token, Marker: render.Marker}
	number, err := f.number(os.LookupEnv)
	if err == nil && number == 0 && commit == "" {
		err = fmt.Errorf("which pull request? The working tree has changes of its own; commit them, or give --pull-request")
	}
	if err == nil && number == 0 {
		number, err = client.Find(ctx, c.Repository.Owner, c.Repository.Name, commit, strings.TrimPrefix(f.Base, "origin/"))
	}
	if err != nil {
		return false, err
	}
	address, err := client.Put(ctx, comment.PullRequest{Owner: c.Repository.Owner, Repository: c.Repository.Name, Number: number}, markdown)
	if err != nil {
		return false, err
	}
	fmt.Fprintf(errs, "The comment is %s\n", address)
	return true, nil
}

// token finds the token, or says why there is none.
func (f *reviewFlags) token(ctx context.Context) (comment.Token, string) {
	if token := comment.FromEnvironment(os.LookupEnv); token != "" {
		return token, ""
	}
	name := cmp.Or(f.tokenSecret, os.Getenv("REVIEW_TOKEN_SECRET"))
	if name == "" && len(f.Environments) == 1 {
		name = comment.SecretName(f.Environments[0])
	}
	if name == "" {
		return "", "there is no token; set GITOPS_REVIEW_TOKEN, or name its secret with --token-secret"
	}
	c, err := awsconfig.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err.Error()
	}
	token, err := comment.FromSecret(ctx, secretsmanager.NewFromConfig(c), name)
	switch {
	case err != nil:
		return "", err.Error()
	case token == "":
		return "", "there is no secret " + name + " and no GITOPS_REVIEW_TOKEN"
	}
	return token, ""
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
