package resources

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func (s *stack) vpc() string {
	return s.create("AWS::EC2::VPC", "Vpc", Properties{
		"CidrBlock": "10.10.0.0/16", "EnableDnsHostnames": true, "EnableDnsSupport": "true", "InstanceTenancy": "default", "Tags": tags("Name", "local"),
	})
}

func (s *stack) subnet(id, vpc, cidr, zone string) string {
	return s.create("AWS::EC2::Subnet", id, Properties{
		"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone, "MapPublicIpOnLaunch": true,
		"Tags": tags("kubernetes.io/role/elb", "1"),
	})
}

func TestNetwork(t *testing.T) {
	s := newStack(t)
	vpc := s.vpc()
	subnet := s.subnet("Public", vpc, "10.10.0.0/20", "eu-west-1a")
	gateway := s.create("AWS::EC2::InternetGateway", "Gateway", Properties{"Tags": tags("Name", "gw")})
	s.create("AWS::EC2::VPCGatewayAttachment", "Attachment", Properties{"VpcId": vpc, "InternetGatewayId": gateway})
	table := s.create("AWS::EC2::RouteTable", "Table", Properties{"VpcId": vpc})
	s.create("AWS::EC2::SubnetRouteTableAssociation", "Association", Properties{"RouteTableId": table, "SubnetId": subnet})
	s.create("AWS::EC2::Route", "Route", Properties{"RouteTableId": table, "DestinationCidrBlock": "0.0.0.0/0", "GatewayId": gateway})
	s.create("AWS::EC2::EIP", "Address", Properties{"Domain": "vpc", "Tags": tags("Name", "nat")})
	s.create("AWS::EC2::NatGateway", "Nat", Properties{"SubnetId": subnet, "AllocationId": s.att("Address", "AllocationId")})
	s.create("AWS::EC2::VPCEndpoint", "S3", Properties{
		"VpcId": vpc, "ServiceName": "com.amazonaws.eu-west-1.s3", "VpcEndpointType": "Gateway", "RouteTableIds": []any{table}, "Tags": tags("Name", "s3"),
	})

	out, err := s.services.ec2().DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:kubernetes.io/role/elb"), Values: []string{"1"}}, {Name: aws.String("vpc-id"), Values: []string{vpc}},
	}})
	if err != nil || len(out.Subnets) != 1 || !aws.ToBool(out.Subnets[0].MapPublicIpOnLaunch) {
		t.Errorf("the load balancer controller finds %d subnets by tag (%v), want 1 that maps public addresses", len(out.Subnets), err)
	}
	got := map[string]string{}
	for _, tag := range out.Subnets[0].Tags {
		got[*tag.Key] = *tag.Value
	}
	if got["environment"] != "local" || got["aws:cloudformation:logical-id"] != "Public" {
		t.Errorf("tags of the subnet: %v", got)
	}
}

func TestInterruptedCreationIsAdopted(t *testing.T) {
	s := newStack(t)
	first := s.vpc()
	typ, _ := Lookup("AWS::EC2::VPC")
	again, err := typ.Create(t.Context(), s.request("AWS::EC2::VPC", "Vpc"), Properties{"CidrBlock": "10.10.0.0/16"})
	if err != nil || again.ID != first {
		t.Errorf("second creation made %s (%v), want %s", again.ID, err, first)
	}
}

func TestSubnetTagsUpdate(t *testing.T) {
	s := newStack(t)
	vpc := s.vpc()
	old := Properties{"VpcId": vpc, "CidrBlock": "10.10.0.0/20", "AvailabilityZone": "eu-west-1a", "Tags": tags("a", "1", "b", "2")}
	id := s.create("AWS::EC2::Subnet", "Subnet", old)
	updated := Properties{"VpcId": vpc, "CidrBlock": "10.10.0.0/20", "AvailabilityZone": "eu-west-1a", "Tags": tags("b", "3")}
	if err := s.update("AWS::EC2::Subnet", "Subnet", old, updated); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.ec2().DescribeSubnets(t.Context(), &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, tag := range out.Subnets[0].Tags {
		got[*tag.Key] = *tag.Value
	}
	if _, kept := got["a"]; kept || got["b"] != "3" {
		t.Errorf("tags after the update: %v", got)
	}
}

func TestSecurityGroupRulesChangeInPlace(t *testing.T) {
	s := newStack(t)
	vpc := s.vpc()
	rule := func(port string) any {
		return map[string]any{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "CidrIp": "10.10.0.0/16", "Description": "from pods"}
	}
	old := Properties{"VpcId": vpc, "GroupDescription": "d", "SecurityGroupIngress": []any{rule("80")},
		"SecurityGroupEgress": []any{map[string]any{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}}
	id := s.create("AWS::EC2::SecurityGroup", "Group", old)
	s.create("AWS::EC2::SecurityGroupIngress", "Rule", Properties{"GroupId": id, "IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "SourceSecurityGroupId": id})
	updated := Properties{"VpcId": vpc, "GroupDescription": "d", "SecurityGroupIngress": []any{rule("443")},
		"SecurityGroupEgress": []any{map[string]any{"IpProtocol": "icmp", "FromPort": 252, "ToPort": 86, "CidrIp": "255.255.255.255/32"}}}
	if err := s.update("AWS::EC2::SecurityGroup", "Group", old, updated); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.ec2().DescribeSecurityGroups(t.Context(), &ec2.DescribeSecurityGroupsInput{GroupIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	ports := map[int32]bool{}
	for _, p := range out.SecurityGroups[0].IpPermissions {
		ports[aws.ToInt32(p.FromPort)] = true
	}
	if ports[80] || !ports[443] || !ports[3306] {
		t.Errorf("ingress ports after the update: %v, want 443 and 3306", ports)
	}
	egress := out.SecurityGroups[0].IpPermissionsEgress
	if len(egress) != 1 || aws.ToString(egress[0].IpProtocol) != "icmp" {
		t.Errorf("egress after the update: %+v", egress)
	}
}

func (s *stack) role(id string) string {
	return s.create("AWS::IAM::Role", id, Properties{
		"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": []any{"sts:AssumeRole", "sts:TagSession"}, "Principal": map[string]any{"Service": "pods.eks.amazonaws.com"}}}},
		"ManagedPolicyArns": []any{"arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"},
		"Tags":              tags("team", "platform"),
	})
}
