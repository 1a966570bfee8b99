package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/services/publish"
)

func newServiceStatus(f *serviceFlags) *cobra.Command {
	var output, kubeconfig string
	var watch bool
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status [NAME]...",
		Short: "Show what is published and what runs.",
		Long: `Show one line per service of an environment: the branch's commit, the source that it
was made of, what Flux applied, whether it is ready, and how old the publication is.
The cause stands behind a service that is not ready.`,
		Example: `  gitops service status --env dev
  gitops service status npm --env dev --watch
  gitops service status --env dev --output json`,
		RunE: func(cmd *cobra.Command, names []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			for {
				lines, err := f.status(cmd, names, kubeconfig)
				if err != nil {
					return err
				}
				if err := print(cmd.OutOrStdout(), lines, output, watch); err != nil || !watch {
					return err
				}
				select {
				case <-cmd.Context().Done():
					return nil
				case <-time.After(every):
				}
			}
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&output, "output", "o", "", "json, or a table when left out")
	flags.StringVar(&kubeconfig, "kubeconfig", "", "kubeconfig of the environment's cluster (default: $KUBECONFIG, or EKS)")
	flags.BoolVarP(&watch, "watch", "w", false, "show it again and again until interrupted")
	flags.DurationVar(&every, "every", 2*time.Second, "pause between two looks of --watch")
	return cmd
}

// observe opens the cluster of the environment that --env names: by a kubeconfig, that of $KUBECONFIG, or as EKS.
func (f *serviceFlags) observe(cmd *cobra.Command, kubeconfig string, to purpose) (*flux.Cluster, error) {
	access, err := f.access(cmd, kubeconfig, to)
	if err != nil {
		return nil, err
	}
	return flux.New(access)
}

// status reads the fleet, the branches and the cluster.
func (f *serviceFlags) status(cmd *cobra.Command, names []string, kubeconfig string) ([]publish.State, error) {
	ctx := cmd.Context()
	_, loaded, err := f.load()
	if err != nil {
		return nil, err
	}
	if _, err := f.cluster(loaded); err != nil {
		return nil, err
	}
	chosen, err := choose(loaded, f.environment, names)
	if err != nil {
		return nil, err
	}
	url, err := f.url(ctx, loaded)
	if err != nil {
		return nil, err
	}
	to := loaded.Config.For(f.environment)
	branches := make([]string, len(chosen))
	for i, s := range chosen {
		branches[i] = to.Ref(f.environment, s.Name)
	}
	tips, err := publish.Tips(ctx, url, branches)
	if err != nil {
		return nil, err
	}
	cluster, err := f.observe(cmd, kubeconfig, toRead)
	if err != nil {
		return nil, err
	}
	items, err := cluster.Services(ctx)
	if err != nil {
		return nil, err
	}
	applied := map[string]flux.Item{}
	for _, item := range items {
		applied[item.Name] = item
	}
	lines := make([]publish.State, len(chosen))
	for i, s := range chosen {
		item, known := applied[s.Name]
		lines[i] = publish.Describe(s.Name, branches[i], tips[branches[i]], item, known)
		if tips[branches[i]].Commit == "" && to.ByMerge() {
			lines[i].Message += ": the deployment of its commit does it"
		}
	}
	return lines, nil
}

func print(w io.Writer, lines []publish.State, output string, again bool) error {
	if output == "json" {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(lines)
	}
	if again {
		fmt.Fprint(w, "\x1b[H\x1b[2J")
	}
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "SERVICE\tBRANCH\tSOURCE\tAPPLIED\tREADY\tAGE\tMESSAGE")
	for _, l := range lines {
		source := l.Source.Tag
		if source == "" {
			source = short(l.Source.Commit)
		}
		age := "-"
		if l.Published != nil {
			age = time.Since(*l.Published).Round(time.Second).String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Service, short(l.Commit), dash(source), short(l.Applied), l.Ready, age, l.Message)
	}
	return t.Flush()
}

// short is a commit as people read it, with the mark of uncommitted changes.
func short(commit string) string {
	id, mark, _ := strings.Cut(commit, "-")
	if mark != "" {
		mark = "-" + mark
	}
	return dash(fmt.Sprintf("%.8s%s", id, mark))
}
