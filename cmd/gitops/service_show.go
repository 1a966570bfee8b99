package main

import (
	"context"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/preview"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

func newServiceShow(f *serviceFlags) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "show NAME",
		Short: "Show what a service's file makes, in AWS and in Kubernetes, and what it costs.",
		Long: `Show what both halves make of a service's file in an environment: the resources of
its stack, the rights of its pods, the objects in Kubernetes, its hosts, the names
of its pods' variables, and the monthly list prices, which are those of the review.

It makes both from the working tree as it is, and asks neither AWS nor the cluster.
--env is dev when left out, or the only environment.`,
		Example: `  gitops service show orders
  gitops service show orders --env production --output json`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for text, got %q", output)}
			}
			root, loaded, err := f.load()
			if err != nil {
				return err
			}
			s, c, err := f.place(loaded, names[0])
			if err != nil {
				return err
			}
			shown, err := f.show(cmd, root, loaded, s, c)
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), shown)
			}
			shown.Print(cmd.OutOrStdout())
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or text when left out")
	return cmd
}

// show makes both halves, side by side, with progress on stderr.
func (f *serviceFlags) show(cmd *cobra.Command, root string, loaded services.Fleet, s services.Service, c services.Cluster) (preview.Preview, error) {
	in := preview.Input{Service: s.Name, Environment: c.Environment}
	steps := []progress.Step{{Name: "Render the service", Run: func(ctx context.Context, _ *progress.Output) (err error) {
		if in.Fleet, err = followers(loaded, s, c); err != nil {
			return err
		}
		if s.Registered() {
			return nil // its own file, which is elsewhere, says what it has in Kubernetes
		}
		rendered, err := f.render(ctx, root, c, []services.Service{s})
		if err == nil {
			in.Objects, err = manifests.ParseObjects(rendered[s.Name])
		}
		return err
	}}}
	if s.Resolve(c).AWS != nil {
		steps = append(steps, progress.Step{Name: "Synthesize its stack", Run: func(ctx context.Context, out *progress.Output) error {
			all, err := review.Synthesize(ctx, root, []config.Environment{{Name: c.Environment}}, out)
			if err != nil {
				return err
			}
			in.Stack = all[c.Environment][s.Name]
			if d := s.Resolve(c).AWS.Database; d != nil && d.IsShared() {
				in.Shared = append(in.Shared, all[c.Environment][services.SharedApp(d.Engine)])
			}
			diffs, err := cfndiff.NodeOf(root).Compare(ctx, []cfndiff.Pair{{Old: assembly.Template{}, New: in.Stack.Template}})
			if err == nil {
				in.IAM = diffs[0].IAM
			}
			return err
		}})
	}
	display := progress.New(cmd.ErrOrStderr())
	defer display.Close()
	if err := (progress.Runner{Parallel: 2, Display: display}).Run(cmd.Context(), steps); err != nil {
		return preview.Preview{}, err
	}
	return preview.Of(in)
}

// followers are the objects by which Flux follows a service.
func followers(loaded services.Fleet, s services.Service, c services.Cluster) ([]manifests.Object, error) {
	files, err := fleet.Generate(loaded)
	if err != nil {
		return nil, err
	}
	return manifests.ParseObjects(files[path.Join(services.FleetDir, c.Environment, fleet.Shard(s.Name), s.Name+".yaml")])
}
