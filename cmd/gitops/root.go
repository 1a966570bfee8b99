package main

import "github.com/spf13/cobra"

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gitops",
		Short: "Run the platform on this machine, check its manifests, review changes.",
		Long: `gitops runs the whole platform on this machine, without an AWS account and
without containers, checks the manifests in k8s/, reviews changes, and adds and
promotes environments.

Progress goes to stderr, data to stdout.
Exit codes: 0 success, 1 an error, 2 a wrong command line; review has its own.`,
		Example: `  gitops local up              # bring everything up
  gitops local push -m "Two replicas"
  gitops local status`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          args(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newLocal(), newManifests(), newReview(), newService(), newEnvironment(), newPromote(), newVersion())
	return root
}
