package resources

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::EC2::SecurityGroup",
		Properties: []string{"GroupDescription", "GroupName", "SecurityGroupEgress", "SecurityGroupIngress", "Tags", "VpcId"},
		Create:     createGroup, Update: updateGroup, Delete: deleteGroup,
	})
	// A changed rule is a new rule: only the description could change in place.
	for _, rule := range []struct{ name, direction, peer string }{
		{"AWS::EC2::SecurityGroupIngress", "ingress", "Source"}, {"AWS::EC2::SecurityGroupEgress", "egress", "Destination"},
	} {
		direction := rule.direction
		Register(&Type{
			Name:       rule.name,
			Properties: []string{"CidrIp", "CidrIpv6", "Description", "FromPort", "GroupId", "IpProtocol", "ToPort", rule.peer + "SecurityGroupId", rule.peer + "PrefixListId"},
			Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
				err := authorize(ctx, r, p.String("GroupId"), direction, []Properties{p})
				id := r.Name(255, false)
				return Result{ID: id, Attributes: map[string]any{"Id": id}}, err
			},
			Delete: func(ctx context.Context, r *Request, _ string, p Properties) error {
				return revoke(ctx, r, p.String("GroupId"), direction, []Properties{p})
			},
		})
	}
}

func createGroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	id, err := ec2Create(ctx, r, p, "security-group", func(tags []ec2types.TagSpecification) (string, error) {
		out, err := r.ec2().CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{
			GroupName: aws.String(r.name(p, "GroupName", 255, false)), Description: aws.String(p.String("GroupDescription")),
			VpcId: aws.String(p.String("VpcId")), TagSpecifications: tags,
		})
		if err != nil {
			return "", err
		}
		return *out.GroupId, nil
	})
	if err != nil {
		return Result{ID: id}, err
	}
	if err := authorize(ctx, r, id, "ingress", p.Objects("SecurityGroupIngress")); err != nil {
		return Result{ID: id}, err
	}
	if err := replaceEgress(ctx, r, id, nil, p.Objects("SecurityGroupEgress")); err != nil {
		return Result{ID: id}, err
	}
	return groupResult(id, p), nil
}

func groupResult(id string, p Properties) Result {
	return Result{ID: id, Attributes: map[string]any{"GroupId": id, "Id": id, "VpcId": p.String("VpcId")}}
}

// anywhere is the egress rule that EC2 gives a group for which none is stated.
var anywhere = Properties{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}

// replaceEgress brings a group from the old list of egress rules to the new
// one. An empty list stands for the rule that EC2 adds by itself.
func replaceEgress(ctx context.Context, r *Request, id string, old, updated []Properties) error {
	if len(old) == 0 {
		old = []Properties{anywhere}
	}
	if len(updated) == 0 {
		updated = []Properties{anywhere}
	}
	if err := revoke(ctx, r, id, "egress", difference(old, updated)); err != nil {
		return err
	}
	return authorize(ctx, r, id, "egress", difference(updated, old))
}

func updateGroup(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	before, after := old.Objects("SecurityGroupIngress"), updated.Objects("SecurityGroupIngress")
	if err := revoke(ctx, r, id, "ingress", difference(before, after)); err != nil {
		return Result{}, err
	}
	if err := authorize(ctx, r, id, "ingress", difference(after, before)); err != nil {
		return Result{}, err
	}
	if err := replaceEgress(ctx, r, id, old.Objects("SecurityGroupEgress"), updated.Objects("SecurityGroupEgress")); err != nil {
		return Result{}, err
	}
	return groupResult(id, updated), ec2UpdateTags(ctx, r, id, old, updated)
}

func deleteGroup(ctx context.Context, r *Request, id string, _ Properties) error {
	return ec2Gone(ctx, r, id, deleted(r.ec2().DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})))
}

// difference returns the rules of a that b lacks, whatever their description.
func difference(a, b []Properties) []Properties {
	var out []Properties
	for _, rule := range a {
		same := func(o Properties) bool { return reflect.DeepEqual(permission(rule), permission(o)) }
		if !slices.ContainsFunc(b, same) {
			out = append(out, rule)
		}
	}
	return out
}

// permission translates one rule of a template into one of the API.
func permission(rule Properties) ec2types.IpPermission {
	p := ec2types.IpPermission{IpProtocol: aws.String(rule.String("IpProtocol"))}
	if from, ok := rule.Int("FromPort"); ok {
		p.FromPort = aws.Int32(int32(from))
	}
	if to, ok := rule.Int("ToPort"); ok {
		p.ToPort = aws.Int32(int32(to))
	}
	var description *string
	if rule.Has("Description") {
		description = aws.String(rule.String("Description"))
	}
	if cidr := rule.String("CidrIp"); cidr != "" {
		p.IpRanges = []ec2types.IpRange{{CidrIp: &cidr, Description: description}}
	}
	if cidr := rule.String("CidrIpv6"); cidr != "" {
		p.Ipv6Ranges = []ec2types.Ipv6Range{{CidrIpv6: &cidr, Description: description}}
	}
	if group := rule.String("SourceSecurityGroupId") + rule.String("DestinationSecurityGroupId"); group != "" {
		p.UserIdGroupPairs = []ec2types.UserIdGroupPair{{GroupId: &group, Description: description}}
	}
	if list := rule.String("SourcePrefixListId") + rule.String("DestinationPrefixListId"); list != "" {
		p.PrefixListIds = []ec2types.PrefixListId{{PrefixListId: &list, Description: description}}
	}
	return p
}

// authorize adds rules; one that is there already is fine.
func authorize(ctx context.Context, r *Request, group, direction string, rules []Properties) error {
	for _, rule := range rules {
		var err error
		permissions := []ec2types.IpPermission{permission(rule)}
		if direction == "egress" {
			_, err = r.ec2().AuthorizeSecurityGroupEgress(ctx, &ec2.AuthorizeSecurityGroupEgressInput{GroupId: &group, IpPermissions: permissions})
		} else {
			_, err = r.ec2().AuthorizeSecurityGroupIngress(ctx, &ec2.AuthorizeSecurityGroupIngressInput{GroupId: &group, IpPermissions: permissions})
		}
		if err != nil && !hasCode(err, "Duplicate") {
			return err
		}
	}
	return nil
}

// revoke removes rules; one that is gone already is fine.
func revoke(ctx context.Context, r *Request, group, direction string, rules []Properties) error {
	for _, rule := range rules {
		var err error
		permissions := []ec2types.IpPermission{permission(rule)}
		if direction == "egress" {
			_, err = r.ec2().RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: &group, IpPermissions: permissions})
		} else {
			_, err = r.ec2().RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: &group, IpPermissions: permissions})
		}
		if err != nil && !isGone(err) && !strings.Contains(err.Error(), "does not exist") {
			return err
		}
	}
	return nil
}
