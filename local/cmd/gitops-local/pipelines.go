package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/pipelines"
)

func newPipelines(f *localFlags) *cobra.Command {
	var output, release string
	var limit int
	cmd := &cobra.Command{
		Use:   "pipelines [PIPELINE]",
		Short: "List the executions of the pipelines, as the console does.",
		Long: `List the executions of the pipelines, the newest first: their status, stage, commit,
start, duration and the stages that they skipped. Below the table: the end of
the log of what failed last, what waits for an approval, and what the last
deployment told its commit. Each action's log is in the state directory.`,
		Example: `  gitops local pipelines
  gitops local pipelines local-deploy --output json
  gitops local pipelines --release local-deploy   # run it again`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			if release != "" {
				if err := s.Release(release); err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "%s starts. Follow it with '%s local pipelines'.\n", release, command(s))
				return nil
			}
			all, err := pipelines.List(pipelines.Folder(s.Dir))
			if err != nil {
				return err
			}
			all = pipelines.Of(all, names, limit)
			shown := pipelines.WithTails(all)
			if err := pipelines.Tell(pipelines.Folder(s.Dir), shown); err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), shown)
			}
			pipelines.Write(cmd.OutOrStdout(), all, time.Now())
			pipelines.WriteTold(cmd.OutOrStdout(), shown)
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	cmd.Flags().StringVar(&release, "release", "", "start this pipeline for the end of its branch")
	cmd.Flags().IntVarP(&limit, "lines", "n", 20, "how many executions, -1 for all")
	return cmd
}
