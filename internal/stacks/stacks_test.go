package stacks_test

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/stacks"
)

// account has stacks on two pages.
type account [2][]types.Stack

func (a account) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	if in.NextToken == nil {
		return &cloudformation.DescribeStacksOutput{Stacks: a[0], NextToken: aws.String("more")}, nil
	}
	return &cloudformation.DescribeStacksOutput{Stacks: a[1]}, nil
}

func TestOf(t *testing.T) {
	stack := func(name, environment string) types.Stack {
		return types.Stack{StackName: &name, Tags: []types.Tag{{Key: aws.String("app"), Value: aws.String("dev")}, {Key: aws.String("environment"), Value: &environment}}}
	}
	nested := stack("dev-network-nested", "dev")
	nested.ParentId = aws.String("dev-network")
	all := account{
		{stack("dev-network", "dev"), stack("dev-two-network", "dev-two"), nested},
		{stack("another-thing", "dev"), stack("dev-cluster", "dev"), {StackName: aws.String("dev-by-hand")}},
	}
	found, err := stacks.Of(t.Context(), all, "dev")
	var names []string
	for _, s := range found {
		names = append(names, aws.ToString(s.StackName))
	}
	if want := []string{"dev-network", "dev-cluster"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %q, %v, want %q", names, err, want)
	}
}
