package teardown

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"
)

const (
	// balancerTag is on everything that the AWS Load Balancer Controller makes, with the cluster's name.
	// https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/ingress/annotations/
	balancerTag = "elbv2.k8s.aws/cluster"
	// interfaceTag is on the network interfaces that the VPC CNI attaches to nodes.
	interfaceTag = "cluster.k8s.amazonaws.com/name"
	// tagged is how many ARNs DescribeTags takes.
	tagged = 20
)

// leftover is a thing of the cluster that nothing else removes.
type leftover struct {
	what, command string
	// remove is nil for what AWS removes by itself: it is waited for.
	remove func(context.Context) error
}

// sweep removes what the cluster's controllers left in the VPC. CDK's kubectl function reports a failed deletion as
// success, so the cluster can be gone while a load balancer is still there, and a load balancer keeps its subnets.
func (t *Teardown) sweep(ctx context.Context, vpc string, r *Report) error {
	if vpc == "" {
		return nil
	}
	said, removed := map[string]bool{}, map[string]bool{}
	for look := 1; ; look++ {
		left, err := t.left(ctx, vpc, removed)
		if err != nil || len(left) == 0 {
			return err
		}
		problem := errors.New(left[0].what + " comes back; does the cluster still run?")
		for _, l := range left {
			if !said[l.what] {
				t.Say("%s is left of the cluster: removing it", l.what)
				said[l.what] = true
			}
			if l.remove == nil {
				problem = errors.New(l.what + " is still there")
				continue
			}
			switch err := gone(l.remove(ctx)); {
			case err == nil && !removed[l.what]:
				removed[l.what] = true
				r.add(Removed, l.what, "left of the cluster")
			case err != nil && !busy(err):
				return fmt.Errorf("%s is left of the cluster and cannot be removed: %w; then: %s", l.what, err, l.command)
			case err != nil:
				problem = fmt.Errorf("%s is in use: %w; remove what uses it, then: %s", l.what, err, l.command)
			}
		}
		if look == patience {
			return problem
		}
		if err := t.pause(ctx); err != nil {
			return err
		}
	}
}

// busy reports whether something is still in use, as by a load balancer that is being removed.
func busy(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains([]string{"DependencyViolation", "ResourceInUse", "InvalidNetworkInterface.InUse", "InvalidParameterValue"}, api.ErrorCode())
}

// left lists what is left of the cluster in its VPC, in the order of removal.
func (t *Teardown) left(ctx context.Context, vpc string, removed map[string]bool) ([]leftover, error) {
	var all []leftover
	for _, find := range []func(context.Context, string) ([]leftover, error){t.balancers, t.targets} {
		found, err := find(ctx, vpc)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	found, err := t.interfaces(ctx, vpc, removed)
	if err != nil {
		return nil, err
	}
	all = append(all, found...)
	found, err = t.groups(ctx, vpc)
	return append(all, found...), err
}

// deleteBalancer is the command that removes a load balancer, before its ARN.
const deleteBalancer = "aws elbv2 delete-load-balancer --load-balancer-arn "

// balancersIn names the load balancers of a VPC by ARN, whoever made them.
func (t *Teardown) balancersIn(ctx context.Context, vpc string) (map[string]string, error) {
	names := map[string]string{}
	pages := elb.NewDescribeLoadBalancersPaginator(elb.NewFromConfig(t.AWS), &elb.DescribeLoadBalancersInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, b := range page.LoadBalancers {
			if aws.ToString(b.VpcId) == vpc {
				arn := aws.ToString(b.LoadBalancerArn)
				_, id, _ := strings.Cut(arn, ":loadbalancer/")
				names[arn] = "load balancer " + id
			}
		}
	}
	return names, nil
}

// occupants names what is in a VPC that cannot be deleted, with the commands that remove it: nobody knows whose it is.
func (t *Teardown) occupants(ctx context.Context, vpc string) string {
	var all []string
	names, err := t.balancersIn(ctx, vpc)
	if err != nil {
		return ""
	}
	for _, arn := range slices.Sorted(maps.Keys(names)) {
		all = append(all, names[arn]+" ("+deleteBalancer+arn+" --region "+t.Env.Region+")")
	}
	out, err := ec2.NewFromConfig(t.AWS).DescribeNetworkInterfaces(ctx, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{in(vpc)}})
	if err != nil {
		return ""
	}
	for _, i := range out.NetworkInterfaces {
		if !strings.HasPrefix(aws.ToString(i.Description), "ELB ") {
			all = append(all, fmt.Sprintf("network interface %s, %q", aws.ToString(i.NetworkInterfaceId), aws.ToString(i.Description)))
		}
	}
	if len(all) == 0 {
		return ""
	}
	return "; not the cluster's and in its VPC: " + strings.Join(all, ", ")
}

