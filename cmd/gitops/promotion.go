package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/promotion"
)

func newPromotion() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "promotion FROM TO",
		Short: "Say what a promotion from one environment to the next carries.",
		Long: `Say what a pull request from the branch of one environment to the branch of
another carries: commits, settings, pipelines that it starts, versions of images and
charts, manifests; and where GitHub opens it. As Markdown on stdout, for the pull
request's description. Nothing is changed. Run git fetch first.

With --write it writes the images that FROM runs into the file of TO's images in
this checkout, by tag and digest, for the commit that brings them. It is for a TO
that runs the images of FROM (delivery.imagesFrom in cdk.json): its pipeline copies
them before it releases the commit.`,
		Example: `  gitops promotion integration production --write
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
			if write {
				return takeImages(cmd, root, p)
			}
			p.Write(cmd.OutOrStdout())
			return nil
		},
	}
	cmd.Flags().BoolVar(&write, "write", false, "write the images that FROM runs into TO's file, and print no description")
	return cmd
}

// takeImages writes the images and says what comes next.
func takeImages(cmd *cobra.Command, root string, p *promotion.Promotion) error {
	changes, err := p.TakeImages(root)
	if err != nil {
		return err
	}
	out, file := cmd.OutOrStdout(), "k8s/clusters/"+p.To.Name+"/images.yaml"
	for _, c := range changes {
		fmt.Fprintf(out, "%s: %s: %s -> %s\n", file, c.Name, c.Old, c.New)
	}
	if len(changes) == 0 {
		fmt.Fprintf(out, "%s names what %s runs.\n", file, p.From.Name)
	}
	fmt.Fprintf(out, "Next: bring %s to branch %s if it is not there, in a commit of its own; the pull request from %[2]s to %[3]s carries it.\n", file, p.From.Branch, p.To.Branch)
	return nil
}
