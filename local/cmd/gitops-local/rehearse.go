package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	result "k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/rehearsal"
)

func newRehearse() *cobra.Command {
	var o rehearsal.Options
	var output string
	cmd := &cobra.Command{
		Use:   "rehearse",
		Short: "Merge the change in a system of its own, hold it and revert it, before it is merged.",
		Long: `Merge the change of this working tree in a system of its own, before it is merged
for good. The base is brought up from its snapshot, which the first rehearsal on it
makes. Clients ask every public host all the time. The change is pushed as a merge
would be, and goes through the environment's pipeline; it is held for a while,
reverted by a commit, and what is left is compared with the beginning.

The change is what differs from the commit where HEAD left the environment's branch,
with what is not committed and not ignored. The checkout is not touched. An approval
or a window on the way is answered by the rehearsal. What a rehearsal cannot show is
listed under its result: docs/guides/rehearsal.md.

With --with the change is rehearsed together with another open pull request, a
branch or a commit of this repository or a number: this change with the other on
top, then the other with this change on top. A file that both change at the same
place is a finding, and nothing is started.

With --upgrade the change is a new version of something that is pinned, by its
name in docs/versions.md or renovate.json. Where nothing differs from the base it
is made; a branch that brings it is rehearsed as it is. Charts are compared before
the start.
With --env another environment of cdk.json takes the place of local, with its sizes,
policies, manifests and services. What one machine cannot have is replaced, and each
replacement is listed under the result, too.

The system has its own ports and folder, and is removed at the end, also after an
interrupt; --keep leaves it, and 'gitops rehearse remove' removes it later.

Exit codes: 0 verified, 1 it broke: the first cause is the last line; 2 it could not
run.`,
		Example: `  gitops rehearse
  gitops rehearse --base origin/main --hold 1m -o markdown
  gitops rehearse --with 42
  gitops rehearse --upgrade external-dns=1.23.0
  gitops rehearse --env production
  gitops rehearse --keep --state /tmp/look
  gitops rehearse remove /tmp/look`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return rehearse(cmd, o, output) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Base, "base", "", "the `revision` that the change goes to (default: the environment's branch)")
	flags.StringVar(&o.Environment, "env", rehearsal.Environment, "the `environment` of cdk.json that the change is of")
	flags.StringVar(&o.With, "with", "", "another open `pull request`, a revision or a number: both are rehearsed in both orders")
	flags.StringVar(&o.Upgrade, "upgrade", "", "rehearse a new version of something pinned, `NAME[=VERSION]`; without a change here it is made")
	flags.BoolVar(&o.Keep, "keep", false, "leave the system running")
	flags.DurationVar(&o.Hold, "hold", 10*time.Second, "how long the change stays live")
	flags.DurationVar(&o.Timeout, "timeout", 15*time.Minute, "how long to wait for each step of the system")
	flags.StringVar(&o.Scratch, "state", "", "`folder` that everything is made in (default: a new one for temporary files)")
	flags.StringVarP(&output, "output", "o", "", "json or markdown, or a table when left out")
	cmd.AddCommand(newRehearseRemove())
	return cmd
}

// rehearse runs one and writes its result. Every error has exit code 2, so that a pipeline can tell it from a change that breaks.
func rehearse(cmd *cobra.Command, o rehearsal.Options, output string) error {
	if output != "" && output != "json" && output != "markdown" {
		return cli.UsageError{Err: fmt.Errorf("--output %q: it is json or markdown, or left out", output)}
	}
	began := time.Now()
	got, err := runIn(cmd, o)
	if err != nil {
		if errors.Is(err, context.Canceled) {
			err = errors.New("interrupted")
		}
		got = &result.Result{Environment: o.Environment, Started: began.UTC(), Verdict: result.CouldNotRun, Cause: strings.Join(strings.Fields(err.Error()), " ")}
	} else {
		fmt.Fprintf(cmd.ErrOrStderr(), "The rehearsal took %s.\n", progress.Seconds(time.Since(began)))
	}
	switch out := cmd.OutOrStdout(); {
	case output == "json":
		err = errors.Join(err, cli.JSON(out, got))
	case output == "markdown":
		_, werr := io.WriteString(out, got.Markdown())
		err = errors.Join(err, werr)
	case err == nil:
		got.Print(out)
	}
	switch got.Verdict {
	case result.CouldNotRun:
		return cli.ExitError{Code: result.ExitCouldNotRun, Err: cmp.Or(err, errors.New(got.Cause))}
	case result.Broke:
		return cli.ExitError{Code: result.ExitBroke, Err: errors.New(got.Cause)}
	default:
		return err
	}
}

// runIn rehearses the checkout of the working directory.
func runIn(cmd *cobra.Command, o rehearsal.Options) (got *result.Result, err error) {
	if o.Repo, err = here(); err != nil {
		return nil, err
	}
	if o.Executable, err = os.Executable(); err != nil {
		return nil, err
	}
	o.Display = progress.New(cmd.ErrOrStderr())
	defer o.Display.Close()
	return rehearsal.Run(cmd.Context(), o)
}

// here is the checkout that holds the working directory.
func here() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return checkout.Find(wd)
}

func newRehearseRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove FOLDER",
		Short: "Stop and remove the system that a rehearsal left.",
		Long: `Stop and remove the system that 'rehearse --keep' left, or that a killed rehearsal
left. A folder of anything else is refused; one that is gone is no error.`,
		Example: "  gitops rehearse remove /tmp/rehearsal-1234",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			display := progress.New(cmd.ErrOrStderr())
			defer display.Close()
			return rehearsal.Remove(cmd.Context(), args[0], exe, display)
		},
	}
}
