package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/services"
)

func newServiceAdd(_ *serviceFlags) *cobra.Command {
	var n services.New
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a service: its file, and what makes Flux follow it.",
		Long: `Write k8s/services/NAME.yaml and the fleet of every environment. Commit
both in one pull request; when it is merged, Flux waits for the branch that
'gitops service publish' makes. Nothing is written when the file would be refused.

With --repository the service is in a repository of its own: the file then is its
registration, which says what it may have. 'gitops service init' in that repository
writes the rest.`,
		Example: `  gitops service add npm --image ghcr.io/nodezoo/nodezoo-npm:1.4.2 --port 8080
  gitops service add info --image ghcr.io/nodezoo/nodezoo-info:3.0.1 --host info
  gitops service add orders --image example.com/orders:1.0.0 --database postgres
  gitops service add shop --repository https://github.com/my-company/shop.git \
    --owner @my-company/shop --host shop --queue`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			n.Name = names[0]
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			return addService(cmd, root, n)
		},
	}
	cmd.Flags().StringVar(&n.Image, "image", "", "image with a version (required)")
	cmd.Flags().IntVar(&n.Port, "port", 8080, "port that the container listens on")
	cmd.Flags().StringVar(&n.Host, "host", "", "make it public at this name below the environment's domain")
	cmd.Flags().StringVar(&n.Database, "database", "", "give it a database in RDS: mysql or postgres")
	cmd.Flags().BoolVar(&n.Cache, "cache", false, "give it a cache in ElastiCache, which speaks the protocol of Redis")
	cmd.Flags().BoolVar(&n.Bucket, "bucket", false, "give it a bucket in S3")
	cmd.Flags().BoolVar(&n.Queue, "queue", false, "give it a queue in SQS")
	cmd.Flags().BoolVar(&n.Topic, "topic", false, "give it a topic in SNS, to which queues of others subscribe")
	cmd.Flags().StringVar(&n.Table, "table", "", "give it a table in DynamoDB with this partition key")
	cmd.Flags().BoolVar(&n.Mail, "mail", false, "let it send mail by SES, from noreply@NAME.<the environment's domain>")
	cmd.Flags().BoolVar(&n.Assets, "assets", false, "let it read its static files in k8s/services/NAME/assets")
	cmd.Flags().StringVar(&n.Repository, "repository", "", "register a service of this repository, instead of --image, --port and --health")
	cmd.Flags().StringVar(&n.Publisher, "publisher", "", "what a tag of that repository starts: github, a workflow there, or codebuild, a project of the platform (default: github)")
	cmd.Flags().StringVar(&n.Owner, "owner", "", "who answers for what is registered: @team, @user or a mail address")
	cmd.Flags().StringVar(&n.Health, "health", "", "path that answers when the service is well")
	return cmd
}

func addService(cmd *cobra.Command, root string, n services.New) error {
	switch {
	case n.Repository == "" && n.Image == "":
		return cli.UsageError{Err: errors.New("--image: name the service's image, with a version")}
	case n.Repository == "" && n.Owner != "":
		return cli.UsageError{Err: errors.New("--owner: goes with --repository")}
	case n.Repository == "" && n.Publisher != "":
		return cli.UsageError{Err: errors.New("--publisher: goes with --repository")}
	case n.Repository != "" && (n.Image != "" || n.Health != "" || cmd.Flags().Changed("port")):
		return cli.UsageError{Err: errors.New("--image, --port, --health: leave them out; with --repository the service's own file says it")}
	}
	file := filepath.Join(services.FilesDir, n.Name+".yaml")
	target := filepath.Join(root, file)
	content := n.File()
	if existing, err := os.ReadFile(target); err == nil {
		if bytes.Equal(existing, content) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s is there already.\n", file)
			return nil
		}
		return fmt.Errorf("%s is there already; edit it, or choose another name", file)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, problems := services.Parse(file, content); len(problems) > 0 {
		return problems // before anything is written
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(target, content, 0o644); err != nil { //nolint:gosec // a file of the repository
		return err
	}
	loaded, err := services.Load(root)
	if err == nil {
		var written []string
		if written, err = generate(root, loaded); err == nil {
			for _, name := range append([]string{file}, written...) {
				fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			next := publishedBy(loaded, n.Name)
			if n.Repository != "" {
				next = "After their merge, run in a checkout of " + n.Repository + ":\n  gitops service init --name " + n.Name + " --platform URL@TAG"
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Commit these files. %s\n", next)
			return nil
		}
	}
	// A file that does not go with the others is not left behind.
	return errors.Join(err, os.Remove(target))
}

// publishedBy says what brings a service's manifests to its branches.
func publishedBy(loaded services.Fleet, name string) string {
	byMerge := slices.DeleteFunc(loaded.Names(), func(environment string) bool { return !loaded.Config.For(environment).ByMerge() })
	by := fmt.Sprintf("ublish with 'gitops service publish %s --env …', or push the tag %s/v1.0.0.", name, name)
	switch len(byMerge) {
	case 0:
		return "P" + by
	case len(loaded.Clusters):
		return "Their merge publishes it."
	}
	return "Their merge publishes it to " + strings.Join(byMerge, ", ") + "; to others p" + by
}
