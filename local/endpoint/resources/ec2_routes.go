package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

var routeTargets = []string{"GatewayId", "NatGatewayId", "NetworkInterfaceId", "TransitGatewayId", "VpcPeeringConnectionId", "VpcEndpointId", "EgressOnlyInternetGatewayId"}

var routeDestinations = []string{"RouteTableId", "DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"}

func init() {
	Register(&Type{
		Name: "AWS::EC2::RouteTable", Properties: []string{"VpcId", "Tags"},
		Create: createRouteTable, Update: ec2TagsOnly(idOnly("RouteTableId")), Delete: deleteRouteTable,
	})
	Register(&Type{
		Name: "AWS::EC2::SubnetRouteTableAssociation", Properties: []string{"RouteTableId", "SubnetId"},
		Create: associateRouteTable,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.ec2().DisassociateRouteTable(ctx, &ec2.DisassociateRouteTableInput{AssociationId: &id}))
		},
	})
	Register(&Type{
		Name: "AWS::EC2::Route", Properties: append(append([]string{}, routeDestinations...), routeTargets...),
		Create: createRoute, Update: replaceRoute, Delete: deleteRoute,
	})
	Register(&Type{
		Name: "AWS::EC2::InternetGateway", Properties: []string{"Tags"},
		Create: createInternetGateway, Update: ec2TagsOnly(idOnly("InternetGatewayId")),
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteInternetGateway(ctx, &ec2.DeleteInternetGatewayInput{InternetGatewayId: &id})))
		},
	})
	Register(&Type{
		Name: "AWS::EC2::VPCGatewayAttachment", Properties: []string{"VpcId", "InternetGatewayId"},
		Create: attachGateway, Delete: detachGateway,
	})
}

func createRouteTable(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "route-table", func(tags []ec2types.TagSpecification) (string, error) {
		out, err := r.ec2().CreateRouteTable(ctx, &ec2.CreateRouteTableInput{VpcId: aws.String(p.String("VpcId")), TagSpecifications: tags})
		if err != nil {
			return "", err
		}
		return *out.RouteTable.RouteTableId, nil
	})
	return Result{ID: id, Attributes: map[string]any{"RouteTableId": id}}, err
}

func deleteRouteTable(ctx context.Context, r *Request, id string, _ Properties) error {
	return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteRouteTable(ctx, &ec2.DeleteRouteTableInput{RouteTableId: &id})))
}

func associateRouteTable(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in ec2.AssociateRouteTableInput
	if err := decode(p, &in); err != nil {
		return Result{}, err
	}
	out, err := r.ec2().AssociateRouteTable(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	return Result{ID: *out.AssociationId, Attributes: map[string]any{"Id": *out.AssociationId}}, nil
}

func createRoute(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in ec2.CreateRouteInput
	if err := decode(p, &in); err != nil {
		return Result{}, err
	}
	if _, err := r.ec2().CreateRoute(ctx, &in); err != nil && !hasCode(err, "RouteAlreadyExists") {
		return Result{}, err
	}
	return routeResult(p), nil
}

func routeResult(p Properties) Result {
	cidr := p.String("DestinationCidrBlock") + p.String("DestinationIpv6CidrBlock") + p.String("DestinationPrefixListId")
	return Result{ID: p.String("RouteTableId") + "|" + cidr, Attributes: map[string]any{"CidrBlock": cidr}}
}

func replaceRoute(ctx context.Context, r *Request, _ string, _, updated Properties) (Result, error) {
	var in ec2.ReplaceRouteInput
	if err := decode(updated, &in); err != nil {
		return Result{}, err
	}
	_, err := r.ec2().ReplaceRoute(ctx, &in)
	return routeResult(updated), err
}

func deleteRoute(ctx context.Context, r *Request, _ string, p Properties) error {
	var in ec2.DeleteRouteInput
	if err := decode(p.pick(routeDestinations...), &in); err != nil {
		return err
	}
	return deleted(r.ec2().DeleteRoute(ctx, &in))
}

func createInternetGateway(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "internet-gateway", func(tags []ec2types.TagSpecification) (string, error) {
		out, err := r.ec2().CreateInternetGateway(ctx, &ec2.CreateInternetGatewayInput{TagSpecifications: tags})
		if err != nil {
			return "", err
		}
		return *out.InternetGateway.InternetGatewayId, nil
	})
	return Result{ID: id, Attributes: map[string]any{"InternetGatewayId": id}}, err
}

