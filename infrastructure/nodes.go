package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
)

// NodesProps says which nodes a cluster gets, by the environment's nodes settings. A second group of another kind gets a
// copy of the environment with other settings.
type NodesProps struct {
	Env     config.Environment
	Cluster awseksv2.Cluster
	// Workloads is the security group of all pods, which the nodes have beside the cluster's own.
	Workloads awsec2.ISecurityGroup
	// After is what nodes are not ready without: the cluster's NodesNeed.
	After []constructs.IConstruct
}

// Nodes is a managed node group.
type Nodes struct {
	constructs.Construct
	construct.Part
	Group awseksv2.Nodegroup
}

// NewNodes makes a managed node group in the private subnets: Amazon Linux 2023, encrypted volumes, and an instance
// metadata service that pods cannot reach (one hop), so that no pod borrows the node's role. EKS makes up its name.
func NewNodes(scope constructs.Construct, id string, props *NodesProps) *Nodes {
	n, env := &Nodes{}, props.Env
	construct.Init(n, scope, id)
	role := awsiam.NewRole(n, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy:       awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
		ManagedPolicies: podidentity.ManagedPolicies("AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"),
		InlinePolicies:  policy.Inline(sessionRights(env)),
	})
	template := newLaunchTemplate(n, props)
	types := make([]awsec2.InstanceType, len(env.Nodes.InstanceTypes))
	for i, name := range env.Nodes.InstanceTypes {
		types[i] = awsec2.NewInstanceType(jsii.String(name))
	}
	capacity, image := awseksv2.CapacityType_ON_DEMAND, awseksv2.NodegroupAmiType_AL2023_ARM_64_STANDARD
	if env.Nodes.Spot {
		capacity = awseksv2.CapacityType_SPOT
	}
	if env.Nodes.Architecture == config.X8664 {
		image = awseksv2.NodegroupAmiType_AL2023_X86_64_STANDARD
	}
	n.Group = awseksv2.NewNodegroup(n, jsii.String("Group"), &awseksv2.NodegroupProps{
		Cluster:              props.Cluster,
		NodeRole:             role,
		AmiType:              image,
		CapacityType:         capacity,
		InstanceTypes:        &types,
		ReleaseVersion:       jsii.String(env.NodeRelease()),
		MinSize:              jsii.Number(env.Nodes.Min),
		DesiredSize:          jsii.Number(env.Nodes.Min), // nothing scales the group, so a higher minimum must start nodes itself
		MaxSize:              jsii.Number(env.Nodes.Max),
		Subnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(PrivateSubnets)},
		EnableNodeAutoRepair: jsii.Bool(true),
		ForceUpdate:          jsii.Bool(false), // an update waits for PodDisruptionBudgets, and fails rather than break them
		LaunchTemplateSpec: &awseksv2.LaunchTemplateSpec{
			Id: template.LaunchTemplateId(), Version: template.LatestVersionNumber(),
		},
	})
	// The L2 has the release of the image alone, and not the version of Kubernetes.
	n.Group.Node().DefaultChild().(awseksv2.CfnNodegroup).SetVersion(jsii.String(env.NodeVersion()))
	construct.After(n.Group, props.After...)
	return n
}

// newLaunchTemplate makes what the node group cannot say itself.
func newLaunchTemplate(scope constructs.Construct, props *NodesProps) awsec2.LaunchTemplate {
	template := awsec2.NewLaunchTemplate(scope, jsii.String("Template"), &awsec2.LaunchTemplateProps{
		RequireImdsv2:           jsii.Bool(true),
		HttpPutResponseHopLimit: jsii.Number(1),
		// A template with groups replaces the one that EKS would attach, so the cluster's own is named, too.
		SecurityGroup: props.Cluster.ClusterSecurityGroup(),
		BlockDevices: &[]*awsec2.BlockDevice{{
			DeviceName: jsii.String("/dev/xvda"),
			Volume: awsec2.BlockDeviceVolume_Ebs(jsii.Number(props.Env.Nodes.DiskGiB), &awsec2.EbsDeviceOptions{
				VolumeType: awsec2.EbsDeviceVolumeType_GP3, Encrypted: jsii.Bool(true), DeleteOnTermination: jsii.Bool(true),
			}),
		}},
	})
	template.AddSecurityGroup(props.Workloads)
	return template
}

// sessionRights let nodes answer Session Manager, where the configuration asks for it, and nothing else: AWS's own policy,
// AmazonSSMManagedInstanceCore, would let every node read all parameters of the account. The agent is part of the EKS image.
// The actions are those of
// https://docs.aws.amazon.com/systems-manager/latest/userguide/getting-started-create-iam-instance-profile.html
// without S3 and KMS, which only session logs need.
func sessionRights(env config.Environment) map[string]policy.Document {
	if !env.UsesSessionManager() {
		return nil
	}
	return map[string]policy.Document{"sessions": policy.Of(
		// The channels have no resource level.
		policy.Allow("Channels", policy.List{"*"},
			"ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
		// Ids of instances are not known before their role; each can only register as what it is.
		policy.Allow("Register", policy.List{env.ARN("ec2", "instance/*")}, "ssm:UpdateInstanceInformation"),
	)}
}
