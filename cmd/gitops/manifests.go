package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/manifests"
)

func newManifests() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "manifests",
		Short:   "Check the Kubernetes half.",
		Long:    "Check the manifests in k8s/ without a cluster.",
		Example: "  gitops manifests validate",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newManifestsValidate())
	return cmd
}

func newManifestsValidate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [ENVIRONMENT]...",
		Short: "Build, substitute and validate the manifests of each environment.",
		Long: `Build each environment as Flux does, substitute its facts, render its charts and
hold every object to the schema of its kind at the pinned versions, to the
environment's policies, and to kube-score.

Charts that the local system does not run are downloaded from their repositories,
once. Without a network the local version stands in, and stderr says so.

Each problem is one line on stdout: file, object, what is wrong, the remedy.
Exit code 1 when there is one.`,
		Example: `  gitops manifests validate
  gitops manifests validate local production`,
		RunE: func(cmd *cobra.Command, names []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			problems, err := manifests.Check(cmd.Context(), manifests.Options{
				Root: root, Environments: names, Score: manifests.KubeScore(root),
				Notice: func(s string) { fmt.Fprintln(cmd.ErrOrStderr(), s) },
			})
			if err != nil {
				return err
			}
			for _, p := range problems {
				fmt.Fprintln(cmd.OutOrStdout(), p)
			}
			if len(problems) > 0 {
				return cli.SilentError{}
			}
			fmt.Fprintln(cmd.ErrOrStderr(), "The manifests are valid.")
			return nil
		},
	}
}
