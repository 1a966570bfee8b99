package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

func newApprove(f *localFlags) *cobra.Command {
	var reject bool
	var summary string
	cmd := &cobra.Command{
		Use:   "approve [PIPELINE]",
		Short: "Approve what a pipeline waits for, or reject it.",
		Long: `Approve what a pipeline waits for, or reject it. When several wait, name one. What
there is to look at, for example the log of cdk diff, is printed.`,
		Example: `  gitops local approve
  gitops local approve local-deploy --reject --message "not on a Friday"`,
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
			e, a, err := s.Approve(pipeline, !reject, summary)
			if err != nil {
				return err
			}
			word := "Approved"
			if reject {
				word = "Rejected"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s, commit %.8s %s\n", word, e.Pipeline, e.Commit, e.Subject)
			for _, text := range []string{a.Reason, a.Link} {
				if text != "" {
					fmt.Fprintln(cmd.ErrOrStderr(), "  "+text)
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&reject, "reject", false, "reject instead")
	cmd.Flags().StringVarP(&summary, "message", "m", "", "why, for the execution's history")
	return cmd
}
