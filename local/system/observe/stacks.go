package observe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"
)

// Stack is a CloudFormation stack.
type Stack struct {
	Name    string    `json:"name"`
	Status  string    `json:"status"`
	Updated time.Time `json:"updated"`
	// Cause is the event that failed first in the last operation.
	Cause string `json:"cause,omitempty"`
}

// Complete reports whether the last operation succeeded.
func (s Stack) Complete() bool { return s.Status == "CREATE_COMPLETE" || s.Status == "UPDATE_COMPLETE" }

// Stable reports whether the stack is whole: complete, or back at what it was
// before a failed update. A revert of that update has nothing to deploy, so
// the stack keeps this status while all is well again.
func (s Stack) Stable() bool { return s.Complete() || s.Status == "UPDATE_ROLLBACK_COMPLETE" }

// Busy reports whether an operation runs.
func (s Stack) Busy() bool { return strings.HasSuffix(s.Status, "_IN_PROGRESS") }

// Stacks lists the stacks by name, with the cause of each that failed.
func Stacks(ctx context.Context, c aws.Config) ([]Stack, error) {
	client := cloudformation.NewFromConfig(c, func(o *cloudformation.Options) { o.RetryMaxAttempts = 2 })
	var out []Stack
	pages := cloudformation.NewDescribeStacksPaginator(client, &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("stacks: %w", err)
		}
		for _, s := range page.Stacks {
			x := Stack{Name: aws.ToString(s.StackName), Status: string(s.StackStatus), Updated: aws.ToTime(s.CreationTime)}
			if s.LastUpdatedTime != nil {
				x.Updated = *s.LastUpdatedTime
			}
			if !x.Complete() && s.StackStatus != types.StackStatusDeleteComplete {
				events, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: s.StackName})
				if err != nil {
					return nil, fmt.Errorf("events of %s: %w", x.Name, err)
				}
				x.Cause = firstFailure(x.Name, events.StackEvents)
			}
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b Stack) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// HasStack reports whether a stack exists and is usable.
func HasStack(ctx context.Context, c aws.Config, name string) (bool, error) {
	client := cloudformation.NewFromConfig(c)
	got, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &name})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "ValidationError" {
		return false, nil // CloudFormation's answer for a stack that does not exist
	}
	if err != nil {
		return false, err
	}
	return len(got.Stacks) > 0 && Stack{Status: string(got.Stacks[0].StackStatus)}.Complete(), nil
}

// firstFailure finds the event that made the newest operation fail: events
// come newest first, an operation begins with the stack's own IN_PROGRESS
// event, and what was only cancelled is no cause.
func firstFailure(stack string, events []types.StackEvent) string {
	cause := ""
	for _, e := range events {
		status, reason := string(e.ResourceStatus), aws.ToString(e.ResourceStatusReason)
		own := aws.ToString(e.LogicalResourceId) == stack
		if own && (status == "CREATE_IN_PROGRESS" || status == "UPDATE_IN_PROGRESS" || status == "DELETE_IN_PROGRESS") {
			break
		}
		if strings.HasSuffix(status, "_FAILED") && !own && !strings.Contains(reason, "cancelled") {
			cause = fmt.Sprintf("%s (%s): %s", aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), reason)
		}
		if own && cause == "" && strings.Contains(status, "ROLLBACK_IN_PROGRESS") && reason != "" {
			cause = reason
		}
	}
	return cause
}
