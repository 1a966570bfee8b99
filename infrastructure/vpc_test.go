package infrastructure

import (
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A VPC has its subnets in every zone, in the sizes of its CIDR, the endpoints that the configuration lists, and its logs.
func TestVPC(t *testing.T) {
	env := cdktest.Environment(t)
	env.Network = config.Network{CIDR: "10.60.0.0/19", Zones: []string{"b", "a"}, NAT: config.NATPerZone, Endpoints: []string{"sts", "ecr.api"}, FlowLogDays: 14}
	stack := cdktest.Stack(t, env)
	NewVPC(stack, "Side", &VPCProps{Env: env, Name: "side", Key: key(stack)})
	template := cdktest.Synthesize(t, stack)
	template.Count("AWS::EC2::Subnet", 6)
	template.Count("AWS::EC2::NatGateway", 2)
	template.Count("AWS::EC2::VPCEndpoint", 3)
	for zone, block := range map[string]string{"a": "10.60.0.0/22", "b": "10.60.4.0/22"} {
		template.Has("AWS::EC2::Subnet", map[string]any{
			"AvailabilityZone": env.Region + zone, "CidrBlock": block, "MapPublicIpOnLaunch": false,
			"Tags": list(map[string]any{"Key": "kubernetes.io/role/internal-elb", "Value": "1"}),
		})
	}
	template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/side/vpc-flow-logs", "RetentionInDays": 14})
}

func TestConstructID(t *testing.T) {
	for service, want := range map[string]string{"ecr.api": "EcrApiEndpoint", "eks-auth": "EksAuthEndpoint", "sts": "StsEndpoint"} {
		if got := constructID(service); got != want {
			t.Errorf("%s: %s, want %s", service, got, want)
		}
	}
}

func TestNATGateways(t *testing.T) {
	for nat, want := range map[config.NAT]int{config.NATOne: 1, config.NATPerZone: 2} {
		if got := natGateways(config.Network{NAT: nat, Zones: []string{"a", "b"}}); got != want {
			t.Errorf("%s: %d, want %d", nat, got, want)
		}
	}
}
