package status

import (
	"context"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/stacks"
)

// Stacks lists an environment's stacks by name.
func Stacks(ctx context.Context, client cloudformation.DescribeStacksAPIClient, environment string) ([]Stack, error) {
	all, err := stacks.Of(ctx, client, environment)
	if err != nil {
		return nil, err
	}
	found := make([]Stack, len(all))
	for i, s := range all {
		updated := aws.ToTime(s.CreationTime)
		if s.LastUpdatedTime != nil {
			updated = *s.LastUpdatedTime
		}
		found[i] = Stack{Name: aws.ToString(s.StackName), Status: string(s.StackStatus), Updated: updated, Whole: slices.Contains(Whole, s.StackStatus)}
	}
	slices.SortFunc(found, func(a, b Stack) int { return strings.Compare(a.Name, b.Name) })
	return found, nil
}

// Whole are the states in which a stack is what its template says.
var Whole = []types.StackStatus{
	types.StackStatusCreateComplete, types.StackStatusUpdateComplete, types.StackStatusUpdateCompleteCleanupInProgress,
	types.StackStatusImportComplete, types.StackStatusUpdateRollbackComplete, types.StackStatusImportRollbackComplete,
}
