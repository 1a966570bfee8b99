package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/local/system/snapshot"
)

func newSnapshot(f *localFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Keep copies of a system, with which new ones begin.",
		Long: `Keep copies of the state of a system, with which later ones of the same content
begin instead of deploying everything: 'up' on a new state directory looks for one.
The content is the commit without its tests and documentation, the programs and the
versions of what stands behind the AWS API.

A snapshot holds the keys and passwords of the system that it is of. Systems that
begin with the same snapshot share them; each has its own ports and processes.`,
		Example: `  gitops local down && gitops local snapshot save
  gitops local up --state /tmp/second
  gitops local snapshot list`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSnapshotSave(f), newSnapshotList(), newSnapshotRemove())
	return cmd
}

func newSnapshotSave(f *localFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "save",
		Short: "Save the state of the stopped system.",
		Long: fmt.Sprintf(`Save the state of the stopped system, and replace the snapshot of the same content.
The system must have come to rest before it was stopped: its stacks deployed, its
pipelines done, its last commit released. The %d snapshots that were used last are
kept, and at most %d GiB of them.`, snapshot.Keep, snapshot.Most>>30),
		Example: `  gitops local snapshot save
  gitops local snapshot save --state /tmp/second --output json`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := tableOrJSON(output); err != nil {
				return err
			}
			s, done, err := f.open(cmd)
			if err != nil {
				return err
			}
			defer done()
			store, err := snapshot.Open()
			if err != nil {
				return err
			}
			m, err := s.SaveSnapshot(cmd.Context(), store)
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), listed(m))
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Saved %s. '%s local up' with a new state directory begins with it.\n", m.Key, command(s))
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a line when left out")
	return cmd
}

func newSnapshotList() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the snapshots, the one used last first.",
		Long:    "List the snapshots of this machine, the one that was made or used last first.",
		Example: "  gitops local snapshot list\n  gitops local snapshot list --output json",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := tableOrJSON(output); err != nil {
				return err
			}
			store, err := snapshot.Open()
			if err != nil {
				return err
			}
			all, err := store.List()
			if err != nil {
				return err
			}
			rows := make([]row, len(all))
			for i, m := range all {
				rows[i] = listed(m)
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), rows)
			}
			return writeSnapshots(cmd.OutOrStdout(), rows)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or a table when left out")
	return cmd
}

func newSnapshotRemove() *cobra.Command {
	return &cobra.Command{
		Use:     "remove KEY...",
		Short:   "Remove snapshots.",
		Long:    "Remove snapshots, each by its key or the first characters of it. Systems that began\nwith one are not touched.",
		Example: "  gitops local snapshot remove 3f2a",
		Args:    cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(_ *cobra.Command, keys []string) error {
			store, err := snapshot.Open()
			if err != nil {
				return err
			}
			for _, key := range keys {
				if err := store.Remove(key); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// row is a snapshot without its files.
type row struct {
	Key    string    `json:"key"`
	Commit string    `json:"commit"`
	Made   time.Time `json:"made"`
	Bytes  int64     `json:"bytes"`
	State  string    `json:"state"`
}

func listed(m snapshot.Manifest) row {
	return row{Key: m.Key, Commit: m.Commit, Made: m.Made, Bytes: m.Bytes, State: m.State}
}

func writeSnapshots(w io.Writer, rows []row) error {
	if len(rows) == 0 {
		_, err := fmt.Fprintln(w, "None. `gitops local down`, then `gitops local snapshot save` makes one.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tCOMMIT\tMADE\tSIZE")
	for _, r := range rows {
		fmt.Fprintf(t, "%.12s\t%.8s\t%s\t%d MB\n", r.Key, r.Commit, r.Made.Local().Format("2006-01-02 15:04"), r.Bytes>>20)
	}
	return t.Flush()
}

func tableOrJSON(output string) error {
	if output != "" && output != "json" {
		return cli.UsageError{Err: fmt.Errorf("--output %q: it is json, or left out", output)}
	}
	return nil
}
