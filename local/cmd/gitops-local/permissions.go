package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/endpoint/permissions"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

func newPermissions(f *localFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "permissions",
		Short: "Compare what pods asked of AWS with what their roles allow.",
		Long: `Compare what pods asked of AWS with what the policies of their roles allow, as they
were deployed. The local AWS API notes each call of a pod, and refuses what its role
may not; everybody else may do everything. Fails when a call was refused; lists what
was granted and never used.`,
		Example: `  gitops local permissions
  gitops local permissions --output json`,
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
			ports, err := s.Dir.LoadPorts()
			if err != nil {
				return err
			}
			grants, err := permissions.Grants(cmd.Context(), deploy.Config(ports.URL(layout.AWS)))
			if err != nil {
				return fmt.Errorf("the local AWS API: %w; start it with `gitops local up`", err)
			}
			calls, err := permissions.Noted(cmd.Context(), ports.URL(layout.AWS))
			if err != nil {
				return err
			}
			verdicts := permissions.Judge(grants, calls)
			if output == "json" {
				err = cli.JSON(cmd.OutOrStdout(), verdicts)
			} else {
				permissions.Write(cmd.OutOrStdout(), verdicts)
			}
			if err != nil {
				return err
			}
			return permissions.Refused(verdicts)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	return cmd
}
