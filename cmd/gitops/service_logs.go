package main

import (
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/rest"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/podlog"
)

func newServiceLogs(f *serviceFlags) *cobra.Command {
	var kubeconfig string
	var follow bool
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print the logs of a service's pods.",
		Long: `Print the logs of a service's pods: the last hundred lines of each container, or
those of --since. With --follow it goes on, also with pods that come later. Lines
begin with pod and container where there are several.

The cluster is reached by --kubeconfig, by $KUBECONFIG, or as EKS with the AWS
credentials at hand, which need an access entry. --env is dev when left out, or the
only environment.`,
		Example: `  gitops service logs orders --since 10m
  gitops service logs orders --env production --follow`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			access, name, err := f.reach(cmd, names[0], kubeconfig)
			if err != nil {
				return err
			}
			pods, err := podlog.Open(access, name, "app.kubernetes.io/name="+name)
			if err != nil {
				return err
			}
			pods.Since, pods.Environment = since, f.environment
			if follow {
				return pods.Follow(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
			}
			return pods.Print(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().DurationVar(&since, "since", 0, "how far back, such as 10m (default: the last hundred lines)")
	cmd.Flags().StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	return cmd
}

// reach finds a service, by its checked name, and the cluster that it runs in.
func (f *serviceFlags) reach(cmd *cobra.Command, name, kubeconfig string) (*rest.Config, string, error) {
	_, loaded, err := f.load()
	if err != nil {
		return nil, "", err
	}
	s, _, err := f.place(loaded, name)
	if err != nil {
		return nil, "", err
	}
	access, err := f.access(cmd, kubeconfig, toRead)
	return access, s.Name, err
}

// access is to the cluster of the environment that --env names.
func (f *serviceFlags) access(cmd *cobra.Command, kubeconfig string, to purpose) (*rest.Config, error) {
	_, env, err := loadEnvironment(cmd, f.environment)
	if err != nil {
		return nil, err
	}
	c, err := awsOf(cmd.Context(), env.Region)
	if err != nil {
		return nil, err
	}
	return clusterAccess(cmd.Context(), kubeconfig, c, env, to)
}
