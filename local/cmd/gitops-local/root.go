package main

import (
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/system"
)

// localFlags are shared by the local commands.
type localFlags struct{ state string }

// open finds the system and shows progress on stderr. The returned function
// ends the display.
func (f *localFlags) open(cmd *cobra.Command) (*system.System, func(), error) {
	wd, err := os.Getwd()
	if err != nil {
		return nil, nil, err
	}
	s, err := system.Open(f.state, wd)
	if err != nil {
		return nil, nil, err
	}
	s.Display = progress.New(cmd.ErrOrStderr())
	return s, s.Display.Close, nil
}

func newRoot() *cobra.Command {
	f := &localFlags{}
	cmd := &cobra.Command{
		Use:         "gitops-local",
		Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "gitops local"}, // as people call it
		Short:       "Run the whole system on this machine.",
		Long: `Run the whole system on this machine: control plane, Flux, its controllers and the
applications as real programs, the AWS API and the load balancer as stand-ins. No
AWS account, no containers, no root; everything listens on loopback only and lies
in one state directory. local/README.md says what is real and what stands in.`,
		Example: `  gitops local up
  gitops local push -m "Two replicas"
  gitops local status
  gitops local down`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.PersistentFlags().StringVar(&f.state, "state", "", "state directory (default: .local in the checkout)")
	cmd.AddCommand(newUp(f), newDown(f), newReset(f), newStatus(f), newLogs(f), newPush(f), newPipelines(f), newApprove(f), newOverride(f), newPermissions(f), newMail(f), newPrograms(), newSnapshot(f), newRehearse(), newRun(f), newEndpoints(f), newDocker(), newStandIn(), newFunction())
	return cmd
}
