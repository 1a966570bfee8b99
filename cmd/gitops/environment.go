package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/checkout"
	"k8s-plus-aws-gitops/internal/cli"
	"k8s-plus-aws-gitops/internal/environment"
)

func newEnvironment() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "environment",
		Short:   "Add and remove environments.",
		Long:    "Add and remove environments: their entry in cdk.json, their folder in k8s/clusters.",
		Example: "  gitops environment add jane --from dev",
		Args:    cli.Args(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newEnvironmentAdd(), newEnvironmentRemove())
	return cmd
}

func newEnvironmentAdd() *cobra.Command {
	o := environment.Options{}
	cmd := &cobra.Command{
		Use:   "add NAME",
		Short: "Write a small, removable environment.",
		Long: `Write a small environment without deletion protection, for one person or one
purpose: into cdk.json, made from another one's settings, with addresses that no
other uses, and into k8s/clusters. It follows the branch of its name.

Nothing is written unless the whole configuration is valid afterwards. The files
that were written go to stdout.`,
		Example: `  gitops environment add jane
  gitops environment add jane --from integration --account 444444444444 \
    --domain jane.example.com`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, err := checkout.Root()
			if err != nil {
				return err
			}
			o.Name = names[0]
			files, err := environment.Add(root, o)
			if err != nil {
				return err
			}
			fleet, err := regenerate(root, true)
			if err != nil {
				return err
			}
			for _, f := range append(files, fleet...) {
				fmt.Fprintln(cmd.OutOrStdout(), f)
			}
			branch := o.Branch
			if branch == "" {
				branch = o.Name
			}
			fmt.Fprintf(cmd.ErrOrStderr(), `Commit them, then:
  git push origin HEAD:refs/heads/%[1]s
  bin/gitops release %[2]s
  bin/gitops doctor %[2]s # store the secrets that it names
  make deploy ENV=%[2]s
`, branch, o.Name)
			return nil
		},
	}
	cmd.Flags().StringVar(&o.From, "from", "dev", "the environment whose settings it takes")
	cmd.Flags().StringVar(&o.Account, "account", "", "its AWS account (default the same)")
	cmd.Flags().StringVar(&o.Domain, "domain", "", "its domain (default NAME.<domain of the other>)")
	cmd.Flags().StringVar(&o.Branch, "branch", "", "its branch (default NAME)")
	cmd.Flags().StringVar(&o.Connection, "connection", "", "ARN of a connection in its account (default the other's)")
	return cmd
}

func newEnvironmentRemove() *cobra.Command {
	return &cobra.Command{
		Use:   "remove NAME",
		Short: "Take an environment away.",
		Long: `Take an environment out of cdk.json and remove its folder in k8s/clusters. Remove
its stacks first: without the entry the teardown does not know its account any
more. An environment with deletion protection is refused, and one that a service's
file or fleet.yaml names.`,
		Example: `  gitops teardown jane
  gitops environment remove jane`,
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, names []string) error {
			root, c, err := loadConfig()
			if err != nil {
				return err
			}
			if err := environment.Remove(root, names[0]); err != nil {
				return err
			}
			if _, err := regenerate(root, true); err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "Removed %s. Commit and merge it", names[0])
			if branches := ownBranches(c, names[0]); len(branches) > 0 {
				fmt.Fprintf(cmd.ErrOrStderr(), ", then:\n  git push origin --delete %s", strings.Join(branches, " "))
			}
			fmt.Fprintln(cmd.ErrOrStderr())
			return nil
		},
	}
}

// ownBranches are those that no other environment follows: its own, and the one of its releases.
func ownBranches(c config.Config, name string) []string {
	env := c.Environments[name]
	var own []string
	if len(c.Beside(env)) == 0 {
		own = append(own, env.Branch)
	}
	if env.Gated() {
		own = append(own, env.ReleasedBranch())
	}
	return own
}
