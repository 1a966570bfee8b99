package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::EC2::VPC",
		Properties: []string{"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"},
		Immutable:  []string{"CidrBlock"},
		Create:     createVPC, Update: updateVPC, Delete: deleteVPC,
	})
	Register(&Type{
		Name:       "AWS::EC2::Subnet",
		Properties: []string{"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"},
		Immutable:  []string{"VpcId", "CidrBlock", "AvailabilityZone"},
		Create:     createSubnet, Update: updateSubnet, Delete: deleteSubnet,
	})
	Register(&Type{
		Name:       "Custom::VpcRestrictDefaultSG",
		Properties: []string{"ServiceToken", "DefaultSecurityGroupId", "Account"},
		Create:     restrictDefaultGroup, Update: updateRestrictedGroup, Delete: restoreDefaultGroup,
	})
	Register(&Type{
		Name: "AWS::EC2::FlowLog",
		Properties: []string{"DeliverLogsPermissionArn", "LogDestination", "LogDestinationType", "LogFormat", "LogGroupName",
			"MaxAggregationInterval", "ResourceId", "ResourceType", "TrafficType", "Tags"},
		Immutable: []string{"DeliverLogsPermissionArn", "LogDestination", "LogDestinationType", "LogFormat", "LogGroupName",
			"MaxAggregationInterval", "ResourceId", "ResourceType", "TrafficType"},
		Recorded: "no packets flow through the VPC",
		Create:   createFlowLog, Update: ec2TagsOnly(idOnly("Id")),
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.ec2().DeleteFlowLogs(ctx, &ec2.DeleteFlowLogsInput{FlowLogIds: []string{id}})
			return gone(err)
		},
	})
}

func createVPC(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "vpc", func() (string, error) {
		var in ec2.CreateVpcInput
		if err := decode(p.pick("CidrBlock", "InstanceTenancy"), &in); err != nil {
			return "", err
		}
		out, err := r.ec2().CreateVpc(ctx, &in)
		if err != nil {
			return "", err
		}
		return *out.Vpc.VpcId, nil
	})
	if err != nil {
		return Result{ID: id}, err
	}
	if err := setVPCAttributes(ctx, r, id, p); err != nil {
		return Result{ID: id}, err
	}
	return vpcResult(ctx, r, id)
}

func setVPCAttributes(ctx context.Context, r *Request, id string, p Properties) error {
	if p.Has("EnableDnsSupport") {
		in := &ec2.ModifyVpcAttributeInput{VpcId: &id, EnableDnsSupport: &ec2types.AttributeBooleanValue{Value: aws.Bool(p.Bool("EnableDnsSupport"))}}
		if _, err := r.ec2().ModifyVpcAttribute(ctx, in); err != nil {
			return err
		}
	}
	if p.Has("EnableDnsHostnames") {
		in := &ec2.ModifyVpcAttributeInput{VpcId: &id, EnableDnsHostnames: &ec2types.AttributeBooleanValue{Value: aws.Bool(p.Bool("EnableDnsHostnames"))}}
		if _, err := r.ec2().ModifyVpcAttribute(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

func vpcResult(ctx context.Context, r *Request, id string) (Result, error) {
	out, err := r.ec2().DescribeVpcs(ctx, &ec2.DescribeVpcsInput{VpcIds: []string{id}})
	if err != nil {
		return Result{ID: id}, err
	}
	vpc, err := onlyOne(out.Vpcs, nil, "VPC "+id)
	if err != nil {
		return Result{ID: id}, err
	}
	group, err := defaultGroup(ctx, r, id)
	if err != nil {
		return Result{ID: id}, err
	}
	acls, err := r.ec2().DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{id}}, {Name: aws.String("default"), Values: []string{"true"}},
	}})
	if err != nil {
		return Result{ID: id}, err
	}
	attributes := map[string]any{
		"VpcId": id, "CidrBlock": aws.ToString(vpc.CidrBlock), "DefaultSecurityGroup": group,
		"CidrBlockAssociations": []any{}, "Ipv6CidrBlocks": []any{},
	}
	if len(acls.NetworkAcls) > 0 {
		attributes["DefaultNetworkAcl"] = aws.ToString(acls.NetworkAcls[0].NetworkAclId)
	}
	return Result{ID: id, Attributes: attributes}, nil
}

func defaultGroup(ctx context.Context, r *Request, vpc string) (string, error) {
	out, err := r.ec2().DescribeSecurityGroups(ctx, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		{Name: aws.String("vpc-id"), Values: []string{vpc}}, {Name: aws.String("group-name"), Values: []string{"default"}},
	}})
	if err != nil {
		return "", err
	}
	g, err := onlyOne(out.SecurityGroups, nil, "the default security group of "+vpc)
	return aws.ToString(g.GroupId), err
}

func updateVPC(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if err := setVPCAttributes(ctx, r, id, updated); err != nil {
		return Result{}, err
	}
	if err := ec2UpdateTags(ctx, r, id, old, updated); err != nil {
		return Result{}, err
	}
	return vpcResult(ctx, r, id)
}

