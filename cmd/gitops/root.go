package main

import (
	"time"

	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/internal/cli"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gitops",
		Short: "Check the platform's manifests, review changes, run services and environments.",
		Long: `gitops checks the manifests in k8s/, reviews changes, publishes services, adds and
removes environments, and describes promotions between them.

Where NAME is not a command, 'gitops NAME' runs the program gitops-NAME, which lies
beside this one or on the PATH. An environment that has such a program of its name
is reached by the variables that 'gitops-NAME endpoints' prints, instead of in AWS.

Progress goes to stderr, data to stdout.
Exit codes: 0 success, 1 an error, 2 a wrong command line; or
the command's own, as its help says.`,
		Example: `  gitops manifests validate
  gitops review
  gitops service status --env dev`,
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.AddCommand(newManifests(), newReview(), newService(), newApp(), newEnvironment(), newGenerate(), newPromotion(), newTeardown(), newVersion(), newCommitStatus(), newRepository(), newPlan(), newWindow(time.Now), newRelease(), newStatus(), newDrift(), newWhy(), newRollback(), newRotate(), newRestore(), newSnapshot(), newDashboard(), newReport(), newImages(), newDoctor(), newCost(), newRehearse())
	return root
}
