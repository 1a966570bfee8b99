//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// teardown removes the environment with everything in it that CloudFormation does not remove: what Ghost, the releases
// and the pipelines wrote, ACM's record in the zone, and a load balancer that the cluster lost.
func (s *system) teardown(ctx context.Context) (string, error) {
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	if err := artifacts(ctx, c); err != nil {
		return "", err
	}
	if err := leak(ctx, c); err != nil {
		return "", err
	}
	plan, err := s.gitops(ctx, "teardown", "local", "--dry-run")
	if err != nil {
		return "", err
	}
	report, err := s.gitops(ctx, "teardown", "local", "--yes")
	if err != nil {
		return "", err
	}
	plan, report = strings.Join(strings.Fields(plan), " "), strings.Join(strings.Fields(report), " ") // lines are wrapped
	for _, want := range []string{"stack local-delivery", "stack local-cluster", "stack local-ghost", "stack local-network", "bucket " + artifactsBucket} {
		if !strings.Contains(plan, want) || !strings.Contains(report, want) {
			return "", fmt.Errorf("plan and report must name %s: %s", want, lastText(plan+report))
		}
	}
	if !strings.Contains(report, "load balancer app/k8s-lost/") {
		return "", errors.New(lastText(report))
	}
	if err := nothingIn(ctx, c); err != nil {
		return "", err
	}
	return "", until(ctx, 5*time.Minute, "stacks and Kustomizations to be gone", func() error {
		st, err := s.status(ctx)
		if err != nil {
			return err
		}
		for _, x := range st.Stacks {
			if strings.HasPrefix(x.Name, "local-") {
				return fmt.Errorf("stack %s is %s", x.Name, x.Status)
			}
		}
		if n := len(st.Kustomizations); n > 0 {
			return fmt.Errorf("%d Kustomizations are left", n)
		}
		return nil
	})
}

// artifactsBucket starts the name that CloudFormation gives to the bucket: the stack and the logical id.
const artifactsBucket = "local-delivery-deliverystoreartifacts"

// artifacts writes what a pipeline leaves in its bucket: two versions, and a delete marker.
func artifacts(ctx context.Context, c aws.Config) error {
	client := s3.NewFromConfig(c)
	list, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	for _, b := range list.Buckets {
		if !strings.HasPrefix(aws.ToString(b.Name), artifactsBucket) {
			continue
		}
		key := aws.String("local-infrastructur/Source/x")
		for _, body := range []string{"1", "2"} {
			if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: b.Name, Key: key, Body: strings.NewReader(body)}); err != nil {
				return err
			}
		}
		_, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: b.Name, Key: key})
		return err
	}
	return errors.New("there is no bucket " + artifactsBucket + "…")
}

// leak makes what a cluster leaves whose Ingress was removed without its controller: CDK's kubectl function reports a
// deletion that failed as done.
func leak(ctx context.Context, c aws.Config) error {
	subnets, err := ec2.NewFromConfig(c).DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{Filters: []ec2types.Filter{
		{Name: aws.String("tag:kubernetes.io/role/elb"), Values: []string{"1"}}, {Name: aws.String("tag:environment"), Values: []string{"local"}},
	}})
	if err != nil || len(subnets.Subnets) == 0 {
		return fmt.Errorf("%d public subnets: %w", len(subnets.Subnets), err)
	}
	_, err = elb.NewFromConfig(c).CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{
		Name: aws.String("k8s-lost"), Subnets: []string{aws.ToString(subnets.Subnets[0].SubnetId)},
		Tags: []elbtypes.Tag{{Key: aws.String("elbv2.k8s.aws/cluster"), Value: aws.String("local")}},
	})
	return err
}

// nothingIn fails unless all that costs or blocks a name is gone from the account.
func nothingIn(ctx context.Context, c aws.Config) error {
	buckets, err := s3.NewFromConfig(c).ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return err
	}
	for _, b := range buckets.Buckets {
		if strings.HasPrefix(aws.ToString(b.Name), "local-") {
			return fmt.Errorf("bucket %s is left", aws.ToString(b.Name))
		}
	}
	zones, err := route53.NewFromConfig(c).ListHostedZones(ctx, &route53.ListHostedZonesInput{})
	if err != nil {
		return err
	}
	balancers, err := elb.NewFromConfig(c).DescribeLoadBalancers(ctx, &elb.DescribeLoadBalancersInput{})
	if err != nil {
		return err
	}
	networks, err := ec2.NewFromConfig(c).DescribeVpcs(ctx, &ec2.DescribeVpcsInput{Filters: []ec2types.Filter{{Name: aws.String("tag:environment"), Values: []string{"local"}}}})
	if err != nil {
		return err
	}
	ours := slices.DeleteFunc(zones.HostedZones, func(z r53types.HostedZone) bool { return aws.ToString(z.Name) == "example.com." }) // the promotion's
	if z, b, v := len(ours), len(balancers.LoadBalancers), len(networks.Vpcs); z+b+v > 0 {
		return fmt.Errorf("%d hosted zones, %d load balancers and %d VPCs are left", z, b, v)
	}
	return nil
}
