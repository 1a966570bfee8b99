package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/spf13/cobra"

	alerts "k8s-plus-aws-gitops/functions/alerts/handler"
	database "k8s-plus-aws-gitops/functions/database/handler"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/endpoint/function"
)

// functions are those of the product, by the handlers of their templates.
var functions = map[string]func(aws.Config) error{"alerts": alerts.Serve, "database": database.Serve}

// newFunction is the program of a function, as Lambda would run it: the endpoint starts it and gives it its event.
func newFunction() *cobra.Command {
	names := slices.Sorted(maps.Keys(functions))
	return &cobra.Command{
		Use:       "function " + strings.Join(names, "|"),
		Short:     "Run a function of Lambda.",
		Long:      "Run a function of Lambda, which asks the Runtime API at AWS_LAMBDA_RUNTIME_API\nfor its event. The AWS endpoint runs it.",
		Example:   `  AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001 gitops local function database`,
		Hidden:    true,
		ValidArgs: names,
		Args:      cli.Args(cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs)),
		RunE:      func(_ *cobra.Command, args []string) error { return functions[args[0]](function.AWS()) },
	}
}
