package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/spf13/cobra"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/dashboard"
	"k8s-plus-aws-gitops/internal/deployment"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

// executionsShown are as many as a page has room for.
const executionsShown = 5

// readEnvironment reads one environment, with the variables of this process.
func readEnvironment(cmd *cobra.Command, name, kubeconfig string, q dashboard.Question) (*dashboard.Environment, error) {
	root, env, err := loadEnvironment(cmd, name)
	if err != nil {
		return nil, err
	}
	from := dashboard.Source{Environment: env, Status: sourceOf(root, env), Missing: map[string]error{}}
	from.Commit = func(ctx context.Context, id string) (dashboard.Commit, error) {
		c, err := dashboard.ReadCommit(ctx, root, id)
		if err == nil {
			return c, nil
		}
		// A commit on its way is on the environment's branch, and may not be in this clone yet.
		if _, err := release.Tip(ctx, root, env.RepositoryURL, env.Branch); err != nil {
			return c, err
		}
		return dashboard.ReadCommit(ctx, root, id)
	}
	openFleet(&from, root)
	openCloud(cmd.Context(), &from, kubeconfig)
	return from.Look(cmd.Context(), q), nil
}

// openFleet reads the service files of the checkout. One mistake there is no reason to show nothing else.
func openFleet(from *dashboard.Source, root string) {
	fleet, err := services.Load(root)
	if err != nil {
		from.Missing["fleet"] = err
		return
	}
	from.Fleet = &fleet
	from.Tips = func(ctx context.Context, branches []string) (map[string]publish.Tip, error) {
		return publish.Tips(ctx, fleet.Config.For(from.Environment.Name).URL, branches)
	}
}

// openCloud opens the account and the cluster. Credentials of another account would show its stacks, or none, in the place of
// the environment's.
func openCloud(ctx context.Context, from *dashboard.Source, kubeconfig string) {
	env := from.Environment
	c, err := awsOf(ctx, env.Region)
	if err == nil {
		err = ofAccount(ctx, env)
	}
	if err == nil {
		openAccount(from, c)
	} else {
		unread := errors.New("the account is not reached")
		from.Missing["account"], from.Missing["executions"] = err, unread
		from.Status.Stacks = func(context.Context) ([]status.Stack, error) { return nil, unread }
		if cmp.Or(kubeconfig, os.Getenv("KUBECONFIG")) == "" {
			from.Missing[string(status.PartCluster)] = errors.New("it is reached with the credentials of its account; --kubeconfig is another way")
			return
		}
	}
	if from.Status.Cluster, err = clusterOf(ctx, c, env, kubeconfig); err != nil {
		from.Missing[string(status.PartCluster)] = err
	}
}

// openAccount adds what is read of the account.
func openAccount(from *dashboard.Source, c aws.Config) {
	env := from.Environment
	inAWS(&from.Status, c, env)
	from.Stacks = cloudformation.NewFromConfig(c)
	if env.Delivers() {
		executions := deployment.Source{API: codepipeline.NewFromConfig(c), Pipeline: env.StackName(config.DeployPipeline)}
		from.Executions = func(ctx context.Context) ([]deployment.Execution, error) {
			return executions.Last(ctx, executionsShown)
		}
	}
}

// ofAccount says what keeps the credentials from being those of the environment's account.
func ofAccount(ctx context.Context, env config.Environment) error {
	have, err := caller(ctx, env.Region)
	remedy := fmt.Sprintf("name a profile: --profile %s=NAME", env.Name)
	if err != nil {
		return fmt.Errorf("there are no credentials that AWS takes; %s (%w)", remedy, err)
	}
	if have != env.Account {
		return fmt.Errorf("the credentials are of account %s, and %s is in %s; %s", have, env.Name, env.Account, remedy)
	}
	return nil
}
