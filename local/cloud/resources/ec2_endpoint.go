package resources

import (
	"context"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
)

func init() {
	Register(&Type{
		Name: "AWS::EC2::VPCEndpoint",
		Properties: []string{"PolicyDocument", "PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "ServiceName",
			"SubnetIds", "Tags", "VpcEndpointType", "VpcId", "IpAddressType"},
		Immutable: []string{"ServiceName", "VpcEndpointType", "VpcId"},
		Recorded:  "no traffic goes through a VPC endpoint; every AWS call goes to the local endpoint",
		Create:    createEndpoint, Update: updateEndpoint, Delete: deleteEndpoint,
	})
	Register(&Type{
		Name:       "AWS::EC2::LaunchTemplate",
		Properties: []string{"LaunchTemplateData", "LaunchTemplateName", "TagSpecifications", "VersionDescription"},
		Immutable:  []string{"LaunchTemplateName"},
		Recorded:   "no instance is launched; the process node stands in for the node group",
		Create:     createLaunchTemplate, Update: updateLaunchTemplate, Delete: deleteLaunchTemplate,
	})
}

func createEndpoint(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "vpc-endpoint", func() (string, error) {
		var in ec2.CreateVpcEndpointInput
		if err := decode(p.without("Tags"), &in); err != nil {
			return "", err
		}
		out, err := r.ec2().CreateVpcEndpoint(ctx, &in)
		if err != nil {
			return "", err
		}
		return *out.VpcEndpoint.VpcEndpointId, nil
	})
	return endpointResult(id), err
}

func endpointResult(id string) Result {
	return Result{ID: id, Attributes: map[string]any{"Id": id, "DnsEntries": []any{}, "NetworkInterfaceIds": []any{}}}
}

func updateEndpoint(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if changed(old, updated, "PolicyDocument", "PrivateDnsEnabled", "RouteTableIds", "SecurityGroupIds", "SubnetIds", "IpAddressType") {
		in := &ec2.ModifyVpcEndpointInput{VpcEndpointId: &id}
		in.AddRouteTableIds, in.RemoveRouteTableIds = delta(old, updated, "RouteTableIds")
		in.AddSubnetIds, in.RemoveSubnetIds = delta(old, updated, "SubnetIds")
		in.AddSecurityGroupIds, in.RemoveSecurityGroupIds = delta(old, updated, "SecurityGroupIds")
		if updated.Has("PolicyDocument") {
			in.PolicyDocument = aws.String(updated.String("PolicyDocument"))
		}
		if updated.Has("PrivateDnsEnabled") {
			in.PrivateDnsEnabled = aws.Bool(updated.Bool("PrivateDnsEnabled"))
		}
		if _, err := r.ec2().ModifyVpcEndpoint(ctx, in); err != nil {
			return Result{}, err
		}
	}
	return endpointResult(id), ec2UpdateTags(ctx, r, id, old, updated)
}

func deleteEndpoint(ctx context.Context, r *Request, id string, _ Properties) error {
	_, err := r.ec2().DeleteVpcEndpoints(ctx, &ec2.DeleteVpcEndpointsInput{VpcEndpointIds: []string{id}})
	return gone(err)
}

// delta returns what a list of strings gains and loses.
func delta(old, updated Properties, key string) (gained, lost []string) {
	before, after := map[string]bool{}, map[string]bool{}
	for _, s := range old.Strings(key) {
		before[s] = true
	}
	for _, s := range updated.Strings(key) {
		after[s] = true
		if !before[s] {
			gained = append(gained, s)
		}
	}
	for _, s := range old.Strings(key) {
		if !after[s] {
			lost = append(lost, s)
		}
	}
	return gained, lost
}

func createLaunchTemplate(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in ec2.CreateLaunchTemplateInput
	if err := decode(p.without("LaunchTemplateName"), &in); err != nil {
		return Result{}, err
	}
	in.LaunchTemplateName = aws.String(r.name(p, "LaunchTemplateName", 128, false))
	out, err := r.ec2().CreateLaunchTemplate(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return launchTemplateResult(*out.LaunchTemplate.LaunchTemplateId, aws.ToInt64(out.LaunchTemplate.LatestVersionNumber)), nil
}

func launchTemplateResult(id string, version int64) Result {
	v := strconv.FormatInt(version, 10)
	return Result{ID: id, Attributes: map[string]any{"LaunchTemplateId": id, "LatestVersionNumber": v, "DefaultVersionNumber": "1"}}
}

func updateLaunchTemplate(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
	var in ec2.CreateLaunchTemplateVersionInput
	if err := decode(updated.pick("LaunchTemplateData", "VersionDescription"), &in); err != nil {
		return Result{}, err
	}
	in.LaunchTemplateId = &id
	out, err := r.ec2().CreateLaunchTemplateVersion(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return launchTemplateResult(id, aws.ToInt64(out.LaunchTemplateVersion.VersionNumber)), nil
}

func deleteLaunchTemplate(ctx context.Context, r *Request, id string, _ Properties) error {
	_, err := r.ec2().DeleteLaunchTemplate(ctx, &ec2.DeleteLaunchTemplateInput{LaunchTemplateId: &id})
	return gone(err)
}
