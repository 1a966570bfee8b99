package infrastructure

import (
	"path"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3assets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/logicalid"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/retention"
)

// ClusterProps is what a cluster needs from outside.
type ClusterProps struct {
	Env config.Environment
	// Name of the cluster; the agreed one of the environment by default. The key's alias is <name>/cluster. A second
	// cluster of an environment needs another name.
	Name string
	VPC  awsec2.IVpc
	// Key encrypts the logs; CloudWatch Logs must be allowed to use it.
	Key awskms.IKey
	// KubectlLayer is the path of the zip from the npm package of config.KubectlLayer.
	KubectlLayer string
}

// Cluster is an EKS cluster without nodes.
type Cluster struct {
	constructs.Construct
	construct.Part
	// Name of the cluster, as plain text.
	Name string
	EKS  awseksv2.Cluster
	// NodesNeed is what nodes are not ready without: the add-ons for network and Pod Identity.
	NodesNeed []constructs.IConstruct
	// ManifestsNeed is what must be made before the first manifest, and removed after the last: the log groups of the
	// functions that apply them.
	ManifestsNeed []constructs.IConstruct
}

// NewCluster makes the control plane with its logs, the access entries of the configuration, and the add-ons that run on
// every node. It keeps logs for cluster.logDays.
func NewCluster(scope constructs.Construct, id string, props *ClusterProps) *Cluster {
	c := &Cluster{Name: props.Name}
	construct.Init(c, scope, id)
	if c.Name == "" {
		c.Name = props.Env.ClusterName()
	}
	c.controlPlane(props)
	c.functionLogs(props)
	c.access(props.Env)
	c.admitVPC(props.Env)
	c.daemons(props.Env)
	return c
}

// controlPlane makes the EKS cluster.
func (c *Cluster) controlPlane(props *ClusterProps) {
	env, keep := props.Env, retention.Of(props.Env)
	key := keep.Key(c, "Key", c.Name+"/cluster", "Kubernetes Secrets of cluster "+c.Name)
	logs := keep.LogGroup(c, "Logs", config.ControlPlaneLogs(c.Name), env.Cluster.LogDays, props.Key)
	c.EKS = awseksv2.NewCluster(c, jsii.String("EKS"), &awseksv2.ClusterProps{
		ClusterName:                             jsii.String(c.Name),
		Version:                                 awseksv2.KubernetesVersion_Of(jsii.String(env.Cluster.Version)),
		Vpc:                                     props.VPC,
		VpcSubnets:                              &[]*awsec2.SubnetSelection{{SubnetGroupName: jsii.String(PrivateSubnets)}},
		EndpointAccess:                          endpointAccess(env.Cluster.PublicAccessCIDRs),
		ServiceIpv4Cidr:                         jsii.String(env.Cluster.ServiceCIDR),
		SecretsEncryptionKey:                    key,
		ClusterLogging:                          &[]awseksv2.ClusterLoggingTypes{awseksv2.ClusterLoggingTypes_API, awseksv2.ClusterLoggingTypes_AUDIT, awseksv2.ClusterLoggingTypes_AUTHENTICATOR, awseksv2.ClusterLoggingTypes_CONTROLLER_MANAGER, awseksv2.ClusterLoggingTypes_SCHEDULER},
		DefaultCapacityType:                     awseksv2.DefaultCapacityType_NODEGROUP,
		DefaultCapacity:                         jsii.Number(0),
		BootstrapClusterCreatorAdminPermissions: jsii.Bool(false), // administrators are those of the configuration, nobody else
		BootstrapSelfManagedAddons:              jsii.Bool(false), // the EKS add-ons replace them
		OutputConfigCommand:                     jsii.Bool(false),
		Prune:                                   jsii.Bool(false), // what a manifest drops is removed by its own resource
		KubectlProviderOptions: &awseksv2.KubectlProviderOptions{
			KubectlLayer: c.kubectlLayer(props.KubectlLayer),
		},
	})
	// Two properties that the L2 does not know.
	resource := c.EKS.Node().DefaultChild().(awseksv2.CfnCluster)
	resource.SetUpgradePolicy(&awseksv2.CfnCluster_UpgradePolicyProperty{SupportType: jsii.String("STANDARD")})
	resource.SetDeletionProtection(jsii.Bool(env.DeletionProtection))
	// EKS makes the group itself, without a retention period, unless it exists before the cluster.
	construct.After(resource, logs)
}

