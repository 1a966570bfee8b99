package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/construct"
)

// inputs are what the stacks are made of beside the configuration.
type inputs struct {
	// kubectlLayer is the path of the zip with kubectl and helm.
	kubectlLayer string
	// secretsController are the manifests of external-secrets by environment.
	secretsController map[string]string
	// publicKeys are those of repository.verify, by the names of their files.
	publicKeys map[string]string
}

// newApp builds the construct tree: a stage per environment, and in it the stacks network → ghost → cluster →
// delivery. The cluster comes after the databases, secrets and roles of the applications, which are there before their
// pods, and goes before them, so that the pods are gone before their databases. The pipelines deploy all of it: they come
// last and go first.
//
// It returns the stages beside the app: aspects do not cross from the app into them.
func newApp(props awscdk.AppProps, environments []config.Environment, files inputs) (awscdk.App, []awscdk.Stage) {
	props.AnalyticsReporting = jsii.Bool(false)
	app := awscdk.NewApp(&props)
	for _, env := range environments {
		// CDK would look the zones up in the account; the configuration knows them. Context comes before children.
		app.Node().SetContext(jsii.String("availability-zones:account="+env.Account+":region="+env.Region), jsii.Strings(env.Zones()...))
	}
	stages := make([]awscdk.Stage, len(environments))
	for i, env := range environments {
		stages[i] = addEnvironment(app, env, files)
	}
	return app, stages
}

// addEnvironment adds an environment's stage.
func addEnvironment(app awscdk.App, env config.Environment, files inputs) awscdk.Stage {
	stage := awscdk.NewStage(app, jsii.String(env.Name), &awscdk.StageProps{
		Env: &awscdk.Environment{Account: jsii.String(env.Account), Region: jsii.String(env.Region)},
	})
	network := addNetwork(stage, env)
	ghostStack := construct.Stack(stage, env, "ghost", "What Ghost in "+env.Name+" needs from AWS")
	ghost := appresources.NewGhost(ghostStack, "Ghost", &appresources.GhostProps{Env: env, Network: appresources.Network{
		VPC:             network.VPC,
		DatabaseSubnets: infrastructure.IsolatedSubnets,
		Workloads:       network.Workloads,
		Key:             network.Key,
		Zone:            network.Zone,
	}})
	cluster := addCluster(stage, env, network, files, ghost)
	cluster.AddStackDependency(ghostStack, jsii.String("applications' roles and secrets before the pods that use them"))
	if env.Delivers() {
		pipelines := construct.Stack(stage, env, "delivery", "Pipelines of "+env.Name+": deploy on merge, review of pull requests")
		delivery.NewDelivery(pipelines, "Delivery", &delivery.DeliveryProps{Env: env, Image: ghost.Images, Applications: []string{ghost.Name}, VPC: network.VPC})
		pipelines.AddStackDependency(cluster, jsii.String("a pipeline runs when it is created, and deploys what must exist by then"))
	}
	for key, value := range env.Tags {
		awscdk.Tags_Of(stage).Add(jsii.String(key), jsii.String(value), nil)
	}
	awscdk.Tags_Of(stage).Add(jsii.String("environment"), jsii.String(env.Name), nil)
	return stage
}

// addNetwork adds the stack <environment>-network.
func addNetwork(stage awscdk.Stage, env config.Environment) *infrastructure.Network {
	stack := construct.Stack(stage, env, "network", "Network of "+env.Name+": VPC, data key, DNS zone")
	network := infrastructure.NewNetwork(stack, "Network", &infrastructure.NetworkProps{Env: env})
	if network.NameServers != nil {
		awscdk.NewCfnOutput(stack, jsii.String("NameServers"), &awscdk.CfnOutputProps{
			Description: jsii.String("Enter these as NS records of " + env.Domain + " in its parent zone"),
			Value:       network.NameServers,
		})
	}
	return network
}

// addCluster adds the stack <environment>-cluster: control plane, nodes, add-ons, certificate, and the bootstrap of Flux.
func addCluster(stage awscdk.Stage, env config.Environment, network *infrastructure.Network, files inputs, ghost *appresources.Ghost) awscdk.Stack {
	stack := construct.Stack(stage, env, "cluster", "EKS cluster of "+env.Name+", and what brings Flux into it")
	cluster := infrastructure.NewCluster(stack, "Cluster", &infrastructure.ClusterProps{
		Env: env, VPC: network.VPC, Key: network.Key, KubectlLayer: files.kubectlLayer,
	})
	nodes := infrastructure.NewNodes(stack, "Nodes", &infrastructure.NodesProps{
		Env: env, Cluster: cluster.EKS, Workloads: network.Workloads, After: cluster.NodesNeed,
	})
	addon := func(name string) constructs.IConstruct {
		return infrastructure.NewAddon(stack, "Addon-"+name, &infrastructure.AddonProps{
			Env: env, Cluster: cluster.EKS, Name: name, After: []constructs.IConstruct{nodes.Group},
		})
	}
	dns := addon("coredns")
	addon("metrics-server")
	bootstrap := infrastructure.NewBootstrap(stack, "Bootstrap", &infrastructure.BootstrapProps{
		Env: env, Cluster: cluster.EKS, ClusterName: cluster.Name,
		VPC: network.VPC, Zone: network.Zone, Key: network.Key,
		Images: []string{ghost.Images},
		Identities: []infrastructure.Identity{
			{Namespace: appresources.GhostNamespace, ServiceAccount: appresources.GhostServiceAccount, RoleARN: ghost.RoleARN},
		},
		SecretsController: files.secretsController[env.Name],
		PublicKeys:        files.publicKeys,
		PodsNeed:          append(cluster.ManifestsNeed, nodes.Group, dns),
		ApplicationsNeed: []constructs.IConstruct{
			infrastructure.NewWebhookToken(stack, "WebhookToken", &infrastructure.WebhookTokenProps{Env: env, Key: network.Key}),
			infrastructure.NewCertificate(stack, "Certificate", &infrastructure.CertificateProps{Env: env, Zone: network.Zone}),
		},
	})
	awscdk.NewCfnOutput(stack, jsii.String("FluxRevision"), &awscdk.CfnOutputProps{
		Description: jsii.String("Version and digest of the Flux that runs"),
		Value:       bootstrap.Revision,
	})
	return stack
}
