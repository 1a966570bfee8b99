package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/standin"
)

// newStandIn is the program behind the images that local/platform.yaml describes by what they answer.
func newStandIn() *cobra.Command {
	var host string
	cmd := &cobra.Command{
		Use:     "stand-in",
		Short:   "Stand in for a container image.",
		Long:    "Stand in for a container image, by the answers that the variable\n" + standin.Variable + " holds. Pods run it.",
		Example: `  ` + standin.Variable + `='{"port": 8080, "answers": {"/": "{}"}}' gitops local stand-in`,
		Hidden:  true,
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var p standin.Program
			if err := json.Unmarshal([]byte(os.Getenv(standin.Variable)), &p); err != nil {
				return fmt.Errorf("%s: %w: set it to what local/platform.yaml has as standIn, as JSON", standin.Variable, err)
			}
			return p.Run(cmd.Context(), host)
		},
	}
	cmd.Flags().StringVar(&host, "host", "127.0.0.1", "loopback address")
	return cmd
}
