package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"k8s-plus-aws-gitops/internal/cli"
)

func newReset(f *localFlags) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "reset",
		Short: "Stop every process and remove the state.",
		Long: `Stop every process and remove the state directory: databases, stacks, objects, the
local repository, logs. Built programs stay in the cache, so that the next 'up' is
fast. A directory that 'up' did not make is refused.`,
		Example: `  gitops local reset
  gitops local reset --yes`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			if !yes && s.Dir.Ours() {
				if err := confirm(cmd, "Remove "+s.Dir.Root+" with its databases and stacks?"); err != nil {
					return err
				}
			}
			if err := s.Reset(cmd.Context()); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Removed. '%s local up' begins anew.\n", command(s))
			return nil
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// confirm asks a person; without one the answer has to be on the command line.
func confirm(cmd *cobra.Command, question string) error {
	if in, ok := cmd.InOrStdin().(*os.File); ok && !term.IsTerminal(int(in.Fd())) {
		return cli.UsageError{Err: errors.New("nobody is there to confirm: add --yes")}
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%s [y/N] ", question)
	line, err := bufio.NewReader(cmd.InOrStdin()).ReadString('\n')
	if err != nil || !strings.EqualFold(strings.TrimSpace(line), "y") {
		return errors.New("not confirmed, nothing was removed")
	}
	return nil
}
