package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/infrastructure/delivery"
)

// newApp builds the construct tree: a stage per environment, and in it the stacks network → ghost → cluster. The cluster
// comes last, so that the databases, secrets and roles of the applications are there before their pods, and goes first,
// so that the pods are gone before their databases.
//
// It returns the stages beside the app: aspects do not cross from the app into them.
func newApp(props awscdk.AppProps, environments []config.Environment, kubectlLayer string) (awscdk.App, []awscdk.Stage) {
	props.AnalyticsReporting = jsii.Bool(false)
	app := awscdk.NewApp(&props)
	for _, env := range environments {
		// CDK would look the zones up in the account; the configuration knows them. Context comes before children.
		app.Node().SetContext(jsii.String("availability-zones:account="+env.Account+":region="+env.Region), jsii.Strings(env.Zones()...))
	}
	stages := make([]awscdk.Stage, len(environments))
	for i, env := range environments {
		stages[i] = addEnvironment(app, env, kubectlLayer)
	}
	return app, stages
}

// addEnvironment adds an environment's stage.
func addEnvironment(app awscdk.App, env config.Environment, kubectlLayer string) awscdk.Stage {
	stage := awscdk.NewStage(app, jsii.String(env.Name), &awscdk.StageProps{
		Env: &awscdk.Environment{Account: jsii.String(env.Account), Region: jsii.String(env.Region)},
	})
	network := infrastructure.NewNetwork(stage, env)
	ghost := appresources.NewGhost(stage, env, appresources.Network{
		VPC:             network.VPC,
		DatabaseSubnets: infrastructure.IsolatedSubnets,
		Workloads:       network.Workloads,
		Key:             network.Key,
	})
	cluster := infrastructure.NewCluster(stage, infrastructure.ClusterProps{
		Env:          env,
		Network:      network,
		KubectlLayer: kubectlLayer,
		Images:       []string{ghost.Images},
		Identities: []infrastructure.Identity{
			{Namespace: appresources.GhostNamespace, ServiceAccount: appresources.GhostServiceAccount, RoleARN: ghost.RoleARN},
		},
	})
	if env.Delivers() {
		delivery.New(stage, delivery.Props{Env: env, Image: ghost.Images, Applications: []string{ghost.Name}})
	}
	cluster.Stack.AddStackDependency(ghost.Stack, jsii.String("applications' roles and secrets before the pods that use them"))
	for key, value := range env.Tags {
		awscdk.Tags_Of(stage).Add(jsii.String(key), jsii.String(value), nil)
	}
	awscdk.Tags_Of(stage).Add(jsii.String("environment"), jsii.String(env.Name), nil)
	return stage
}
