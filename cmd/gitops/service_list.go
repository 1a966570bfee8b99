package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/services"
)

func newServiceList(f *serviceFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the services, and check their files.",
		Long: `List the services with their image, number of pods, host, and environments; with
--env as they are in that environment. Mistakes in the files are printed instead,
all of them, each with its file and line. A service in a repository of its own has
its address in the place of an image, and the largest number of pods.`,
		Example: `  gitops service list
  gitops service list --env production --output json`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out for a table", output)}
			}
			_, loaded, err := f.load()
			if err != nil {
				return err
			}
			rows, err := f.rows(loaded)
			if err != nil {
				return err
			}
			if output == "json" {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(rows)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SERVICE\tIMAGE\tPODS\tHOST\tENVIRONMENTS")
			for _, r := range rows {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Service, cmp.Or(r.Image, r.Repository), r.Pods, dash(r.Host), strings.Join(r.Environments, ","))
			}
			return w.Flush()
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	return cmd
}

func (f *serviceFlags) rows(loaded services.Fleet) ([]services.Summary, error) {
	all, c := loaded.Services, services.Cluster{}
	if f.environment != "" {
		var err error
		if c, err = f.cluster(loaded); err != nil {
			return nil, err
		}
		all = loaded.In(f.environment)
	}
	rows := make([]services.Summary, len(all))
	for i, s := range all {
		rows[i] = loaded.Summary(s, c)
	}
	return rows, nil
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