// functionLogs keeps the logs of the kubectl provider's two functions as long as the control plane's, and removes them
// after the last manifest is removed, which the functions still log.
func (c *Cluster) functionLogs(props *ClusterProps) {
	provider := c.EKS.Node().FindChild(jsii.String("KubectlProvider"))
	for _, function := range []constructs.IConstruct{
		provider.Node().FindChild(jsii.String("Handler")),
		provider.Node().FindChild(jsii.String("Provider")).Node().FindChild(jsii.String("framework-onEvent")),
	} {
		logs := function.Node().FindChild(jsii.String("LogGroup"))
		// The provider makes the group and takes no settings for it.
		group := logs.Node().DefaultChild().(awslogs.CfnLogGroup)
		group.SetRetentionInDays(jsii.Number(props.Env.Cluster.LogDays))
		group.SetKmsKeyId(props.Key.KeyArn())
		group.ApplyRemovalPolicy(retention.Of(props.Env).Derived(), nil)
		c.ManifestsNeed = append(c.ManifestsNeed, logs)
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
// database, so it comes from npm. The package's version stands for the asset's content, so that synthesis need not hash
// 50 MB and templates do not depend on how npm unpacked it.
func (c *Cluster) kubectlLayer(zip string) awslambda.ILayerVersion {
	layer := config.KubectlLayer()
	return awslambda.NewLayerVersion(c, jsii.String("KubectlLayer"), &awslambda.LayerVersionProps{
		Description: jsii.String("kubectl " + layer.Kubectl + " and helm " + layer.Helm),
		Code: awslambda.Code_FromAsset(jsii.String(zip), &awss3assets.AssetOptions{
			AssetHash:     jsii.String(path.Base(layer.Package) + "-" + layer.Version),
			AssetHashType: awscdk.AssetHashType_CUSTOM,
		}),
	})
}

// access makes the access entries. Nothing else opens the cluster: the authentication mode is API, without aws-auth, and
// whoever creates the cluster (CloudFormation's role) gets no rights in it.
func (c *Cluster) access(env config.Environment) {
	scope := &awseksv2.AccessPolicyNameOptions{AccessScopeType: awseksv2.AccessScopeType_CLUSTER}
	entries := func(policy string, groups *[]*string, principals []string) {
		for _, principal := range principals {
			// EKS identifies an entry by its principal, and so does the id: who changes from one list to the other keeps the entry.
			entry := awseksv2.NewAccessEntry(c, jsii.String(logicalid.Of("Access", principal)), &awseksv2.AccessEntryProps{
				Cluster:        c.EKS,
				Principal:      jsii.String(principal),
				AccessPolicies: &[]awseksv2.IAccessPolicy{awseksv2.AccessPolicy_FromAccessPolicyName(jsii.String(policy), scope)},
			})
			// The L2 has no groups.
			entry.Node().DefaultChild().(awseksv2.CfnAccessEntry).SetKubernetesGroups(groups)
		}
	}
	entries("AmazonEKSClusterAdminPolicy", nil, env.Cluster.Admins)
	entries("AmazonEKSViewPolicy", jsii.Strings(config.ViewGroup), env.Cluster.Viewers)
}

// admitVPC lets the pipelines' builds and the functions that rotate passwords reach the API at its private address, which EKS
// opens to the nodes alone. It admits the VPC and not their own groups, which are of other stacks; what else is there are nodes
// and databases.
func (c *Cluster) admitVPC(env config.Environment) {
	c.EKS.ClusterSecurityGroup().AddIngressRule(awsec2.Peer_Ipv4(jsii.String(env.Network.CIDR)), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("Kubernetes API for builds in the VPC"), nil)
}

// daemons makes the add-ons that run on every node. The network plug-in has a role of its own, so that it, and not every
// pod's node, manages network interfaces: https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
func (c *Cluster) daemons(env config.Environment) {
	const plugin = "aws-node"
	role := podidentity.NewRole(c, "CNIRole", &podidentity.RoleProps{
		Env: env, Cluster: c.Name, Namespace: "kube-system", ServiceAccount: plugin, ManagedPolicies: []string{"AmazonEKS_CNI_Policy"},
	})
	for _, addon := range []*AddonProps{
		{Name: "eks-pod-identity-agent"},
		{Name: "kube-proxy"},
		{Name: "vpc-cni", Values: map[string]any{"enableNetworkPolicy": "true"}, ServiceAccount: plugin, Role: role},
	} {
		addon.Env, addon.Cluster = env, c.EKS
		c.NodesNeed = append(c.NodesNeed, NewAddon(c, "Addon-"+addon.Name, addon))
	}
}
