package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/services"
)

func newServiceRender(f *serviceFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "render [NAME]...",
		Short: "Print the manifests of services in one environment.",
		Long: `Render services, or all of them, as they would be published to an environment, and
hold every object to the schema of its kind, to the environment's policies, and to
kube-score.`,
		Example: `  gitops service render npm --env dev
  gitops service render --env production --output out/production`,
		RunE: func(cmd *cobra.Command, names []string) error {
			root, loaded, err := f.load()
			if err != nil {
				return err
			}
			c, err := f.cluster(loaded)
			if err != nil {
				return err
			}
			chosen, err := choose(loaded, f.environment, names)
			if err != nil {
				return err
			}
			rendered, err := f.render(cmd.Context(), root, c, chosen)
			if err != nil {
				return err
			}
			if err := write(cmd, out, chosen, rendered); err != nil {
				return err
			}
			policies, err := manifests.PoliciesOf(cmd.Context(), root, f.environment)
			if err != nil {
				return err
			}
			if err := valid(cmd, policies, rendered); err != nil {
				return err
			}
			return scored(cmd, root, rendered)
		},
	}
	cmd.Flags().StringVarP(&out, "output", "o", "", "folder for a file per service (default: stdout)")
	return cmd
}

// write prints manifests, or writes them as the files that a branch would hold.
func write(cmd *cobra.Command, dir string, chosen []services.Service, rendered map[string][]byte) error {
	if dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	for i, s := range chosen {
		if dir != "" {
			if err := os.WriteFile(filepath.Join(dir, s.Name+".k8s.yaml"), rendered[s.Name], 0o644); err != nil { //nolint:gosec // manifests hold no secrets
				return err
			}
			continue
		}
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "---")
		}
		if _, err := cmd.OutOrStdout().Write(rendered[s.Name]); err != nil {
			return err
		}
	}
	return nil
}

// valid holds manifests to the schemas, and to the environment's policies where they are known: a publication renders no
// environment, and what it publishes was checked before. What a hatch got wrong must not reach a cluster.
func valid(cmd *cobra.Command, policies *manifests.Policies, rendered map[string][]byte) error {
	validator, err := manifests.NewValidator()
	if err != nil {
		return err
	}
	defer validator.Close()
	bad := false
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		refused, err := policies.Documents(cmd.Context(), name+".k8s.yaml", rendered[name])
		if err != nil {
			return err
		}
		for _, p := range append(validator.Documents(name+".k8s.yaml", rendered[name]), refused...) {
			fmt.Fprintln(cmd.ErrOrStderr(), p)
			bad = true
		}
	}
	if bad {
		return fmt.Errorf("a manifest is not valid; correct the service's file or its escape hatch in services/hatches")
	}
	return nil
}

// scored holds manifests to kube-score, which finds what a hatch forgot.
func scored(cmd *cobra.Command, root string, rendered map[string][]byte) error {
	documents := map[string][]byte{}
	for name, content := range rendered {
		documents[name+".k8s.yaml"] = content
	}
	problems, err := manifests.KubeScore(root).Documents(cmd.Context(), documents)
	if err != nil {
		return err
	}
	for _, p := range problems {
		fmt.Fprintln(cmd.ErrOrStderr(), p)
	}
	if len(problems) > 0 {
		return fmt.Errorf("kube-score finds %d in the manifests; correct the service's file or its escape hatch in services/hatches", len(problems))
	}
	return nil
}
