package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/local/stack"
	"k8s-plus-aws-gitops/local/stack/progress"
	"k8s-plus-aws-gitops/local/stack/report"
)

func newUp(f *localFlags) *cobra.Command {
	var o stack.UpOptions
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the system up, or what is missing of it.",
		Long: `Install and build what is missing, start the processes, deploy the stacks with the
CDK CLI and wait until Flux has applied the repository and Ghost answers.

The first run takes ten minutes or more: it builds the controllers from source.
They are cached outside the checkout, so later runs take seconds to a minute, and
a run on a running system changes nothing. The local Git repository begins with
the checkout's HEAD; later changes go there by 'gitops local push'.

When a step fails, its log and the remedy are named, what was started is stopped
and the state is kept: the next run goes on from there.`,
		Example: `  gitops local up
  gitops local up --state /tmp/second`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			began := time.Now()
			status, err := s.Up(cmd.Context(), o)
			done()
			if err != nil {
				return err
			}
			summary(cmd.OutOrStdout(), s, status, time.Since(began))
			return nil
		},
	}
	cmd.Flags().BoolVar(&o.KeepOnFailure, "keep-on-failure", false, "leave processes running when a step fails")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 15*time.Minute, "how long to wait for Flux and for Ghost, each")
	return cmd
}

// summary is what a person does next.
func summary(w io.Writer, s *stack.Stack, status *report.Status, took time.Duration) {
	fmt.Fprintf(w, "\nUp in %s.\n\n", progress.Seconds(took))
	ghost := ""
	for _, u := range status.URLs {
		fmt.Fprintf(w, "  %-12s %s\n", u.Name, u.URL)
		if u.Name == "Ghost" {
			ghost = u.URL
		}
	}
	fmt.Fprintf(w, "  %-12s %s\n  %-12s %s\n", "kubeconfig", s.Dir.Kubeconfig(), "authority", s.Dir.Path("ca", "ca.crt"))
	if len(status.Recorded) > 0 {
		fmt.Fprintf(w, "\nThe stacks' resources of these types are recorded only, no service acts on them:\n  %s\n", strings.Join(status.Recorded, "\n  "))
	}
	fmt.Fprintf(w, `
Next:
  1. curl --cacert %s %s
  2. Change replicas in k8s/apps/ghost/deployment.yaml or the database in
     cdk.json, then: %[3]s local push
  3. . %[4]s && kubectl get pods -A
     %[3]s local status
`, s.Dir.Path("ca", "ca.crt"), ghost, command(s), s.Dir.Path("env"))
}

// command is how this program is called from the checkout.
func command(s *stack.Stack) string {
	if rel, err := filepath.Rel(s.Dir.Repo, s.Executable); err == nil && !strings.HasPrefix(rel, "..") {
		return rel
	}
	return "gitops"
}
