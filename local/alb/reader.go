package alb

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// api is the part of the ELBv2 client that the load balancer reads.
type api interface {
	DescribeLoadBalancers(context.Context, *elb.DescribeLoadBalancersInput, ...func(*elb.Options)) (*elb.DescribeLoadBalancersOutput, error)
	DescribeListeners(context.Context, *elb.DescribeListenersInput, ...func(*elb.Options)) (*elb.DescribeListenersOutput, error)
	DescribeRules(context.Context, *elb.DescribeRulesInput, ...func(*elb.Options)) (*elb.DescribeRulesOutput, error)
	DescribeTargetGroups(context.Context, *elb.DescribeTargetGroupsInput, ...func(*elb.Options)) (*elb.DescribeTargetGroupsOutput, error)
	DescribeTargetHealth(context.Context, *elb.DescribeTargetHealthInput, ...func(*elb.Options)) (*elb.DescribeTargetHealthOutput, error)
}

// structure is the slowly changing part of the state.
type structure struct {
	Balancers []balancerDescription
}

type balancerDescription struct {
	Balancer  types.LoadBalancer
	Listeners []listenerDescription
}

type listenerDescription struct {
	Listener types.Listener
	Rules    []types.Rule
}

// readStructure costs one call, one per load balancer and one per listener; the API has no larger batches.
func readStructure(ctx context.Context, c api) (structure, error) {
	var s structure
	balancers, err := pages(func(marker *string) ([]types.LoadBalancer, *string, error) {
		out, err := c.DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.LoadBalancers, out.NextMarker, nil
	})
	if err != nil {
		return s, err
	}
	for _, b := range balancers {
		d := balancerDescription{Balancer: b}
		if b.Type == "" || b.Type == types.LoadBalancerTypeEnumApplication {
			if d.Listeners, err = readListeners(ctx, c, b.LoadBalancerArn); err != nil {
				return s, err
			}
		}
		s.Balancers = append(s.Balancers, d)
	}
	return s, nil
}

func readListeners(ctx context.Context, c api, arn *string) ([]listenerDescription, error) {
	listeners, err := pages(func(marker *string) ([]types.Listener, *string, error) {
		out, err := c.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: arn, Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.Listeners, out.NextMarker, nil
	})
	if err != nil {
		return nil, err
	}
	var all []listenerDescription
	for _, l := range listeners {
		rules, err := pages(func(marker *string) ([]types.Rule, *string, error) {
			out, err := c.DescribeRules(ctx, &elb.DescribeRulesInput{ListenerArn: l.ListenerArn, Marker: marker})
			if err != nil {
				return nil, nil, err
			}
			return out.Rules, out.NextMarker, nil
		})
		if err != nil {
			return nil, err
		}
		all = append(all, listenerDescription{Listener: l, Rules: rules})
	}
	return all, nil
}

func readGroups(ctx context.Context, c api) ([]types.TargetGroup, error) {
	return pages(func(marker *string) ([]types.TargetGroup, *string, error) {
		out, err := c.DescribeTargetGroups(ctx, &elb.DescribeTargetGroupsInput{Marker: marker})
		if err != nil {
			return nil, nil, err
		}
		return out.TargetGroups, out.NextMarker, nil
	})
}

// readTargets lists the registered targets of a group without those that drain. What the API says of their health is
// left aside: the load balancer checks it here. A group that is gone has no targets.
func readTargets(ctx context.Context, c api, arn string) ([]types.TargetDescription, error) {
	out, err := c.DescribeTargetHealth(ctx, &elb.DescribeTargetHealthInput{TargetGroupArn: &arn})
	var gone *types.TargetGroupNotFoundException
	if errors.As(err, &gone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []types.TargetDescription
	for _, d := range out.TargetHealthDescriptions {
		if d.Target == nil || d.TargetHealth != nil && d.TargetHealth.State == types.TargetHealthStateEnumDraining {
			continue
		}
		all = append(all, *d.Target)
	}
	return all, nil
}

// pages collects a paginated list.
func pages[T any](read func(marker *string) ([]T, *string, error)) ([]T, error) {
	var all []T
	var marker *string
	for {
		some, next, err := read(marker)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
		if aws.ToString(next) == "" {
			return all, nil
		}
		marker = next
	}
}