// balancers lists the cluster's load balancers.
func (t *Teardown) balancers(ctx context.Context, vpc string) ([]leftover, error) {
	names, err := t.balancersIn(ctx, vpc)
	if err != nil {
		return nil, err
	}
	client := elb.NewFromConfig(t.AWS)
	return t.ours(ctx, names, deleteBalancer, func(ctx context.Context, arn string) error {
		_, err := client.DeleteLoadBalancer(ctx, &elb.DeleteLoadBalancerInput{LoadBalancerArn: &arn})
		return err
	})
}

// targets lists the cluster's target groups.
func (t *Teardown) targets(ctx context.Context, vpc string) ([]leftover, error) {
	client, names := elb.NewFromConfig(t.AWS), map[string]string{}
	pages := elb.NewDescribeTargetGroupsPaginator(client, &elb.DescribeTargetGroupsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.TargetGroups {
			if aws.ToString(g.VpcId) == vpc {
				names[aws.ToString(g.TargetGroupArn)] = "target group " + aws.ToString(g.TargetGroupName)
			}
		}
	}
	return t.ours(ctx, names, "aws elbv2 delete-target-group --target-group-arn ", func(ctx context.Context, arn string) error {
		_, err := client.DeleteTargetGroup(ctx, &elb.DeleteTargetGroupInput{TargetGroupArn: &arn})
		return err
	})
}

// ours are those of the ARNs that carry the cluster's tag.
func (t *Teardown) ours(ctx context.Context, names map[string]string, command string, remove func(context.Context, string) error) ([]leftover, error) {
	var all []leftover
	for part := range slices.Chunk(slices.Sorted(maps.Keys(names)), tagged) {
		out, err := elb.NewFromConfig(t.AWS).DescribeTags(ctx, &elb.DescribeTagsInput{ResourceArns: part})
		switch {
		case err != nil && missing(err): // one went while it was asked about: look again
			all = append(all, leftover{what: names[part[0]]})
			continue
		case err != nil:
			return nil, err
		}
		for _, d := range out.TagDescriptions {
			if !slices.ContainsFunc(d.Tags, func(tag elbtypes.Tag) bool {
				return aws.ToString(tag.Key) == balancerTag && aws.ToString(tag.Value) == t.Env.ClusterName()
			}) {
				continue
			}
			arn := aws.ToString(d.ResourceArn)
			all = append(all, leftover{
				what: names[arn], command: command + arn + " --region " + t.Env.Region,
				remove: func(ctx context.Context) error { return remove(ctx, arn) },
			})
		}
	}
	return all, nil
}

