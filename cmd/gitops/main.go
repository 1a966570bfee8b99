// Command gitops runs the platform on this machine and checks its manifests.
//
// Exit codes: 0 success, 1 an error, 2 a wrong command line; review has its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/local/stack/progress"
)

func main() {
	// The first interrupt ends what runs in order, the second one at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { <-ctx.Done(); stop() }()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var quiet silentError
	var exit exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.err != nil {
			explain(errs, exit.err)
		}
		return exit.code
	case errors.As(err, &quiet):
		return 1
	case errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(errs, "gitops: %v\nRun 'gitops --help' for usage.\n", err)
		return 2
	}
	explain(errs, err)
	return 1
}

// explain writes an error for people: what failed, its log and its remedy.
func explain(w io.Writer, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok { // the outermost error is meant
		for _, e := range joined.Unwrap() {
			explain(w, e)
		}
		return
	}
	fmt.Fprintf(w, "gitops: %v\n", err)
	var step *progress.Error
	if !errors.As(err, &step) {
		return
	}
	if step.Log != "" {
		fmt.Fprintf(w, "  log:    %s\n", step.Log)
	}
	if step.Remedy != "" {
		fmt.Fprintf(w, "  remedy: %s\n", step.Remedy)
	}
}

// usageError is a wrong command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// silentError ends with exit code 1 after everything was said.
type silentError struct{}

func (silentError) Error() string { return "not ready" }

// exitError ends with an exit code of the command's own, after saying the error if there is one.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.code, e.err) }
func (e exitError) Unwrap() error { return e.err }

// args makes usage errors of a cobra argument check.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return usageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}
