package main

import (
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/local/nodezoo"
)

// newNodezoo is the program behind the images of the example services; docs/local.md.
func newNodezoo() *cobra.Command {
	var c nodezoo.Config
	cmd := &cobra.Command{
		Use:     "nodezoo SERVICE",
		Short:   "Stand in for the image of an example service.",
		Long:    "Stand in for the image of an example service, one of: " + strings.Join(nodezoo.Names(), ", ") + ".\nPods run it.",
		Example: "  gitops local nodezoo npm --listen 127.0.0.1:8080",
		Hidden:  true,
		Args:    args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			c.Service = names[0]
			return nodezoo.Run(cmd.Context(), c)
		},
	}
	cmd.Flags().StringVar(&c.Listen, "listen", "127.0.0.1:8080", "loopback address")
	cmd.Flags().StringVar(&c.Featured, "featured", "", "file with the packages of info's front page")
	return cmd
}