// interfaces lists the network interfaces that a node left, and those of removed load balancers, which AWS removes.
func (t *Teardown) interfaces(ctx context.Context, vpc string, removed map[string]bool) ([]leftover, error) {
	var all []leftover
	client := ec2.NewFromConfig(t.AWS)
	pages := ec2.NewDescribeNetworkInterfacesPaginator(client, &ec2.DescribeNetworkInterfacesInput{Filters: []ec2types.Filter{in(vpc)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, i := range page.NetworkInterfaces {
			id := aws.ToString(i.NetworkInterfaceId)
			owner, balanced := strings.CutPrefix(aws.ToString(i.Description), "ELB ")
			switch {
			case balanced && removed["load balancer "+owner]:
				all = append(all, leftover{what: "network interface " + id + " of " + owner})
			case i.Status == ec2types.NetworkInterfaceStatusAvailable && hasTag(i.TagSet, interfaceTag, t.Env.ClusterName()):
				all = append(all, leftover{
					what: "network interface " + id, command: "aws ec2 delete-network-interface --network-interface-id " + id + " --region " + t.Env.Region,
					remove: func(ctx context.Context) error {
						_, err := client.DeleteNetworkInterface(ctx, &ec2.DeleteNetworkInterfaceInput{NetworkInterfaceId: &id})
						return err
					},
				})
			}
		}
	}
	return all, nil
}

// in holds a list to a VPC.
func in(vpc string) ec2types.Filter {
	return ec2types.Filter{Name: aws.String("vpc-id"), Values: []string{vpc}}
}

func hasTag(tags []ec2types.Tag, key, value string) bool {
	return slices.ContainsFunc(tags, func(t ec2types.Tag) bool { return aws.ToString(t.Key) == key && aws.ToString(t.Value) == value })
}

// groups lists the security groups that the load balancer controller made.
func (t *Teardown) groups(ctx context.Context, vpc string) ([]leftover, error) {
	var all []leftover
	client := ec2.NewFromConfig(t.AWS)
	pages := ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{
		in(vpc), {Name: aws.String("tag:" + balancerTag), Values: []string{t.Env.ClusterName()}},
	}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range page.SecurityGroups {
			id := aws.ToString(g.GroupId)
			all = append(all, leftover{
				what: "security group " + id + " " + aws.ToString(g.GroupName), command: "aws ec2 delete-security-group --group-id " + id + " --region " + t.Env.Region,
				remove: func(ctx context.Context) error {
					if err := t.unreferenced(ctx, vpc, id); err != nil {
						return err
					}
					_, err := client.DeleteSecurityGroup(ctx, &ec2.DeleteSecurityGroupInput{GroupId: &id})
					return err
				},
			})
		}
	}
	return all, nil
}

// unreferenced takes a group out of the rules of the others, such as those by which the controller lets a load balancer
// reach the pods: EC2 keeps a group that a rule names.
func (t *Teardown) unreferenced(ctx context.Context, vpc, group string) error {
	client := ec2.NewFromConfig(t.AWS)
	pages := ec2.NewDescribeSecurityGroupsPaginator(client, &ec2.DescribeSecurityGroupsInput{Filters: []ec2types.Filter{in(vpc)}})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, g := range page.SecurityGroups {
			if rules := naming(g.IpPermissions, group); len(rules) > 0 {
				t.Say("removing the rules of %s that name %s", aws.ToString(g.GroupId), group)
				if _, err := client.RevokeSecurityGroupIngress(ctx, &ec2.RevokeSecurityGroupIngressInput{GroupId: g.GroupId, IpPermissions: rules}); gone(err) != nil {
					return err
				}
			}
			if rules := naming(g.IpPermissionsEgress, group); len(rules) > 0 {
				if _, err := client.RevokeSecurityGroupEgress(ctx, &ec2.RevokeSecurityGroupEgressInput{GroupId: g.GroupId, IpPermissions: rules}); gone(err) != nil {
					return err
				}
			}
		}
	}
	return nil
}

// naming are the parts of rules that name a group.
func naming(rules []ec2types.IpPermission, group string) []ec2types.IpPermission {
	var found []ec2types.IpPermission
	for _, rule := range rules {
		for _, pair := range rule.UserIdGroupPairs {
			if aws.ToString(pair.GroupId) == group {
				found = append(found, ec2types.IpPermission{
					IpProtocol: rule.IpProtocol, FromPort: rule.FromPort, ToPort: rule.ToPort,
					UserIdGroupPairs: []ec2types.UserIdGroupPair{{GroupId: &group}},
				})
			}
		}
	}
	return found
}
