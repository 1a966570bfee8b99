package infrastructure

import (
	"encoding/json"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// addonsAndNodes makes the EKS add-ons and the node group in the order in which they need each other: network and Pod
// Identity before the nodes, which are not ready without them; DNS and metrics after, because as Deployments they are
// not active before they have a node.
func (c *Cluster) addonsAndNodes() {
	agent := c.addon("eks-pod-identity-agent", nil, nil)
	proxy := c.addon("kube-proxy", nil, nil)
	cni := c.addon("vpc-cni", map[string]any{"enableNetworkPolicy": "true"}, c.cniRole())
	nodes := c.nodes()
	nodes.Node().AddDependency(agent, proxy, cni)
	coredns := c.addon("coredns", nil, nil)
	metrics := c.addon("metrics-server", nil, nil)
	coredns.Node().AddDependency(nodes)
	metrics.Node().AddDependency(nodes)
	c.ready = append(c.ready, nodes, coredns)
}

// addon makes an EKS add-on in the default version of the cluster's Kubernetes. Its ServiceAccount gets a role if one is
// given. The L1 construct is used because only it knows Pod Identity.
func (c *Cluster) addon(name string, values map[string]any, role awsiam.IRole) awseksv2.CfnAddon {
	props := &awseksv2.CfnAddonProps{
		AddonName:   jsii.String(name),
		ClusterName: c.EKS.ClusterName(),
		// After a failed creation parts may be left in the cluster; they are the add-on's.
		ResolveConflicts: jsii.String("OVERWRITE"),
	}
	if values != nil {
		text, err := json.Marshal(values)
		if err != nil {
			panic(err) //nolint:forbidigo // literals of this file
		}
		props.ConfigurationValues = jsii.String(string(text))
	}
	if role != nil {
		props.PodIdentityAssociations = &[]*awseksv2.CfnAddon_PodIdentityAssociationProperty{{
			RoleArn: role.RoleArn(), ServiceAccount: jsii.String("aws-node"),
		}}
	}
	return awseksv2.NewCfnAddon(c.Stack, jsii.String("Addon-"+name), props)
}

// cniRole lets the network plug-in, and not every pod's node, manage network interfaces:
// https://docs.aws.amazon.com/eks/latest/userguide/cni-iam-role.html
func (c *Cluster) cniRole() awsiam.IRole {
	role := awsiam.NewRole(c.Stack, jsii.String("CNIRole"), &awsiam.RoleProps{
		AssumedBy:       podIdentityPrincipal(c.env, "kube-system", "aws-node"),
		ManagedPolicies: &[]awsiam.IManagedPolicy{managedPolicy("AmazonEKS_CNI_Policy")},
	})
	return role
}

// nodes makes the managed node group: Amazon Linux 2023, encrypted volumes, and an instance metadata service that pods
// cannot reach (one hop), so that no pod borrows the node's role.
func (c *Cluster) nodes() awseksv2.Nodegroup {
	n := c.env.Nodes
	role := awsiam.NewRole(c.Stack, jsii.String("NodeRole"), &awsiam.RoleProps{
		AssumedBy:       awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{managedPolicy("AmazonEKSWorkerNodePolicy"), managedPolicy("AmazonEC2ContainerRegistryPullOnly")},
	})
	template := c.launchTemplate()
	types := make([]awsec2.InstanceType, len(n.InstanceTypes))
	for i, name := range n.InstanceTypes {
		types[i] = awsec2.NewInstanceType(jsii.String(name))
	}
	capacity, image := awseksv2.CapacityType_ON_DEMAND, awseksv2.NodegroupAmiType_AL2023_ARM_64_STANDARD
	if n.Spot {
		capacity = awseksv2.CapacityType_SPOT
	}
	if n.Architecture == config.X8664 {
		image = awseksv2.NodegroupAmiType_AL2023_X86_64_STANDARD
	}
	return awseksv2.NewNodegroup(c.Stack, jsii.String("Nodes"), &awseksv2.NodegroupProps{
		Cluster:              c.EKS,
		NodeRole:             role,
		AmiType:              image,
		CapacityType:         capacity,
		InstanceTypes:        &types,
		MinSize:              jsii.Number(n.Min),
		MaxSize:              jsii.Number(n.Max),
		Subnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(PrivateSubnets)},
		EnableNodeAutoRepair: jsii.Bool(true),
		ForceUpdate:          jsii.Bool(false), // an update waits for PodDisruptionBudgets, and fails rather than break them
		LaunchTemplateSpec: &awseksv2.LaunchTemplateSpec{
			Id: template.LaunchTemplateId(), Version: template.LatestVersionNumber(),
		},
	})
}

// launchTemplate is what the node group cannot say itself.
func (c *Cluster) launchTemplate() awsec2.LaunchTemplate {
	template := awsec2.NewLaunchTemplate(c.Stack, jsii.String("NodeTemplate"), &awsec2.LaunchTemplateProps{
		RequireImdsv2:           jsii.Bool(true),
		HttpPutResponseHopLimit: jsii.Number(1),
		// A template with groups replaces the one that EKS would attach, so the cluster's own is named, too.
		SecurityGroup: c.EKS.ClusterSecurityGroup(),
		BlockDevices: &[]*awsec2.BlockDevice{{
			DeviceName: jsii.String("/dev/xvda"),
			Volume: awsec2.BlockDeviceVolume_Ebs(jsii.Number(c.env.Nodes.DiskGiB), &awsec2.EbsDeviceOptions{
				VolumeType: awsec2.EbsDeviceVolumeType_GP3, Encrypted: jsii.Bool(true), DeleteOnTermination: jsii.Bool(true),
			}),
		}},
	})
	template.AddSecurityGroup(c.network.Workloads)
	return template
}

// numbered makes a construct id of a list's element.
func numbered(id string, i int) string { return id + strconv.Itoa(i+1) }
