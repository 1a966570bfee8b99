// Package infrastructure is the platform's own AWS half: the network, the cluster, and the bootstrap that hands the
// cluster over to Flux.
package infrastructure

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// Names of the subnet groups: one subnet of each in every zone.
const (
	PublicSubnets   = "public"   // load balancers, NAT gateways
	PrivateSubnets  = "private"  // nodes, pods, the kubectl function
	IsolatedSubnets = "isolated" // databases: no route out
)

// Network is the stack <environment>-network: what outlives clusters. Its VPC, keys and zone cross to the other stacks
// as CloudFormation exports, which is fine because none of them is ever replaced.
type Network struct {
	Stack awscdk.Stack
	VPC   awsec2.Vpc
	// Workloads is the security group of every node and therefore of every pod. It is made here and not taken from EKS,
	// so that a database can admit the pods without depending on a cluster, which may be replaced.
	Workloads awsec2.SecurityGroup
	// Key encrypts the environment's databases and secrets.
	Key awskms.Key
	// Zone holds the environment's domain.
	Zone awsroute53.IHostedZone
}

// NewNetwork makes the network stack in the environment's stage.
func NewNetwork(stage constructs.Construct, env config.Environment) Network {
	stack := newStack(stage, env, "network", "Network of "+env.Name+": VPC, data key, DNS zone")
	n := Network{Stack: stack}
	keep := retention.Policy{Protected: env.DeletionProtection}
	n.Key = awskms.NewKey(stack, jsii.String("DataKey"), &awskms.KeyProps{
		Alias:             jsii.String(env.Name + "/data"),
		Description:       jsii.String("Databases and secrets of " + env.Name),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     keep.Data(),
	})
	n.VPC = newVPC(stack, env)
	flowLogs(n.VPC, env, keep)
	n.VPC.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{Service: awsec2.GatewayVpcEndpointAwsService_S3()})
	interfaceEndpoints(n.VPC, env)
	n.Workloads = awsec2.NewSecurityGroup(stack, jsii.String("Workloads"), &awsec2.SecurityGroupProps{
		Vpc:         n.VPC,
		Description: jsii.String("Nodes and pods of " + env.Name),
	})
	n.Zone = zone(stack, env)
	return n
}

// newStack makes a stack of the environment. Deletion protection covers the stack itself, too.
func newStack(stage constructs.Construct, env config.Environment, part, description string) awscdk.Stack {
	stack := awscdk.NewStack(stage, jsii.String(part), &awscdk.StackProps{
		StackName:             jsii.String(env.StackName(part)),
		Description:           jsii.String(description),
		TerminationProtection: jsii.Bool(env.DeletionProtection),
	})
	return stack
}

// newVPC makes the VPC with three kinds of subnets. For a /16 the private subnets, where every pod has an address, are
// /19, the others /24; a smaller VPC shifts all by as many bits.
func newVPC(stack awscdk.Stack, env config.Environment) awsec2.Vpc {
	mask := float64(netip.MustParsePrefix(env.Network.CIDR).Bits())
	private := awsec2.SubnetType_PRIVATE_WITH_EGRESS
	if env.Network.NAT == config.NATNone {
		private = awsec2.SubnetType_PRIVATE_ISOLATED
	}
	vpc := awsec2.NewVpc(stack, jsii.String("VPC"), &awsec2.VpcProps{
		VpcName:           jsii.String(env.Name),
		IpAddresses:       awsec2.IpAddresses_Cidr(jsii.String(env.Network.CIDR)),
		AvailabilityZones: jsii.Strings(env.Zones()...),
		NatGateways:       jsii.Number(natGateways(env.Network)),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String(PrivateSubnets), SubnetType: private, CidrMask: jsii.Number(mask + 3)},
			{Name: jsii.String(PublicSubnets), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(mask + 8), MapPublicIpOnLaunch: jsii.Bool(false)},
			{Name: jsii.String(IsolatedSubnets), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(mask + 8)},
		},
	})
	// The load balancer controller finds its subnets by these tags:
	// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/
	tagSubnets(vpc, PublicSubnets, "kubernetes.io/role/elb")
	tagSubnets(vpc, PrivateSubnets, "kubernetes.io/role/internal-elb")
	return vpc
}

