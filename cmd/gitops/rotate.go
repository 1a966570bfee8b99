package main

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/spf13/cobra"
	"k8s.io/client-go/kubernetes"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rotate"
	"k8s-plus-aws-gitops/internal/services"
)

func newRotate() *cobra.Command {
	var environment, kubeconfig, output string
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "rotate NAME",
		Short: "Change the password of an application's database now.",
		Long: `Change the password of an application's database now, instead of when it is due, and
wait until its pods run with the new one. No request fails by it: the former
password works until the next rotation. So after a leak run it twice.

NAME is the application's, such as ghost, or that of a service with a database. It
needs the right to rotate the secret, and to list Deployments. docs/guides/rotate.md
has what happens and what to do when it does not.`,
		Example: `  gitops rotate ghost --env dev
  gitops rotate orders --env dev --output json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a line", output)}
			}
			rotation, err := rotationOf(cmd, names[0], environment, kubeconfig)
			if err != nil {
				return err
			}
			display := progress.New(cmd.ErrOrStderr())
			rotation.Say = func(text string) { display.Say("%s: %s", rotation.Secret, text) }
			ctx, cancel := context.WithTimeoutCause(cmd.Context(), timeout, fmt.Errorf("not done after %s", timeout))
			defer cancel()
			result, err := rotation.Run(ctx)
			display.Close()
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), result)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), result)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&environment, "env", "e", "dev", "environment of cdk.json")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.StringVarP(&output, "output", "o", "", "json, or a line when left out")
	flags.DurationVar(&timeout, "timeout", 10*time.Minute, "how long to wait for all of it")
	return cmd
}

// rotationOf is the rotation of an application's database in an environment.
func rotationOf(cmd *cobra.Command, name, environment, kubeconfig string) (rotate.Rotation, error) {
	_, env, err := loadEnvironment(cmd, environment)
	if err != nil {
		return rotate.Rotation{}, err
	}
	c, err := awsOf(cmd.Context(), env.Region)
	if err != nil {
		return rotate.Rotation{}, err
	}
	access, err := clusterAccess(cmd.Context(), kubeconfig, c, env, toChange)
	if err != nil {
		return rotate.Rotation{}, err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return rotate.Rotation{}, err
	}
	return rotate.Rotation{
		Secrets: secretsmanager.NewFromConfig(c), Deployments: client.AppsV1().Deployments(name), Secret: env.SecretName(name, services.UserThing),
	}, nil
}
