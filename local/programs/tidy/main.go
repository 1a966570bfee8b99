// Command tidy is what `go -C local generate ./programs` runs; see [programs.Tidy].
package main

import (
	"context"
	"fmt"
	"os"

	"k8s-plus-aws-gitops/local/programs"
)

func main() {
	if err := programs.Tidy(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
