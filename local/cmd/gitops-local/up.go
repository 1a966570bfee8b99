package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/system"
	"k8s-plus-aws-gitops/local/system/report"
)

func newUp(f *localFlags) *cobra.Command {
	var o system.UpOptions
	var from string
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the system up, or what is missing of it.",
		Long: `Install and build what is missing, start the processes, deploy the stacks with the
CDK CLI and wait until Flux has applied the repository and the URLs of
local/platform.yaml answer.

The first run takes ten minutes or more: it builds the controllers from source, or
takes them out of released images ('gitops local programs --help').
They are cached outside the checkout, so later runs take about 80 seconds, or 15
from a snapshot, and a run on a running system changes nothing. The local Git
repository begins with the checkout's HEAD; later changes go there by
'gitops local push'.

With a new state directory it begins with the snapshot of the same content, if
there is one ('gitops local snapshot'); --snapshot none makes everything anew.

When a step fails, its log and the remedy are named, what was started is stopped
and the state is kept: the next run goes on from there.`,
		Example: `  gitops local up
  gitops local up --state /tmp/second
  gitops local up --programs images
  gitops local up --snapshot none`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var err error
			if o.Programs, err = parseFrom(from); err != nil {
				return err
			}
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
			return summary(cmd.OutOrStdout(), s, status, time.Since(began))
		},
	}
	cmd.Flags().BoolVar(&o.KeepOnFailure, "keep-on-failure", false, "leave processes running when a step fails")
	programsFlag(cmd, &from)
	cmd.Flags().StringVar(&o.Snapshot, "snapshot", "", "begin with the snapshot of this key, or none (default: the one of the same content)")
	cmd.Flags().DurationVar(&o.Timeout, "timeout", 15*time.Minute, "how long to wait for Flux and for each URL")
	return cmd
}

// summary is what a person does next.
func summary(w io.Writer, s *system.System, status *report.Status, took time.Duration) error {
	declared, err := platform.Load(s.Dir.Repo)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "\nUp in %s.\n\n", progress.Seconds(took))
	for _, u := range status.URLs {
		fmt.Fprintf(w, "  %-12s %s\n", u.Name, u.URL)
	}
	ca, env, tool := s.Dir.Path("ca", "ca.crt"), s.Dir.Path("env"), command(s)
	fmt.Fprintf(w, "  %-12s %s\n  %-12s %s\n", "kubeconfig", s.Dir.Kubeconfig(), "authority", ca)
	if len(status.Recorded) > 0 {
		fmt.Fprintf(w, "\nThe stacks' resources of these types are recorded only, no service acts on them:\n  %s\n", strings.Join(status.Recorded, "\n  "))
	}
	var next []string
	if len(declared.URLs) > 0 { // they are the first of the status
		next = append(next, "curl --cacert "+ca+" "+status.URLs[0].URL)
	}
	next = append(next, ". "+env+" && kubectl get pods -A", tool+" local status", tool+" dashboard local")
	for _, hint := range declared.Hints {
		next = append(next, strings.ReplaceAll(hint, "${GITOPS}", tool))
	}
	fmt.Fprintln(w, "\nNext:")
	for i, text := range next {
		fmt.Fprintf(w, "  %d. %s\n", i+1, text)
	}
	return nil
}

// command is how gitops, which this is a plug-in of, is called from the checkout.
func command(s *system.System) string {
	if rel, err := filepath.Rel(s.Dir.Repo, s.Executable); err == nil && !strings.HasPrefix(rel, "..") {
		return strings.TrimSuffix(rel, "-local")
	}
	return "gitops"
}