// natGateways is the number of NAT gateways.
func natGateways(n config.Network) int {
	switch n.NAT {
	case config.NATNone:
		return 0
	case config.NATPerZone:
		return len(n.Zones)
	default:
		return 1
	}
}

// tagSubnets sets the tag to 1 on the subnets of a group.
func tagSubnets(vpc awsec2.Vpc, group, tag string) {
	selected := vpc.SelectSubnets(&awsec2.SubnetSelection{SubnetGroupName: jsii.String(group)})
	for _, subnet := range *selected.Subnets {
		awscdk.Tags_Of(subnet).Add(jsii.String(tag), jsii.String("1"), nil)
	}
}

// flowLogs records the VPC's traffic, accepted and rejected, in CloudWatch Logs.
func flowLogs(vpc awsec2.Vpc, env config.Environment, keep retention.Policy) {
	group := keep.LogGroup(vpc, "FlowLogs", "/"+env.Name+"/vpc-flow-logs", env.Network.FlowLogDays)
	role := awsiam.NewRole(vpc, jsii.String("FlowLogsRole"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("vpc-flow-logs.amazonaws.com"), nil),
	})
	vpc.AddFlowLog(jsii.String("FlowLog"), &awsec2.FlowLogOptions{
		Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(group, role),
		TrafficType: awsec2.FlowLogTrafficType_ALL,
	})
}

// interfaceEndpoints makes the PrivateLink endpoints that the configuration lists, in the private subnets, reachable
// from the VPC.
func interfaceEndpoints(vpc awsec2.Vpc, env config.Environment) {
	names := slices.Sorted(slices.Values(env.Network.Endpoints))
	for _, name := range names {
		vpc.AddInterfaceEndpoint(jsii.String(constructID(name)), &awsec2.InterfaceVpcEndpointOptions{
			Service:           awsec2.NewInterfaceVpcEndpointAwsService(jsii.String(name), nil, nil, nil),
			PrivateDnsEnabled: jsii.Bool(true),
			Subnets:           &awsec2.SubnetSelection{SubnetGroupName: jsii.String(PrivateSubnets)},
		})
	}
}

// constructID turns a service name such as ecr.api into a construct id such as EcrApiEndpoint.
func constructID(service string) string {
	var id strings.Builder
	for part := range strings.FieldsFuncSeq(service, func(r rune) bool { return r == '.' || r == '-' }) {
		id.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return id.String() + "Endpoint"
}

// zone is the DNS zone of the environment's domain: the configured one, or a new public one.
func zone(stack awscdk.Stack, env config.Environment) awsroute53.IHostedZone {
	if z := env.HostedZone; z != nil {
		// By attributes, never by look-up: synthesis needs no account.
		return awsroute53.HostedZone_FromHostedZoneAttributes(stack, jsii.String("Zone"), &awsroute53.HostedZoneAttributes{
			HostedZoneId: jsii.String(z.ID), ZoneName: jsii.String(z.Name),
		})
	}
	created := awsroute53.NewPublicHostedZone(stack, jsii.String("Zone"), &awsroute53.PublicHostedZoneProps{
		ZoneName: jsii.String(env.Domain),
		Comment:  jsii.String("Domain of " + env.Name),
	})
	awscdk.NewCfnOutput(stack, jsii.String("NameServers"), &awscdk.CfnOutputProps{
		Description: jsii.String("Enter these as NS records of " + env.Domain + " in its parent zone"),
		Value:       awscdk.Fn_Join(jsii.String(" "), created.HostedZoneNameServers()),
	})
	return created
}
