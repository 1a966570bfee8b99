// The function of a database, as Lambda runs it: package handler.
package main

import (
	"fmt"
	"os"

	"k8s-plus-aws-gitops/functions/database/handler"
)

func main() {
	if err := handler.Serve(); err != nil {
		fmt.Fprintln(os.Stderr, "the function cannot start:", err)
		os.Exit(1)
	}
}
