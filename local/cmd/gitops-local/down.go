package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

func newDown(f *localFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop every process and keep the state.",
		Long: `Stop every process of the system, pods first, and verify that none is left.
Databases, stacks, objects and the repository are kept for the next 'up'.`,
		Example: "  gitops local down",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			ran, err := s.Down(cmd.Context())
			if err != nil {
				return err
			}
			if ran {
				fmt.Fprintf(cmd.ErrOrStderr(), "Stopped. '%s local up' starts it again, '%[1]s local reset' removes its state.\n", command(s))
			} else {
				fmt.Fprintf(cmd.ErrOrStderr(), "Nothing runs. '%s local up' starts it.\n", command(s))
			}
			return nil
		},
	}
}
