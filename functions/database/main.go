// The function of a database, as Lambda runs it: package handler.
package main

import "k8s-plus-aws-gitops/functions/database/handler"

func main() { handler.Main() }
