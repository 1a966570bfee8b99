package main

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/awsclient"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/endpoints"
)

// loadConfig returns the checkout and its configuration.
func loadConfig() (string, config.Config, error) {
	root, err := checkout.Root()
	if err != nil {
		return "", config.Config{}, err
	}
	c, err := config.LoadDir(root)
	return root, c, err
}

// loadEnvironments returns the checkout and the environments that are named, each once, or all.
func loadEnvironments(names []string) (string, []config.Environment, error) {
	root, c, err := loadConfig()
	if err != nil {
		return "", nil, err
	}
	found, err := c.Select(strings.Join(names, ","))
	if err != nil {
		return "", nil, cli.UsageError{Err: err}
	}
	return root, found, nil
}

// loadEnvironment returns the checkout and one of its environments, and leads the commands of this process to it.
func loadEnvironment(cmd *cobra.Command, name string) (string, config.Environment, error) {
	root, found, err := loadEnvironments([]string{name})
	if err != nil {
		return "", config.Environment{}, err
	}
	return root, found[0], endpoints.Use(cmd.Context(), name)
}

// awsOf is AWS in an environment's region, whatever the caller's own is, by the caller's credentials.
func awsOf(ctx context.Context, region string) (aws.Config, error) {
	return awsclient.Load(ctx, awsconfig.WithRegion(region))
}

// patientAWS is the same for what can wait when AWS does not answer.
func patientAWS(ctx context.Context, region string) (aws.Config, error) {
	return awsclient.Load(ctx, awsconfig.WithRegion(region), awsclient.Patient)
}
