// The function that publishes the errors of Flux, as Lambda runs it: package handler.
package main

import (
	"context"
	"fmt"
	"os"

	"k8s-plus-aws-gitops/functions/alerts/handler"
	"k8s-plus-aws-gitops/internal/awsclient"
)

func main() {
	c, err := awsclient.Load(context.Background())
	if err == nil {
		err = handler.Serve(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the function cannot start:", err)
		os.Exit(1)
	}
}
