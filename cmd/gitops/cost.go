package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/bill"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/services"
)

func newCost() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "cost [ENVIRONMENT]",
		Short: "Say what an environment costs each month at list prices.",
		Long: `Synthesize the working tree and say what each stack costs a month at list prices,
with the code and the table of the review (internal/review/cost/prices.yaml).
Without ENVIRONMENT it is all of cdk.json.

The sum has what the templates tell: instances, databases, gateways, keys, and the
load balancers of the manifests. What is paid by use (traffic, logs, public
addresses of load balancers, builds) is listed apart, at usual amounts with their
arithmetic. A price that was never compared with AWS's list has a mark; with
--output json a price that was has the day in "checked".

No account is asked, and no credentials are used.`,
		Example: `  gitops cost dev
  gitops cost --output json`,
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			if output != "" && output != "json" {
				return cli.UsageError{Err: fmt.Errorf("--output must be json, or left out for tables, got %q", output)}
			}
			bills, err := bills(cmd, names)
			if err != nil {
				return err
			}
			if output == "json" {
				return cli.JSON(cmd.OutOrStdout(), bills)
			}
			for i, b := range bills {
				if i > 0 {
					fmt.Fprintln(cmd.OutOrStdout())
				}
				b.Print(cmd.OutOrStdout())
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json, or tables when left out")
	return cmd
}

// bills are those of the environments that are named, or of all.
func bills(cmd *cobra.Command, names []string) ([]bill.Bill, error) {
	root, environments, err := loadEnvironments(names)
	if err != nil {
		return nil, err
	}
	prices, err := cost.Table()
	if err != nil {
		return nil, err
	}
	fleet, err := services.Load(root)
	if _, none := os.Stat(filepath.Join(root, services.ConfigFile)); none != nil {
		fleet, err = services.Fleet{}, nil // a repository without services
	}
	if err != nil {
		return nil, err
	}
	stacks, balancers, err := read(cmd, root, environments)
	if err != nil {
		return nil, err
	}
	var all []bill.Bill
	for _, env := range environments {
		in := bill.Input{Env: env, Stacks: stacks[env.Name], LoadBalancers: balancers[env.Name]}
		for _, s := range fleet.In(env.Name) {
			in.Services = append(in.Services, s.Name)
		}
		all = append(all, bill.New(prices, in))
	}
	return all, nil
}

// read synthesizes the stacks, and finds the load balancers that the manifests ask for.
func read(cmd *cobra.Command, root string, environments []config.Environment) (stacks map[string]map[string]assembly.Stack, balancers map[string][]string, err error) {
	display := progress.New(cmd.ErrOrStderr())
	defer display.Close()
	balancers = map[string][]string{}
	return stacks, balancers, progress.Runner{Parallel: 2, Display: display}.Run(cmd.Context(), []progress.Step{
		{Name: "Synthesize the stacks", Run: func(ctx context.Context, out *progress.Output) (err error) {
			stacks, err = review.Synthesize(ctx, root, environments, out)
			return err
		}},
		{Name: "Render the manifests", Run: func(ctx context.Context, out *progress.Output) error {
			for _, env := range environments {
				if _, err := os.Stat(filepath.Join(root, "k8s", "clusters", env.Name)); err != nil {
					continue // an environment without Flux has none
				}
				out.Note("%s", env.Name)
				rendered, err := manifests.Render(ctx, manifests.Options{Root: root, Charts: manifests.ModuleCharts(root)}, env.Name)
				if err != nil {
					return err
				}
				balancers[env.Name] = cost.LoadBalancers(rendered)
			}
			return nil
		}},
	})
}
