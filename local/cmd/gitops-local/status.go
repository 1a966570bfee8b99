package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/system/report"
)

func newStatus(f *localFlags) *cobra.Command {
	var output string
	var exitCode bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show processes, stacks, Flux objects, apps and URLs.",
		Long: `Show processes, stacks, the last deployment, Flux's sources, Kustomizations and
HelmReleases, apps and URLs in one table; below it, what is wrong, each with its
cause: a pod's waiting reason, a stack's first failed event, a condition's message.`,
		Example: `  gitops local status
  gitops local status --output json
  gitops local status --exit-code   # 1 unless everything is ready`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			status, err := report.Collect(cmd.Context(), s.Dir, 15*time.Second)
			if err != nil {
				return err
			}
			if output == "json" {
				err = cli.JSON(cmd.OutOrStdout(), struct {
					*report.Status
					Problems []string `json:"problems"`
					Waiting  []string `json:"waiting"`
				}{status, status.Problems(), status.Waiting()})
			} else {
				status.Write(cmd.OutOrStdout(), time.Now())
			}
			if err == nil && exitCode && (len(status.Problems()) > 0 || len(status.Waiting()) > 0) {
				return cli.SilentError{}
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	cmd.Flags().BoolVar(&exitCode, "exit-code", false, "exit with 1 unless everything is ready")
	return cmd
}
