package main

import (
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/promotion"
)

func newPromotion() *cobra.Command {
	return &cobra.Command{
		Use:   "promotion FROM TO",
		Short: "Say what a promotion from one environment to the next carries.",
		Long: `Say what a pull request from the branch of one environment to the branch of
another carries: commits, settings, pipelines that it starts, versions of images and
charts, manifests; and where GitHub opens it. As Markdown on stdout, for the pull
request's description. Nothing is changed. Run git fetch first.`,
		Example: `  gitops promotion integration production
  gitops promotion integration production > description.md`,
		Args: cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			c, err := config.LoadDir(root)
			if err != nil {
				return err
			}
			p, err := promotion.Find(cmd.Context(), root, c, names[0], names[1])
			if err != nil {
				return err
			}
			p.Write(cmd.OutOrStdout())
			return nil
		},
	}
}