func attachGateway(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in ec2.AttachInternetGatewayInput
	if err := decode(p, &in); err != nil {
		return Result{}, err
	}
	result := Result{ID: "IGW|" + p.String("VpcId"), Attributes: map[string]any{"AttachmentType": "IGW"}}
	_, err := r.ec2().AttachInternetGateway(ctx, &in)
	if hasCode(err, "AlreadyAssociated") {
		return result, nil
	}
	return result, err
}

func detachGateway(ctx context.Context, r *Request, _ string, p Properties) error {
	var in ec2.DetachInternetGatewayInput
	if err := decode(p, &in); err != nil {
		return err
	}
	_, err := r.ec2().DetachInternetGateway(ctx, &in)
	if hasCode(err, "NotAttached") {
		return nil
	}
	return gone(err)
}

func init() {
	Register(&Type{
		Name: "AWS::EC2::EIP", Properties: []string{"Domain", "Tags"}, Immutable: []string{"Domain"},
		Create: createAddress, Update: updateAddress, Delete: releaseAddress,
	})
	Register(&Type{
		Name:       "AWS::EC2::NatGateway",
		Properties: []string{"SubnetId", "AllocationId", "ConnectivityType", "Tags"},
		Create:     createNAT, Update: ec2TagsOnly(idOnly("NatGatewayId")),
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteNatGateway(ctx, &ec2.DeleteNatGatewayInput{NatGatewayId: &id})))
		},
	})
}

func createAddress(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "elastic-ip", func(tags []ec2types.TagSpecification) (string, error) {
		out, err := r.ec2().AllocateAddress(ctx, &ec2.AllocateAddressInput{Domain: ec2types.DomainTypeVpc, TagSpecifications: tags})
		if err != nil {
			return "", err
		}
		return *out.AllocationId, nil
	})
	if err != nil {
		return Result{}, err
	}
	return addressResult(ctx, r, ec2.DescribeAddressesInput{AllocationIds: []string{id}})
}

// addressResult describes one address; its Ref is the public IP.
func addressResult(ctx context.Context, r *Request, in ec2.DescribeAddressesInput) (Result, error) {
	out, err := r.ec2().DescribeAddresses(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	a, err := onlyOne(out.Addresses, nil, "address "+strings.Join(append(in.AllocationIds, in.PublicIps...), ""))
	ip := aws.ToString(a.PublicIp)
	return Result{ID: ip, Attributes: map[string]any{"AllocationId": aws.ToString(a.AllocationId), "PublicIp": ip}}, err
}

func updateAddress(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	result, err := addressResult(ctx, r, ec2.DescribeAddressesInput{PublicIps: []string{id}})
	if err != nil {
		return Result{}, err
	}
	return result, ec2UpdateTags(ctx, r, result.Attributes["AllocationId"].(string), old, updated)
}

func releaseAddress(ctx context.Context, r *Request, id string, _ Properties) error {
	found, err := addressResult(ctx, r, ec2.DescribeAddressesInput{PublicIps: []string{id}})
	if err != nil {
		return gone(err)
	}
	allocation := found.Attributes["AllocationId"].(string)
	return ec2Gone(ctx, r, allocation, deleted(r.ec2().ReleaseAddress(ctx, &ec2.ReleaseAddressInput{AllocationId: &allocation})))
}

func createNAT(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "natgateway", func(tags []ec2types.TagSpecification) (string, error) {
		in := ec2.CreateNatGatewayInput{TagSpecifications: tags}
		if err := decode(p.without("Tags"), &in); err != nil {
			return "", err
		}
		out, err := r.ec2().CreateNatGateway(ctx, &in)
		if err != nil {
			return "", err
		}
		return *out.NatGateway.NatGatewayId, nil
	})
	return Result{ID: id, Attributes: map[string]any{"NatGatewayId": id}}, err
}
