package infrastructure

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
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

// VPCProps says how large a VPC is and where it is, by the environment's network settings.
type VPCProps struct {
	Env config.Environment
	// Name of the VPC. Its flow logs are /<name>/vpc-flow-logs.
	Name string
	// Key encrypts the flow logs; CloudWatch Logs must be allowed to use it.
	Key awskms.IKey
}

// NewVPC makes a VPC with three kinds of subnets, NAT gateways, flow logs, and the endpoints that the configuration lists.
// For a /16 the private subnets, where every pod has an address, are /19, the others /24; a smaller VPC shifts all by as
// many bits.
func NewVPC(scope constructs.Construct, id string, props *VPCProps) awsec2.Vpc {
	env := props.Env
	mask := float64(netip.MustParsePrefix(env.Network.CIDR).Bits())
	vpc := awsec2.NewVpc(scope, jsii.String(id), &awsec2.VpcProps{
		VpcName:           jsii.String(props.Name),
		IpAddresses:       awsec2.IpAddresses_Cidr(jsii.String(env.Network.CIDR)),
		AvailabilityZones: jsii.Strings(env.Zones()...),
		NatGateways:       jsii.Number(natGateways(env.Network)),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String(PrivateSubnets), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS, CidrMask: jsii.Number(mask + 3)},
			{Name: jsii.String(PublicSubnets), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(mask + 8), MapPublicIpOnLaunch: jsii.Bool(false)},
			{Name: jsii.String(IsolatedSubnets), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(mask + 8)},
		},
	})
	// The load balancer controller finds its subnets by these tags:
	// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/deploy/subnet_discovery/
	tagSubnets(vpc, PublicSubnets, "kubernetes.io/role/elb")
	tagSubnets(vpc, PrivateSubnets, "kubernetes.io/role/internal-elb")
	flowLogs(vpc, props)
	vpc.AddGatewayEndpoint(jsii.String("S3"), &awsec2.GatewayVpcEndpointOptions{Service: awsec2.GatewayVpcEndpointAwsService_S3()})
	interfaceEndpoints(vpc, env)
	return vpc
}

// natGateways returns the number of NAT gateways.
func natGateways(n config.Network) int {
	if n.NAT == config.NATPerZone {
		return len(n.Zones)
	}
	return 1
}

// tagSubnets sets the tag to 1 on the subnets of a group.
func tagSubnets(vpc awsec2.Vpc, group, tag string) {
	selected := vpc.SelectSubnets(&awsec2.SubnetSelection{SubnetGroupName: jsii.String(group)})
	for _, subnet := range *selected.Subnets {
		awscdk.Tags_Of(subnet).Add(jsii.String(tag), jsii.String("1"), nil)
	}
}

// flowLogs records the VPC's traffic, accepted and rejected, in CloudWatch Logs.
func flowLogs(vpc awsec2.Vpc, props *VPCProps) {
	group := retention.Of(props.Env).LogGroup(vpc, "FlowLogs", "/"+props.Name+"/vpc-flow-logs", props.Env.Network.FlowLogDays, props.Key)
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
