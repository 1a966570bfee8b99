//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"k8s-plus-aws-gitops/local/system/observe"
)

// killedDeployment kills the AWS endpoint while CloudFormation updates a stack. The supervisor starts it again,
// CloudFormation takes the update up, and nothing is there twice. The deployment that was cut off may fail, as the CDK CLI
// lost who it asked; the next one passes.
func (s *system) killedDeployment(ctx context.Context) (string, error) {
	before, err := s.inventory(ctx)
	if err != nil {
		return "", err
	}
	pid, err := s.pid(ctx, "endpoint")
	if err != nil {
		return "", err
	}
	// A tag changes nearly every resource of every stack, and replaces none.
	var tags any
	if err := s.configure("local", func(at map[string]any) { tags, at["tags"] = at["tags"], map[string]any{"scenario": "killed"} }); err != nil {
		return "", err
	}
	pushed := make(chan error, 1)
	go func() { pushed <- s.push(ctx, "A tag for everything") }()
	stack, err := s.busyStack(ctx, pushed)
	if err != nil {
		return "", err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return "", fmt.Errorf("kill of endpoint: %w", err)
	}
	detail, cut := "the deployment went on", <-pushed
	if err := s.resumed(ctx, stack); err != nil {
		return "", errors.Join(err, cut)
	}
	if cut != nil {
		detail = "the deployment was cut off, the next one passed"
	}
	if err := s.sameInventory(ctx, before); err != nil {
		return "", err
	}
	if err := s.configure("local", func(at map[string]any) {
		if at["tags"] = tags; tags == nil {
			delete(at, "tags")
		}
	}); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Take the tag off"); err != nil {
		return "", fmt.Errorf("the deployment after the kill: %w", err)
	}
	if err := s.sameInventory(ctx, before); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s was UPDATE_IN_PROGRESS; %s", stack, detail), s.hasPost(ctx)
}

// busyStack waits until a stack is being updated, and fails when the push ended before.
func (s *system) busyStack(ctx context.Context, pushed chan error) (string, error) {
	c, err := s.aws()
	if err != nil {
		return "", err
	}
	for {
		all, err := observe.Stacks(ctx, c)
		if err != nil {
			return "", err
		}
		for _, st := range all {
			if st.Status == "UPDATE_IN_PROGRESS" {
				return st.Name, nil
			}
		}
		select {
		case err := <-pushed:
			return "", fmt.Errorf("the push ended before a stack was seen in UPDATE_IN_PROGRESS: %w", err)
		case <-ctx.Done():
			return "", context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// resumed waits for the end of the update that the kill cut off.
func (s *system) resumed(ctx context.Context, stack string) error {
	c, err := s.aws()
	if err != nil {
		return err
	}
	client := cloudformation.NewFromConfig(c)
	return until(ctx, 15*time.Minute, stack+" to end its update", func() error {
		out, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
		if err != nil {
			return err
		}
		switch status := string(out.Stacks[0].StackStatus); status {
		case "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE":
			return nil
		default:
			return fmt.Errorf("it is %s: %s", status, aws.ToString(out.Stacks[0].StackStatusReason))
		}
	})
}

// inventory is what there is: each resource of each stack by its physical ID, and how many of a kind the services have.
func (s *system) inventory(ctx context.Context) (map[string]string, error) {
	c, err := s.aws()
	if err != nil {
		return nil, err
	}
	all, err := observe.Stacks(ctx, c)
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	client := cloudformation.NewFromConfig(c)
	for _, st := range all {
		out, err := client.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: &st.Name})
		if err != nil {
			return nil, err
		}
		for _, r := range out.StackResourceSummaries {
			found[st.Name+"/"+aws.ToString(r.LogicalResourceId)] = aws.ToString(r.PhysicalResourceId)
		}
	}
	for kind, count := range counts(ctx, c) {
		n, err := count()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
		found["number of "+kind] = fmt.Sprint(n)
	}
	return found, nil
}

// counts are the kinds of which a second one would be made where a name or a tag were not found again.
func counts(ctx context.Context, c aws.Config) map[string]func() (int, error) {
	network := ec2.NewFromConfig(c)
	return map[string]func() (int, error){
		"VPCs": func() (int, error) {
			out, err := network.DescribeVpcs(ctx, &ec2.DescribeVpcsInput{})
			if err != nil {
				return 0, err
			}
			return len(out.Vpcs), nil
		},
		"subnets": func() (int, error) {
			out, err := network.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
			if err != nil {
				return 0, err
			}
			return len(out.Subnets), nil
		},
		"keys": func() (int, error) {
			out, err := kms.NewFromConfig(c).ListKeys(ctx, &kms.ListKeysInput{})
			if err != nil {
				return 0, err
			}
			return len(out.Keys), nil
		},
		"hosted zones": func() (int, error) {
			out, err := route53.NewFromConfig(c).ListHostedZones(ctx, &route53.ListHostedZonesInput{})
			if err != nil {
				return 0, err
			}
			return len(out.HostedZones), nil
		},
		"buckets": func() (int, error) {
			out, err := s3.NewFromConfig(c).ListBuckets(ctx, &s3.ListBucketsInput{})
			if err != nil {
				return 0, err
			}
			return len(out.Buckets), nil
		},
		"roles": func() (int, error) {
			out, err := iam.NewFromConfig(c).ListRoles(ctx, &iam.ListRolesInput{MaxItems: aws.Int32(1000)})
			if err != nil {
				return 0, err
			}
			return len(out.Roles), nil
		},
		"log groups": func() (int, error) {
			out, err := cloudwatchlogs.NewFromConfig(c).DescribeLogGroups(ctx, &cloudwatchlogs.DescribeLogGroupsInput{})
			if err != nil {
				return 0, err
			}
			return len(out.LogGroups), nil
		},
	}
}

// sameInventory fails unless there is what there was.
func (s *system) sameInventory(ctx context.Context, before map[string]string) error {
	now, err := s.inventory(ctx)
	if err != nil {
		return err
	}
	var other []string
	for _, what := range slices.Sorted(maps.Keys(before)) {
		if now[what] != before[what] {
			other = append(other, fmt.Sprintf("%s is %q, was %q", what, now[what], before[what]))
		}
	}
	for what, id := range now {
		if _, was := before[what]; !was {
			other = append(other, fmt.Sprintf("%s, %q, was not there", what, id))
		}
	}
	if len(other) > 0 {
		return fmt.Errorf("after a kill in the middle of a deployment: %s", strings.Join(other, "; "))
	}
	return nil
}
