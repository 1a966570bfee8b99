// Package cli is what the command lines of gitops and of its plug-ins share:
// exit codes, and errors for people.
//
// Exit codes: 0 success, 1 an error, 2 a wrong command line; a command may have its own.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/progress"
)

// Main runs the program's command line and returns its exit code. The first
// interrupt ends what runs in order, the second one at once.
func Main(run func(ctx context.Context, args []string, out, errs io.Writer) int) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() { <-ctx.Done(); stop() }()
	return run(ctx, os.Args[1:], os.Stdout, os.Stderr)
}

// Run runs a command line and returns the exit code.
func Run(ctx context.Context, root *cobra.Command, args []string, out, errs io.Writer) int {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return UsageError{err} })
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(errs)
	return Code(root, root.ExecuteContext(ctx), errs)
}

// Code says an error and returns its exit code.
func Code(root *cobra.Command, err error, errs io.Writer) int {
	var usage UsageError
	var quiet SilentError
	var exit ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		if exit.Err != nil {
			explain(errs, exit.Err)
		}
		return exit.Code
	case errors.As(err, &quiet):
		return 1
	case errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(errs, "gitops: %v\nRun '%s --help' for usage.\n", err, root.CommandPath())
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

// UsageError is a wrong command line.
type UsageError struct{ Err error }

func (e UsageError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e UsageError) Unwrap() error { return e.Err }

// SilentError ends with exit code 1 after everything was said.
type SilentError struct{}

func (SilentError) Error() string { return "not ready" }

// ExitError ends with an exit code of the command's own, after saying the error if there is one.
type ExitError struct {
	Code int
	Err  error
}

func (e ExitError) Error() string { return fmt.Sprintf("exit code %d: %v", e.Code, e.Err) }

// Unwrap returns the cause.
func (e ExitError) Unwrap() error { return e.Err }

// Args makes usage errors of a cobra argument check.
func Args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, a []string) error {
		if err := check(cmd, a); err != nil {
			return UsageError{fmt.Errorf("%s: %w", cmd.CommandPath(), err)}
		}
		return nil
	}
}

// JSON writes a value as JSON for people and programs.
func JSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
