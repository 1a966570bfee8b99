package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/system"
)

func newRun(f *localFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "run DAEMON",
		Short:   "Run one process of the system in the foreground.",
		Long:    "Run one process of the system in the foreground, as the supervisor does. It is one\nof: " + strings.Join(system.Daemons(), ", ") + ".",
		Example: "  gitops local run alb --state .local",
		Hidden:  true,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			wd, err := os.Getwd()
			if err != nil {
				return err
			}
			s, err := system.Open(f.state, wd)
			if err != nil {
				return err
			}
			level := slog.LevelInfo
			if os.Getenv("GITOPS_DEBUG") != "" {
				level = slog.LevelDebug
			}
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			err = s.Daemon(cmd.Context(), names[0], log)
			if errors.Is(err, context.Canceled) {
				return nil // how every daemon is told to end
			}
			return err
		},
	}
}
