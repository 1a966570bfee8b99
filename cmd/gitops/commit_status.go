package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/git"
)

// commitStatusFlags are those of commit-status.
type commitStatusFlags struct {
	status                   forge.Status
	state                    string
	rehearsal                string // a file
	pullRequest              int
	commit, tokenSecret, api string
}

func newCommitStatus() *cobra.Command {
	var f commitStatusFlags
	cmd := &cobra.Command{
		Use:   "commit-status",
		Short: "Give a commit a status on GitHub.",
		Long: `Give a commit of the repository that cdk.json names a status: a line among the
checks of the pull requests that bring it. A status that is there already is not
written again.

The token is taken from GITOPS_REVIEW_TOKEN or GITHUB_TOKEN, else from the secret
that --token-secret names in AWS Secrets Manager; it needs 'Commit statuses: write'.
Without a token the status, or the result of the rehearsal, is printed.

--rehearsal takes the status gitops/rehearsal from a rehearsal's result: success if
it verified, failure if it broke, error if it could not run. With --pull-request the
result is also put there as a comment, the one before it is replaced.`,
		Example: `  gitops commit-status --context gitops/dev --state pending \
    --description "Deploys the network" --url "$CODEBUILD_BUILD_URL"
  gitops commit-status --context gitops/dev --state success --commit HEAD~1
  gitops commit-status --rehearsal rehearsal.json --pull-request 42`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.status.Context, "context", "", "`name` of the status: gitops/review, or gitops/ENVIRONMENT (required without --rehearsal)")
	flags.StringVar(&f.state, "state", "", "pending, success, failure (a verdict) or error (there is none) (required without --rehearsal)")
	flags.StringVar(&f.status.Description, "description", "", "one `line`, of which 140 characters are kept")
	flags.StringVar(&f.status.URL, "url", "", "`address` where the status leads (default: CODEBUILD_BUILD_URL)")
	flags.StringVar(&f.rehearsal, "rehearsal", "", "the result, a `file` that gitops rehearse -o json wrote")
	flags.IntVar(&f.pullRequest, "pull-request", 0, "with --rehearsal, `number` of the pull request that gets the comment")
	flags.StringVar(&f.commit, "commit", "", "the `revision` (default: CODEBUILD_RESOLVED_SOURCE_VERSION, or HEAD)")
	flags.StringVar(&f.tokenSecret, "token-secret", "", "`name` of the token's secret (default: REVIEW_TOKEN_SECRET)")
	flags.StringVar(&f.api, "github-api", forge.API, "`address` of GitHub's REST API")
	return cmd
}

// check refuses flags that do not fit.
func (f *commitStatusFlags) check() error {
	switch {
	case f.rehearsal != "" && (f.status.Context != "" || f.state != "" || f.status.Description != ""):
		return errors.New("--rehearsal says what --context, --state and --description would; leave them out")
	case f.pullRequest < 0 || f.pullRequest > 0 && f.rehearsal == "":
		return fmt.Errorf("--pull-request %d: it is the number of a pull request, and goes with --rehearsal", f.pullRequest)
	case f.rehearsal != "":
		return nil
	}
	if f.status.Context == "" {
		return errors.New("--context: name the status, for example gitops/dev")
	}
	for _, state := range forge.States {
		if f.state == string(state) {
			f.status.State = state
			return nil
		}
	}
	return fmt.Errorf("--state must be one of %q, got %q", forge.States, f.state)
}

func (f *commitStatusFlags) run(cmd *cobra.Command) error {
	if err := f.check(); err != nil {
		return cli.UsageError{Err: err}
	}
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	c, err := config.LoadDir(root)
	if err != nil {
		return err
	}
	commit, err := commitOf(cmd.Context(), root, cmp.Or(f.commit, os.Getenv("CODEBUILD_RESOLVED_SOURCE_VERSION"), "HEAD"))
	if err != nil {
		return err
	}
	markdown := ""
	if f.rehearsal != "" {
		if markdown, err = f.rehearsed(commit); err != nil {
			return err
		}
	}
	f.status.URL = cmp.Or(f.status.URL, os.Getenv("CODEBUILD_BUILD_URL"))
	said := fmt.Sprintf("%s is %s at %.12s", f.status.Context, f.status.State, commit)
	token, why := platformToken(cmd.Context(), f.tokenSecret)
	if token == "" {
		fmt.Fprintln(cmd.OutOrStdout(), cmp.Or(markdown, strings.TrimSuffix(said+": "+f.status.Description, ": ")))
		fmt.Fprintf(cmd.ErrOrStderr(), "No commit status is written: %s.\n", why)
		return nil
	}
	client := forge.Client{API: f.api, Token: token}
	repository := forge.Repository{Owner: c.Repository.Owner, Name: c.Repository.Name}
	var comment error // which is no reason to leave the commit without a verdict
	if f.pullRequest > 0 {
		var address string
		if address, comment = putRehearsal(cmd.Context(), client, repository, f.pullRequest, markdown); comment == nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "The comment is %s\n", address)
		}
	}
	written, err := client.SetStatus(cmd.Context(), repository, commit, f.status)
	if err := errors.Join(err, comment); err != nil {
		return err
	}
	if !written {
		said += ", as it was"
	}
	fmt.Fprintln(cmd.OutOrStdout(), said)
	return nil
}

// commitOf is the whole id of a revision. A build may have no clone, but then it is told the id.
func commitOf(ctx context.Context, root, revision string) (string, error) {
	if fullCommit.MatchString(revision) {
		return revision, nil
	}
	return git.Commit(ctx, root, revision)
}
