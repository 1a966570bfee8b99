// The function of a database, as Lambda runs it: package handler.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/config"

	"k8s-plus-aws-gitops/functions/database/handler"
)

func main() {
	c, err := config.LoadDefaultConfig(context.Background())
	if err == nil {
		err = handler.Serve(c)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "the function cannot start:", err)
		os.Exit(1)
	}
}
