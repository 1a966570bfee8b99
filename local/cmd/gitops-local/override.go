package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

func newOverride(f *localFlags) *cobra.Command {
	var summary string
	cmd := &cobra.Command{
		Use:   "override [PIPELINE]",
		Short: "Let a pipeline go on that waits for its window.",
		Long: `Let the execution go on that waits for its window, as the command
"aws codepipeline override-stage-condition" does. When several pipelines wait, name
one. Who did it and why stays in the execution's history.`,
		Example: `  gitops local override
  gitops local override local-deploy --message "the shop is down"`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			pipeline := ""
			if len(names) == 1 {
				pipeline = names[0]
			}
			e, stage, err := s.Override(pipeline, summary)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Overridden: %s enters %s, whose window %s; commit %.8s %s\n", e.Pipeline, stage.Name, stage.Reason, e.Commit, e.Subject)
			return nil
		},
	}
	cmd.Flags().StringVarP(&summary, "message", "m", "", "why, for the execution's history")
	return cmd
}
