package resources

import (
	"context"
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::EC2::VPC",
		Properties: []string{"CidrBlock", "EnableDnsHostnames", "EnableDnsSupport", "InstanceTenancy", "Tags"},
		Create:     createVPC, Update: updateVPC, Delete: deleteVPC,
	})
	Register(&Type{
		Name:       "AWS::EC2::Subnet",
		Properties: []string{"VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags"},
		Create:     createSubnet, Update: updateSubnet, Delete: deleteSubnet,
	})
}

func createVPC(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "vpc", func(tags []ec2types.TagSpecification) (string, error) {
		in := ec2.CreateVpcInput{TagSpecifications: tags}
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
	for _, attribute := range []string{"EnableDnsSupport", "EnableDnsHostnames"} { // one a call, as the API demands
		if !p.Has(attribute) {
			continue
		}
		in := &ec2.ModifyVpcAttributeInput{VpcId: &id}
		if err := decode(Properties{attribute: map[string]any{"Value": p[attribute]}}, in); err != nil {
			return err
		}
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
	return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteVpc(ctx, &ec2.DeleteVpcInput{VpcId: &id})))
}

func createSubnet(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "subnet", func(tags []ec2types.TagSpecification) (string, error) {
		in := ec2.CreateSubnetInput{TagSpecifications: tags}
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

// deleteSubnet fails for a subnet with a load balancer in it, as on AWS, where
// the load balancer's network interface holds it.
func deleteSubnet(ctx context.Context, r *Request, id string, _ Properties) error {
	pages := elb.NewDescribeLoadBalancersPaginator(r.balancers(), &elb.DescribeLoadBalancersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, b := range page.LoadBalancers {
			if slices.ContainsFunc(b.AvailabilityZones, func(z elbtypes.AvailabilityZone) bool { return aws.ToString(z.SubnetId) == id }) {
				return fmt.Errorf("DependencyViolation: The subnet '%s' has dependencies and cannot be deleted (%s is in it)", id, aws.ToString(b.LoadBalancerName))
			}
		}
	}
	return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteSubnet(ctx, &ec2.DeleteSubnetInput{SubnetId: &id})))
}
