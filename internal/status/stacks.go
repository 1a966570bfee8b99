package status

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// Stacks lists an environment's stacks, by the tag that each has.
func Stacks(ctx context.Context, client cloudformation.DescribeStacksAPIClient, environment string) ([]Stack, error) {
	var found []Stack
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
			if !tagged || s.ParentId != nil {
				continue
			}
			updated := aws.ToTime(s.CreationTime)
			if s.LastUpdatedTime != nil {
				updated = *s.LastUpdatedTime
			}
			found = append(found, Stack{Name: aws.ToString(s.StackName), Status: string(s.StackStatus), Updated: updated, Whole: slices.Contains(Whole, s.StackStatus)})
		}
	}
	slices.SortFunc(found, func(a, b Stack) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// Whole are the states in which a stack is what its template says.
var Whole = []types.StackStatus{
	types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateCompleteCleanupInProgress,
	types.StackStatusImportComplete, types.StackStatusUpdateRollbackComplete, types.StackStatusImportRollbackComplete,
}
