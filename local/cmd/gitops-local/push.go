package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system"
)

func newPush(f *localFlags) *cobra.Command {
	var o system.PushOptions
	cmd := &cobra.Command{
		Use:   "push",
		Short: "Commit the working tree to the local repository, as a merge would.",
		Long: `Commit the working tree - tracked and untracked files that are not ignored - on top
of the local repository's main, push it, and wait: until Flux applied the commit,
and until the pipelines whose triggers match its changes ended, or wait for an
approval or a window. The triggers are those of the deployed stack local-delivery.

The checkout's own index, branches and commits are not touched. Exit code 1 and the
cause when a Kustomization, a rollout or a pipeline failed.`,
		Example: `  gitops local push
  gitops local push --message "Two replicas"
  gitops local push --no-wait`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			p, err := s.Push(cmd.Context(), o)
			done()
			if err != nil {
				return err
			}
			switch {
			case p.Unchanged():
				fmt.Fprintf(cmd.ErrOrStderr(), "Nothing changed since main@%.8s.\n", p.ID)
			case o.NoWait:
				fmt.Fprintf(cmd.ErrOrStderr(), "Follow it with '%s local status'.\n", command(s))
			case waits(p, pipelines.Waiting) != nil:
				fmt.Fprintf(cmd.ErrOrStderr(), "The deployment of main@%.8s waits for '%s local approve'.\n", p.ID, command(s))
			case waits(p, pipelines.Held) != nil:
				fmt.Fprintf(cmd.ErrOrStderr(), "The deployment of main@%.8s waits for its window, which %s; if it cannot wait, '%s local override'.\n", p.ID, waits(p, pipelines.Held).Opens(), command(s))
			default:
				fmt.Fprintf(cmd.ErrOrStderr(), "main@%.8s is live, applied %s after the push. To undo it, revert the files and push again.\n", p.ID, progress.Seconds(p.Applied))
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&o.Message, "message", "m", "", "the commit's message")
	cmd.Flags().BoolVar(&o.NoWait, "no-wait", false, "return as soon as it is pushed")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 15*time.Minute, "how long to wait")
	return cmd
}

// waits is an execution that the push started and that shows a status, or nil.
func waits(p system.Pushed, status pipelines.Status) *pipelines.Execution {
	if i := slices.IndexFunc(p.Executions, func(e *pipelines.Execution) bool { return e.Shown() == status }); i >= 0 {
		return p.Executions[i]
	}
	return nil
}
