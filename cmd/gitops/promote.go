package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/promotion"
)

func newPromote() *cobra.Command {
	return &cobra.Command{
		Use:   "promote FROM TO",
		Short: "Say what a promotion from one environment to the next carries.",
		Long: `Say what a pull request from the branch of one environment to the branch of
another carries: commits, settings, pipelines that it starts, versions of images and
charts, manifests; and where GitHub opens it. As Markdown on stdout, for the pull
request's description. Nothing is changed. Run git fetch first.`,
		Example: `  gitops promote integration production
  gitops promote integration production > description.md`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, err := checkoutRoot()
			if err != nil {
				return err
			}
			c, err := config.LoadFile(filepath.Join(root, "cdk.json"))
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
