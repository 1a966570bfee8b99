// Package stacks finds the CloudFormation stacks of an environment.
package stacks

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Of lists an environment's stacks as CloudFormation has them. A stack is the environment's by its name and by the tag that the
// CDK gives it: an environment's name can be the beginning of another's, and others in the account may use the tag.
func Of(ctx context.Context, client cloudformation.DescribeStacksAPIClient, environment string) ([]types.Stack, error) {
	var found []types.Stack
	pages := cloudformation.NewDescribeStacksPaginator(client, &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range page.Stacks {
			tagged := slices.ContainsFunc(s.Tags, func(t types.Tag) bool {
				return aws.ToString(t.Key) == "environment" && aws.ToString(t.Value) == environment
			})
			if tagged && s.ParentId == nil && strings.HasPrefix(aws.ToString(s.StackName), environment+"-") {
				found = append(found, s)
			}
		}
	}
	return found, nil
}
