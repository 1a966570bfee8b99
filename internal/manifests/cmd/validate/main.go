// Command validate checks the Kubernetes half of the repository in the working directory and prints one
// line per problem. It exits 1 if there is one, 2 if the check could not be made.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"

	"k8s-plus-aws-gitops/internal/manifests"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	problems, err := manifests.Check(ctx, manifests.Options{Environments: os.Args[1:]})
	if err != nil {
		fmt.Fprintf(os.Stderr, "validate: %v\n", err)
		stop()
		os.Exit(2)
	}
	for _, problem := range problems {
		fmt.Println(problem)
	}
	if len(problems) > 0 {
		stop()
		os.Exit(1)
	}
}
