package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/restore"
)

func newSnapshot() *cobra.Command {
	var commit string
	var keep int
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "snapshot ENVIRONMENT [NAME…]",
		Short: "Make snapshots of databases before a commit migrates their schemas.",
		Long: `Make a snapshot of the database of each application or service, wait until it is
available, and remove the oldest of its kind. The pipeline does it before it
releases a commit that migrates a schema, in environments with deletion protection;
whose databases the commit migrates says gitops plan. NAME of an instance that
services share is shared-mysql or shared-postgres. Without a NAME nothing is done.

A snapshot is named by the commit, so that the same one is not made twice. It is
printed, and gitops restore NAME --snapshot takes it.`,
		Example: `  gitops snapshot production orders
  gitops snapshot production orders billing --commit 1f3a9c2 --keep 3`,
		Args: cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, env, err := loadEnvironment(cmd, args[0])
			if err != nil || len(args) == 1 {
				return err
			}
			id, err := git.Commit(cmd.Context(), root, commit)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not done after %s", timeout))
			defer cancel()
			c, err := patientAWS(ctx, env.Region)
			if err != nil {
				return err
			}
			display := progress.New(cmd.ErrOrStderr())
			defer display.Close()
			for _, name := range args[1:] {
				made, err := restore.Before{API: rds.NewFromConfig(c), Env: env, Name: name, Commit: id, Keep: keep, Say: display.Say}.Make(ctx)
				if err != nil {
					return err
				}
				fmt.Fprintln(cmd.OutOrStdout(), made)
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&commit, "commit", "HEAD", "the `commit` that migrates")
	flags.IntVar(&keep, "keep", 5, "how many of them are left for each database")
	flags.DurationVar(&timeout, "timeout", 90*time.Minute, "how long to wait for all of them")
	return cmd
}
