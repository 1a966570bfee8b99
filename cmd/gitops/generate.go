package main

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/environment"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

func newGenerate() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use:   "generate",
		Short: "Write all files that follow from those you edit.",
		Long: `Write what follows from cdk.json and from the files of services:

  k8s/clusters/<environment>        where Flux enters it, if that is missing
  k8s/fleet/<environment>           namespace, rights, source and Kustomization of
                                    each service

Run it after you added, renamed or removed an environment by hand, or changed a
host, enabled, or fleet.yaml; 'environment' and 'service' do it themselves. Files
that no environment needs any more are removed. What changed goes to stdout.`,
		Example: `  gitops generate
  gitops generate --check   # exit code 1 if something would change`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			changed, err := regenerate(root, !check)
			for _, name := range changed {
				fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			if err != nil {
				return err
			}
			if check && len(changed) > 0 {
				return outOfDate(changed)
			}
			if !check {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d files changed.\n", len(changed))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "change nothing; fail if a file is out of date")
	return cmd
}

// regenerate returns the generated files that are out of date, and writes them if it is told to. The entry points come
// before the fleet: each lists the fleet of its environment. A fork that would follow the sample's manifests is refused.
func regenerate(root string, write bool) ([]string, error) {
	c, err := config.LoadDir(root)
	if err != nil {
		return nil, err
	}
	files, gone, err := environment.Entries(root)
	if err != nil {
		return nil, err
	}
	loaded, err := services.Load(root)
	if err != nil {
		return nil, err
	}
	if err := loaded.Borrowed(c.Repository.Owner); err != nil {
		return nil, err
	}
	followers, err := fleet.Generate(loaded)
	if err != nil {
		return nil, err
	}
	stale, err := fleet.Stale(root, followers)
	changed := slices.Concat(slices.Sorted(maps.Keys(files)), gone, stale)
	if err != nil || !write {
		return changed, err
	}
	for _, name := range gone {
		if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
			return nil, err
		}
	}
	_, err = environment.Write(root, files)
	_, more := fleet.Write(root, followers)
	return changed, errors.Join(err, more)
}
