package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/endpoints"
	"k8s-plus-aws-gitops/internal/teardown"
)

// teardownFlags are those of teardown.
type teardownFlags struct {
	yes, dryRun bool
	stack       string
}

func newTeardown() *cobra.Command {
	var f teardownFlags
	cmd := &cobra.Command{
		Use:   "teardown ENVIRONMENT",
		Short: "Remove an environment from AWS.",
		Long: `Remove an environment's stacks from its account, in the order in which they let go
of each other: pipelines, cluster, applications, network. Before each it removes
what CloudFormation cannot: objects and versions in buckets, records in a hosted
zone that goes, and load balancers that the cluster left behind.

It lists what goes and what is kept, and asks for the environment's name. It can
be run again after an interruption and goes on. An environment with deletion
protection is refused. It uses the caller's credentials, which must be of the
environment's account; cdk.json must still have the environment.

--stack NAME removes the stack of one application or service that has left the app,
also in an environment with deletion protection, once that is off for the stack. It
is refused while the commit that is released there still makes the stack, and while
another stack imports from it.

Exit codes: 0 nothing is left but what is kept, 1 an error or something is left,
2 a wrong command line.`,
		Example: `  gitops teardown jane --dry-run
  AWS_PROFILE=dev gitops teardown jane
  gitops teardown dev --stack orders`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error { return f.run(cmd, names[0]) },
	}
	cmd.Flags().BoolVarP(&f.yes, "yes", "y", false, "do not ask")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "list what goes and what is kept, and change nothing")
	cmd.Flags().StringVar(&f.stack, "stack", "", "remove the stack of this `application` or service alone")
	return cmd
}

func (f *teardownFlags) run(cmd *cobra.Command, name string) error {
	ctx := cmd.Context()
	root, err := checkout.Root()
	if err != nil {
		return err
	}
	c, err := config.LoadDir(root)
	if err != nil {
		return err
	}
	env, known := c.Environments[name]
	if !known {
		return fmt.Errorf("cdk.json has no environment %q, only %s; without its entry its account and region are not known", name, strings.Join(c.Names(), ", "))
	}
	account, err := account(ctx, env)
	if err != nil {
		return err
	}
	t := &teardown.Teardown{Env: env, AWS: account, Say: func(format string, args ...any) {
		fmt.Fprintf(cmd.ErrOrStderr(), format+"\n", args...)
	}}
	if f.stack != "" {
		return f.one(cmd, root, t)
	}
	if err := t.Check(ctx); err != nil {
		return err
	}
	t.Say("looking at account %s, %s", env.Account, env.Region)
	plan, err := t.Plan(ctx)
	if err != nil {
		return err
	}
	return f.remove(cmd, plan, name, t.Remove)
}

// remove shows a plan, asks for the name of what goes, and removes it.
func (f *teardownFlags) remove(cmd *cobra.Command, plan teardown.Plan, name string, remove func(context.Context, teardown.Plan) (teardown.Report, error)) error {
	plan.Print(cmd.OutOrStdout())
	if f.dryRun || plan.Empty() {
		return nil
	}
	if !f.yes {
		if err := confirmName(cmd, name, "remove it"); err != nil {
			return err
		}
	}
	report, err := remove(cmd.Context(), plan)
	report.Print(cmd.OutOrStdout())
	if err != nil {
		return fmt.Errorf("%w; run it again to go on", err)
	}
	return nil
}

// account is the environment's, by the caller's credentials where it is in AWS.
func account(ctx context.Context, env config.Environment) (aws.Config, error) {
	if err := endpoints.Use(ctx, env.Name); err != nil {
		return aws.Config{}, err
	}
	return patientAWS(ctx, env.Region)
}

// confirmName asks a person for the name of what goes or changes; without one it has to be confirmed on the command line.
func confirmName(cmd *cobra.Command, name, purpose string) error {
	if piped(cmd.InOrStdin()) {
		return cli.UsageError{Err: errors.New("nobody is there to confirm: add --yes")}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Type %s to %s: ", name, purpose)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != name {
		return errors.New("not confirmed, nothing was changed")
	}
	return nil
}

// piped reports whether a person does not type what is read.
func piped(in io.Reader) bool {
	file, ok := in.(*os.File)
	return ok && !term.IsTerminal(int(file.Fd()))
}
