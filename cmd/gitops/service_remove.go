package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/assets"
	"k8s-plus-aws-gitops/internal/services/publish"
)

// removeFlags are those of remove alone.
type removeFlags struct {
	kubeconfig   string
	timeout      time.Duration
	withoutCheck bool
}

func newServiceRemove(f *serviceFlags) *cobra.Command {
	var r removeFlags
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: "Take a service out of the fleet, then delete its branch.",
		Long: `Without --env: remove the service's file and its part of every environment's fleet.
Commit and merge that; Flux prunes the service and its namespace.

With --env, after the merge: wait until the cluster has neither the service's
Kustomization nor its namespace, then delete its branch. The order matters: a branch
that went first would leave Flux with nothing to prune by.

It prints what stays, and why.`,
		Example: `  gitops service remove npm              # then commit, merge
  gitops service remove npm --env dev    # wait, then delete the branch`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, loaded, err := f.load()
			if err != nil {
				return err
			}
			if f.environment == "" {
				return removeFromFleet(cmd, root, loaded, names[0])
			}
			return f.removeBranch(cmd, root, loaded, names[0], r)
		},
	}
	cmd.Flags().StringVar(&r.kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	cmd.Flags().DurationVar(&r.timeout, "timeout", 5*time.Minute, "how long to wait for Flux")
	cmd.Flags().BoolVar(&r.withoutCheck, "without-check", false, "delete the branch without asking the cluster")
	return cmd
}

// removeFromFleet edits the checkout.
func removeFromFleet(cmd *cobra.Command, root string, loaded services.Fleet, name string) error {
	s, known := loaded.Service(name)
	if !known {
		return fmt.Errorf("there is no service %q in %s; to delete its branch, name an environment: gitops service remove %s --env …", name, services.FilesDir, name)
	}
	for _, other := range loaded.Services {
		for _, c := range loaded.Clusters {
			spec := other.Resolve(c)
			switch {
			case other.Name == name:
			case slices.Contains(spec.Calls, name):
				return fmt.Errorf("%s calls %s; remove the call first", other.File, name)
			case spec.AWS != nil && spec.AWS.Queue != nil && slices.Contains(spec.AWS.Queue.Subscribes, name):
				return fmt.Errorf("%s subscribes to %s; remove the subscription first", other.File, name)
			}
		}
	}
	if err := os.Remove(filepath.Join(root, s.File)); err != nil {
		return err
	}
	rest, err := services.Load(root)
	if err != nil {
		return err
	}
	written, err := generate(root, rest)
	if err != nil {
		return err
	}
	for _, file := range append([]string{s.File}, written...) {
		fmt.Fprintln(cmd.OutOrStdout(), file)
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Commit and merge these files; then, for each of %s: gitops service remove %s --env …\n", strings.Join(loaded.Names(), ", "), name)
	stays(cmd, root, name, loaded.Clusters...)
	return nil
}

// removeBranch waits for Flux and deletes the branch.
func (f *serviceFlags) removeBranch(cmd *cobra.Command, root string, loaded services.Fleet, name string, r removeFlags) error {
	c, err := f.cluster(loaded)
	if err != nil {
		return err
	}
	if s, known := loaded.Service(name); known && s.Enabled(f.environment) {
		return fmt.Errorf("%s is in the fleet of %s: run `gitops service remove %s` without --env first, commit and merge", name, f.environment, name)
	}
	url, err := f.url(cmd.Context(), loaded)
	if err != nil {
		return err
	}
	if !r.withoutCheck {
		watched, err := f.observe(cmd, r.kubeconfig, toChange)
		if err != nil {
			return err
		}
		if err := pruned(cmd, watched, f.environment, name, r.timeout); err != nil {
			return err
		}
	}
	gone, err := publish.Delete(cmd.Context(), url, []string{loaded.Config.For(f.environment).Ref(f.environment, name)})
	if err != nil {
		return err
	}
	if len(gone) == 0 {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s has no branch in %s.\n", name, f.environment)
	}
	for _, branch := range gone {
		fmt.Fprintln(cmd.OutOrStdout(), branch)
	}
	stays(cmd, root, name, c)
	return nil
}

// pruned waits until Flux has removed the service.
func pruned(cmd *cobra.Command, c *flux.Cluster, environment, name string, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	for {
		left, err := c.Left(ctx, name)
		switch {
		case err != nil && cmd.Context().Err() == nil && ctx.Err() != nil:
			return fmt.Errorf("the cluster did not answer within %s: %w; the branch stays", limit, err)
		case err != nil:
			return err
		case left == "":
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(cmd.Context().Err(), fmt.Errorf("%s is still there after %s, so the branch stays; is the removal merged? see `gitops service status --env %s`", left, limit, environment))
		case <-time.After(time.Second):
		}
	}
}

// stays says what a removal leaves: data, which only people decide about.
func stays(cmd *cobra.Command, root, name string, clusters ...services.Cluster) {
	w := cmd.ErrOrStderr()
	fmt.Fprintf(w, "What stays, because it cannot be made again from Git:\n")
	fmt.Fprintf(w, "  secrets below /<environment>/%s/ in AWS Secrets Manager\n", name)
	fmt.Fprintf(w, "  its stack in each environment, if it had aws: gitops teardown ENVIRONMENT --stack %s\n", name)
	fmt.Fprintf(w, "  images of %s in their registry, which the published branches' history names\n", name)
	if _, err := os.Stat(filepath.Join(root, services.FilesDir, name, assets.Folder)); err == nil {
		fmt.Fprintf(w, "  %s/%s, its static files: remove the folder in the same commit\n", services.FilesDir, name)
	}
	fmt.Fprintf(w, "And, because pages and caches elsewhere may still point there, the static files in S3, if it had any:\n")
	for _, c := range clusters {
		fmt.Fprintf(w, "  aws s3 rm --recursive s3://%s/%s\n", c.AssetsBucket, assets.Prefix(config.AssetsPrefix, name))
	}
}
