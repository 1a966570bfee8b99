package main

import (
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/functions/database/handler"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/endpoint/function"
)

// newFunction is the program of a function, as Lambda would run it: the endpoint starts it and gives it its event.
func newFunction() *cobra.Command {
	return &cobra.Command{
		Use:       "function database",
		Short:     "Run a function of Lambda.",
		Long:      "Run a function of Lambda, which asks the Runtime API at AWS_LAMBDA_RUNTIME_API\nfor its event. The AWS endpoint runs it.",
		Example:   `  AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 gitops local function database`,
		Hidden:    true,
		ValidArgs: []string{"database"},
		Args:      cli.Args(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		RunE:      func(*cobra.Command, []string) error { return handler.Serve(function.AWS()) },
	}
}
