// Command gitops-local is the plug-in `gitops local`: it runs the platform on this machine, and leads the commands of
// gitops to the environment local.
//
// Exit codes: 0 success, 1 an error, 2 a wrong command line.
package main

import (
	"context"
	"io"
	"os"

	"k8s-plus-aws-gitops/internal/cli"
)

func main() {
	os.Exit(cli.Main(run))
}

// run runs the command line and returns the exit code.
func run(ctx context.Context, args []string, out, errs io.Writer) int {
	return cli.Run(ctx, newRoot(), args, out, errs)
}
