package main

import (
	"cmp"
	"errors"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/system"
	"k8s-plus-aws-gitops/local/system/layout"
	"k8s-plus-aws-gitops/local/system/supervise"
)

// stateVariable names the state directory for the commands of gitops that have no flag for it.
const stateVariable = "GITOPS_LOCAL_STATE"

func newEndpoints(f *localFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "endpoints",
		Short: "Print the variables that lead the AWS SDKs, kubectl and git to the system.",
		Long: `Print the variables that lead the AWS SDKs, kubectl and git to the system, as one
JSON object. gitops asks for them when a command works on the environment local.

The state directory is that of --state, that of the system whose pipelines run this
command, that of ` + stateVariable + `, or .local in the checkout.`,
		Example: `  gitops local endpoints
  ` + stateVariable + `=/tmp/second gitops service status --env local`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			dir, err := layout.Open(cmp.Or(f.state, os.Getenv(supervise.StateVariable), os.Getenv(stateVariable)), root)
			if err != nil {
				return err
			}
			ports, err := dir.LoadPorts()
			if err != nil {
				return err
			}
			if ports[layout.AWS] == 0 || ports[layout.Git] == 0 {
				return errors.New("the local system does not run: run `gitops local up` first")
			}
			return cli.JSON(cmd.OutOrStdout(), system.Endpoints(dir, ports, os.Getenv))
		},
	}
}
