package main

import (
	"cmp"
	"os"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/local/pipelines/docker"
	"k8s-plus-aws-gitops/local/system/deploy"
)

// newDocker is the command `docker` of the builds of pipelines; local/README.md.
func newDocker() *cobra.Command {
	return &cobra.Command{
		Use:                "docker COMMAND",
		Short:              "Stand in for docker in the builds of pipelines.",
		Long:               "Stand in for docker in the builds of pipelines: record the image and give its\nmanifest to the local ECR. Nothing is built.",
		Example:            "  gitops local docker buildx build --push --tag REGISTRY/local/app:1 dockerbuild",
		Hidden:             true,
		DisableFlagParsing: true, // they are docker's
		RunE: func(cmd *cobra.Command, args []string) error {
			wd, err := os.Getwd()
			if err != nil {
				return err
			}
			config := deploy.Config(os.Getenv("AWS_ENDPOINT_URL"))
			config.RetryMaxAttempts = 3
			c := docker.Command{AWS: config, Dir: wd, Config: cmp.Or(os.Getenv("DOCKER_CONFIG"), wd), In: cmd.InOrStdin(), Out: cmd.OutOrStdout()}
			return c.Run(cmd.Context(), args)
		},
	}
}
