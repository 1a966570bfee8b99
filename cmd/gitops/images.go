package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/images"
)

func newImages() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "images",
		Short:   "Bring the images that an environment runs.",
		Long:    "Bring the images that an environment runs from the one that built them.",
		Example: "  gitops images copy production",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImagesCopy())
	return cmd
}

func newImagesCopy() *cobra.Command {
	var scan string
	cmd := &cobra.Command{
		Use:   "copy ENVIRONMENT",
		Short: "Copy the images that an environment's manifests name, by their digests.",
		Long: `Copy the images that k8s/clusters/<environment> names in the environment's own
registry from the registry of the environment that built them (delivery.imagesFrom
in cdk.json), by their digests: the same bytes, whatever a tag says. What is there
is left alone, so that a second run does nothing.

An image gets its tag when the program that --scan names succeeds. It is called
with the repository and the digests of the image's platforms, after they are there
and were scanned.

The environment's pipeline does it before a release. By hand it needs the rights of
that pipeline's role.`,
		Example: `  gitops images copy production`,
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root, env, err := loadEnvironment(cmd, args[0])
			if err != nil {
				return err
			}
			return copyImages(cmd, root, env, filepath.Join(root, scan))
		},
	}
	cmd.Flags().StringVar(&scan, "scan", "dockerbuild/scan.js", "`program` of the checkout that says whether an image may run")
	return cmd
}

// copyImages copies what is missing, and says what it did.
func copyImages(cmd *cobra.Command, root string, env config.Environment, scan string) error {
	out := cmd.OutOrStdout()
	if !env.CopiesImages() {
		fmt.Fprintf(out, "%s builds its own images: there is nothing to copy.\n", env.Name)
		return nil
	}
	named, err := images.Named(root, env)
	if err != nil {
		return err
	}
	if len(named) == 0 {
		fmt.Fprintf(out, "k8s/clusters/%s names no image of its registry: there is nothing to copy.\n", env.Name)
		return nil
	}
	from, err := logIn(cmd.Context(), *env.ImageSource)
	if err != nil {
		return err
	}
	to, err := logIn(cmd.Context(), env)
	if err != nil {
		return err
	}
	for _, image := range named {
		from.Name, to.Name = env.ImageSource.RepositoryName(image.Application), env.RepositoryName(image.Application)
		copied, err := images.Copy(cmd.Context(), image, from, to, scanned(cmd, env, scan))
		if err != nil {
			return err
		}
		what := "was there"
		if copied {
			what = "copied from " + from.String()
		}
		fmt.Fprintf(out, "%s: %s\n", image.In(env), what)
	}
	return nil
}

// scanned asks the program, which calls the AWS CLI. It gets nothing of a registry's login.
func scanned(cmd *cobra.Command, env config.Environment, program string) images.Allowed {
	return func(ctx context.Context, repository string, digests []string) error {
		run := exec.CommandContext(ctx, program, append([]string{repository}, digests...)...)
		run.Env = append(os.Environ(), "AWS_REGION="+env.Region)
		run.Stdout, run.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
		err := run.Run()
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			return errors.New("its scan is not allowed, see above; repair the image, or accept the finding in dockerbuild/accepted.json, and start the pipeline again")
		}
		return err
	}
}

// logIn is the registry of an environment with a login, which is good for what the caller's role may do there.
func logIn(ctx context.Context, env config.Environment) (images.Repository, error) {
	at := images.Repository{Host: env.Registry()}
	c, err := patientAWS(ctx, env.Region)
	if err != nil {
		return at, err
	}
	answer, err := ecr.NewFromConfig(c).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return at, fmt.Errorf("no login at the registry of %s: %w", env.Name, err)
	}
	var token string
	for _, a := range answer.AuthorizationData {
		token = cmp.Or(token, aws.ToString(a.AuthorizationToken))
	}
	plain, err := base64.StdEncoding.DecodeString(token)
	user, password, found := strings.Cut(string(plain), ":")
	if err != nil || !found {
		return at, fmt.Errorf("ECR gave no login at the registry of %s; try again", env.Name)
	}
	at.User, at.Password = user, password
	return at, nil
}
