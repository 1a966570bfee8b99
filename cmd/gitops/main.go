// Command gitops checks the platform's manifests, reviews changes, runs a fleet of services, adds and removes
// environments, and describes promotions between them. What it has no command for, a plug-in may have.
//
// Exit codes: 0 success, 1 an error, 2 a wrong command line; or the command's own, as its help says.
package main

import (
	"context"
	"io"
	"os"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/plugin"
)

func main() {
	os.Exit(cli.Main(run))
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	root := newRoot()
	if err := plugin.Add(root, args); err != nil {
		return cli.Code(root, err, errs)
	}
	return cli.Run(ctx, root, args, out, errs)
}