func deleteVPC(ctx context.Context, r *Request, id string, _ Properties) error {
	_, err := r.ec2().DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &id})
	return gone(err)
}

func createSubnet(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "subnet", func() (string, error) {
		var in ec2.CreateSubnetInput
		if err := decode(p.pick("VpcId", "CidrBlock", "AvailabilityZone"), &in); err != nil {
			return "", err
		}
		out, err := r.ec2().CreateSubnet(ctx, &in)
		if err != nil {
			return "", err
		}
		return *out.Subnet.SubnetId, nil
	})
	if err != nil {
		return Result{ID: id}, err
	}
	return subnetResult(ctx, r, id, p)
}

// subnetResult applies the mutable attribute and returns the attributes.
func subnetResult(ctx context.Context, r *Request, id string, p Properties) (Result, error) {
	_, err := r.ec2().ModifySubnetAttribute(ctx, &ec2.ModifySubnetAttributeInput{
		SubnetId: &id, MapPublicIpOnLaunch: &ec2types.AttributeBooleanValue{Value: aws.Bool(p.Bool("MapPublicIpOnLaunch"))},
	})
	if err != nil {
		return Result{ID: id}, err
	}
	out, err := r.ec2().DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{SubnetIds: []string{id}})
	if err != nil {
		return Result{ID: id}, err
	}
	s, err := onlyOne(out.Subnets, nil, "subnet "+id)
	if err != nil {
		return Result{ID: id}, err
	}
	acls, err := r.ec2().DescribeNetworkAcls(ctx, &ec2.DescribeNetworkAclsInput{Filters: []ec2types.Filter{
		{Name: aws.String("association.subnet-id"), Values: []string{id}},
	}})
	if err != nil {
		return Result{ID: id}, err
	}
	association := ""
	for _, acl := range acls.NetworkAcls {
		for _, a := range acl.Associations {
			if aws.ToString(a.SubnetId) == id {
				association = aws.ToString(a.NetworkAclAssociationId)
			}
		}
	}
	return Result{ID: id, Attributes: map[string]any{
		"SubnetId": id, "VpcId": aws.ToString(s.VpcId), "CidrBlock": aws.ToString(s.CidrBlock),
		"AvailabilityZone": aws.ToString(s.AvailabilityZone), "AvailabilityZoneId": aws.ToString(s.AvailabilityZoneId),
		"NetworkAclAssociationId": association, "Ipv6CidrBlocks": []any{},
	}}, nil
}

func updateSubnet(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if err := ec2UpdateTags(ctx, r, id, old, updated); err != nil {
		return Result{}, err
	}
	return subnetResult(ctx, r, id, updated)
}

func deleteSubnet(ctx context.Context, r *Request, id string, _ Properties) error {
	_, err := r.ec2().DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &id})
	return gone(err)
}

func createFlowLog(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "vpc-flow-log", func() (string, error) {
		var in ec2.CreateFlowLogsInput
		if err := decode(p.without("Tags", "ResourceId"), &in); err != nil {
			return "", err
		}
		in.ResourceIds = []string{p.String("ResourceId")}
		out, err := r.ec2().CreateFlowLogs(ctx, &in)
		if err != nil {
			return "", err
		}
		return onlyOne(out.FlowLogIds, nil, "the flow log")
	})
	return Result{ID: id, Attributes: map[string]any{"Id": id}}, err
}

// restrictDefaultGroup does what CDK's custom resource of that name does: it
// takes the two default rules out of a VPC's default security group.
func restrictDefaultGroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	group := p.String("DefaultSecurityGroupId")
	in, out := defaultRules(group)
	_, err := r.ec2().RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: in})
	if gone(err) != nil {
		return Result{}, err
	}
	_, err = r.ec2().RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &group, IpPermissions: out})
	return Result{ID: "restricted-" + group}, gone(err)
}

func updateRestrictedGroup(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if !changed(old, updated, "DefaultSecurityGroupId") {
		return Result{ID: id}, nil
	}
	if err := restoreDefaultGroup(ctx, r, id, old); err != nil {
		return Result{}, err
	}
	return restrictDefaultGroup(ctx, r, updated)
}

func restoreDefaultGroup(ctx context.Context, r *Request, _ string, p Properties) error {
	group := p.String("DefaultSecurityGroupId")
	in, out := defaultRules(group)
	_, err := r.ec2().AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: in})
	if err != nil && !isGone(err) && !hasCode(err, "Duplicate") {
		return err
	}
	_, err = r.ec2().AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &group, IpPermissions: out})
	if hasCode(err, "Duplicate") {
		return nil
	}
	return gone(err)
}

func defaultRules(group string) (ingress, egress []ec2types.IpPermission) {
	all := aws.String("-1")
	return []ec2types.IpPermission{{IpProtocol: all, UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &group}}}},
		[]ec2types.IpPermission{{IpProtocol: all, IpRanges: []ec2types.IpRange{{CidrIp: aws.String("0.0.0.0/0")}}}}
}
