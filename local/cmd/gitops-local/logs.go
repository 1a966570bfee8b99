package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/system"
)

func newLogs(f *localFlags) *cobra.Command {
	var o system.LogOptions
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Show the log of a process, a step or a pod.",
		Long: `Show the log of a process (controlplane, endpoint, …), of a step of 'up', or of
pods by the beginning of their name. Without a name, list what there is.`,
		Example: `  gitops local logs
  gitops local logs endpoint --follow
  gitops local logs kustomize-controller
  gitops local logs flux-system/source-controller --lines 20`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			if len(names) == 1 {
				return s.Logs(cmd.Context(), names[0], o, cmd.OutOrStdout())
			}
			all, err := s.LogNames(cmd.Context())
			for _, n := range all {
				fmt.Fprintln(cmd.OutOrStdout(), n)
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&o.Follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().IntVarP(&o.Lines, "lines", "n", 100, "how many of the last lines, -1 for all")
	cmd.Flags().BoolVarP(&o.Previous, "previous", "p", false, "a pod's run before its last restart")
	return cmd
}
