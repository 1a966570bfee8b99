package main

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/infrastructure/delivery"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/services"
)

// inputs are what the stacks are made of beside the configuration.
type inputs struct {
	// kubectlLayer is the path of the zip with kubectl and helm.
	kubectlLayer string
	// databaseFunction is what functions/database was compiled to.
	databaseFunction appresources.FunctionCode
	// alertsFunction is what functions/alerts was compiled to.
	alertsFunction appresources.FunctionCode
	// secretsController are the manifests of external-secrets by environment.
	secretsController map[string]string
	// publicKeys are those of repository.verify, by the names of their files.
	publicKeys map[string]string
	// services are those of k8s/services, and fleet is k8s/fleet/fleet.yaml.
	services []services.Service
	fleet    services.Config
}

// newApp builds the construct tree: a stage per environment, and in it the stacks network → one per application →
// cluster → delivery. The cluster comes after the databases, secrets and roles of the applications, which are there before their
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
	applications := addApplications(stage, env, network, files)
	cluster := addCluster(stage, env, network, files, applications)
	for _, name := range applications.names {
		cluster.AddStackDependency(applications.stacks[name], jsii.String("applications' roles and secrets before the pods that use them"))
	}
	if env.Delivers() {
		pipelines := construct.Stack(stage, env, "delivery", "Pipelines of "+env.Name+": deploy on merge, review of pull requests")
		delivery.NewDelivery(pipelines, "Delivery", &delivery.DeliveryProps{Env: env, Image: env.RepositoryName(appresources.Dockerbuild), Repositories: applications.repositories(env), ByMerge: files.fleet.For(env.Name).ByMerge(), Workflows: services.Publishers(files.services, env.Name, services.PublisherGitHub), Builds: services.Publishers(files.services, env.Name, services.PublisherCodeBuild), VPC: network.VPC, Workloads: network.Workloads, Key: network.Key})
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
	infrastructure.NewBackup(stack, "Backup", &infrastructure.BackupProps{Env: env, Key: network.Key})
	if network.NameServers != nil {
		awscdk.NewCfnOutput(stack, jsii.String("NameServers"), &awscdk.CfnOutputProps{
			Description: jsii.String("Enter these as NS records of " + env.Domain + " in its parent zone"),
			Value:       network.NameServers,
		})
	}
	return network
}

// applications are those of an environment.
type applications struct {
	// names in order, and stacks by them.
	names  []string
	stacks map[string]awscdk.Stack
	made   appresources.Made
}

// repositories are those of images, without the environment.
func (a applications) repositories(env config.Environment) []string {
	names := make([]string, len(a.made.Images))
	for i, name := range a.made.Images {
		names[i] = strings.TrimPrefix(name, env.RepositoryName(""))
	}
	return names
}

// addApplications adds a stack <environment>-<name> for each application, written in Go or asked for by a service's file.
func addApplications(stage awscdk.Stage, env config.Environment, network *infrastructure.Network, files inputs) applications {
	added := applications{stacks: map[string]awscdk.Stack{}}
	where := appresources.Network{
		VPC: network.VPC, DatabaseSubnets: infrastructure.IsolatedSubnets, PrivateSubnets: infrastructure.PrivateSubnets, DatabaseFunction: files.databaseFunction, Workloads: network.Workloads, Key: network.Key, Zone: network.Zone,
	}
	add := func(name, description string) awscdk.Stack {
		added.names, added.stacks[name] = append(added.names, name), construct.Stack(stage, env, name, description)
		return added.stacks[name]
	}
	// Instances before the services that import from them.
	where.Shared = appresources.Shared(env, files.services, where, add)
	all := append(appresources.Applications(), appresources.Services(env, files.services)...)
	for _, a := range all {
		made := a.Make(add(a.Name, "What "+a.Title+" in "+env.Name+" needs from AWS"), env, where)
		added.made.Identities = append(added.made.Identities, made.Identities...)
		added.made.Images = append(added.made.Images, made.Images...)
		added.made.Rotations = append(added.made.Rotations, made.Rotations...)
	}
	for _, a := range all {
		for _, other := range a.After {
			added.stacks[a.Name].AddStackDependency(added.stacks[other], jsii.String("topics before the queues that subscribe"))
		}
	}
	return added
}

// addCluster adds the stack <environment>-cluster: control plane, nodes, add-ons, certificate, and the bootstrap of Flux.
func addCluster(stage awscdk.Stage, env config.Environment, network *infrastructure.Network, files inputs, applications applications) awscdk.Stack {
	stack := construct.Stack(stage, env, "cluster", "EKS cluster of "+env.Name+", and what brings Flux into it")
	cluster := infrastructure.NewCluster(stack, "Cluster", &infrastructure.ClusterProps{
		Env: env, VPC: network.VPC, Key: network.Key, KubectlLayer: files.kubectlLayer,
	})
	for _, r := range applications.made.Rotations {
		infrastructure.NewRotationAccess(stack, "Rotation-"+r.Namespace, &infrastructure.RotationAccessProps{
			Cluster: cluster.EKS, Namespace: r.Namespace, RoleARN: r.RoleARN,
		})
	}
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
	address, needs := "", []constructs.IConstruct{
		infrastructure.NewWebhookToken(stack, "WebhookToken", &infrastructure.WebhookTokenProps{Env: env, Key: network.Key}),
		infrastructure.NewCertificate(stack, "Certificate", &infrastructure.CertificateProps{Env: env, Zone: network.Zone}),
	}
	if env.Alerts.SNS {
		alerts := infrastructure.NewAlerts(stack, "Alerts", &infrastructure.AlertsProps{Env: env, Key: network.Key, Code: files.alertsFunction})
		address, needs = *alerts.Address, append(needs, alerts)
	}
	bootstrap := infrastructure.NewBootstrap(stack, "Bootstrap", &infrastructure.BootstrapProps{
		Env: env, Cluster: cluster.EKS, ClusterName: cluster.Name,
		VPC: network.VPC, Zone: network.Zone, Key: network.Key,
		Images: applications.made.Images, Identities: applications.made.Identities,
		SecretsController: files.secretsController[env.Name],
		PublicKeys:        files.publicKeys,
		AlertsAddress:     address,
		PodsNeed:          append(cluster.ManifestsNeed, nodes.Group, dns),
		ApplicationsNeed:  needs,
	})
	awscdk.NewCfnOutput(stack, jsii.String("FluxRevision"), &awscdk.CfnOutputProps{
		Description: jsii.String("Version and digest of the Flux that runs"),
		Value:       bootstrap.Revision,
	})
	return stack
}
