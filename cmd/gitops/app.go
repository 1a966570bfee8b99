package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/scaffold"
)

func newApp() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "app",
		Short: "Add and remove applications that are written in Go and YAML.",
		Long: `Add and remove applications whose AWS half is a Go file in app-resources and whose
Kubernetes half is a folder in k8s/apps, as Ghost's are. Most need neither: see
'gitops service'.`,
		Example: "  gitops app add shop --image ghcr.io/my-company/shop:1.0.0",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newAppAdd(), newAppRemove())
	return cmd
}

func newAppAdd() *cobra.Command {
	var a scaffold.App
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Write an application: its Go file, its manifests and its page.",
		Long: `Write app-resources/NAME.go with a database, a bucket and the role of the pods, its
test, the manifests in k8s/apps/NAME, and docs/addons/NAME.md. They can be deployed
as they are, in every environment, and are yours to change.

Nothing is written when the name is taken or would be refused in AWS. The files that
were written go to stdout.`,
		Example: `  gitops app add shop --image ghcr.io/my-company/shop:1.0.0
  gitops app add shop --image ghcr.io/my-company/shop:1.0.0 --port 3000 \
    --health /healthz`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if a.Image == "" {
				return cli.UsageError{Err: errors.New("--image: name the application's image, with a version")}
			}
			a.Name = names[0]
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			files, err := scaffold.Add(root, a)
			if err != nil {
				return err
			}
			for _, file := range files {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			fmt.Fprint(cmd.ErrOrStderr(), "Renew the golden files and test it, then commit:\n  make golden\n  make check test\n")
			return nil
		},
	}
	cmd.Flags().StringVar(&a.Image, "image", "", "image with a version (required)")
	cmd.Flags().IntVar(&a.Port, "port", 8080, "port that the container listens on")
	cmd.Flags().StringVar(&a.Health, "health", "", "path that answers when the application is well")
	return cmd
}

func newAppRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Remove an application's files.",
		Long: `Remove what 'gitops app add' wrote, whatever became of it since. When that is
merged, Flux removes the pods with their namespace. The stack in each environment
stays, with its data: 'gitops teardown ENVIRONMENT --stack NAME' removes it.`,
		Example: "  gitops app remove shop",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			gone, err := scaffold.Remove(root, names[0])
			for _, file := range gone {
				fmt.Fprintln(cmd.OutOrStdout(), file)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Renew the golden files and test it, then commit and merge:\n  make golden\n  make check test\nThe stacks <environment>-%[1]s stay, with their data. For each, after the merge:\n  gitops teardown ENVIRONMENT --stack %[1]s\n", names[0])
			return nil
		},
	}
}
