package watch

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/stacks"
	"k8s-plus-aws-gitops/local/system/deploy"
)

// stacksAPI is what is asked of CloudFormation.
type stacksAPI interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
	cloudformation.DescribeStackEventsAPIClient
	stacks.TemplateAPI
}

// resources lists the resources of the environment's stacks by "<stack>/<logical id> <type>", with their ids and properties, and those that
// CloudFormation left where they are since a time because the stack's policy says so.
func (w *Watch) resources(ctx context.Context, since time.Time) (map[string]string, []string, error) {
	all := map[string]string{}
	ids := w.looks.stacks
	there, err := stacks.Of(ctx, w.stacks, deploy.Environment)
	if err != nil {
		return nil, nil, err
	}
	for _, s := range there {
		if err := w.stack(ctx, s, all); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", aws.ToString(s.StackName), err)
		}
		ids[aws.ToString(s.StackId)] = true
	}
	var kept []string
	for id := range ids { // also of stacks that have gone
		left, err := w.skipped(ctx, id, since)
		if err != nil {
			return nil, nil, fmt.Errorf("events of %s: %w", id, err)
		}
		kept = append(kept, left...)
	}
	slices.Sort(kept)
	return all, slices.Compact(kept), nil
}

// stack adds the resources of a stack.
func (w *Watch) stack(ctx context.Context, s types.Stack, all map[string]string) error {
	there, err := stacks.Resources(ctx, w.stacks, aws.ToString(s.StackId))
	if err != nil {
		return err
	}
	template, err := stacks.Template(ctx, w.stacks, aws.ToString(s.StackId))
	if err != nil {
		return err
	}
	for _, r := range there {
		name := fmt.Sprintf("%s/%s %s", aws.ToString(s.StackName), aws.ToString(r.LogicalResourceId), aws.ToString(r.ResourceType))
		definition, _ := template["Resources"].(map[string]any)
		properties, _ := definition[aws.ToString(r.LogicalResourceId)].(map[string]any)
		if all[name], err = fingerprint(aws.ToString(r.PhysicalResourceId), properties["Properties"]); err != nil {
			return err
		}
	}
	return nil
}

// skipped are the resources that CloudFormation did not delete with their entry in the template:
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-deletionpolicy.html
func (w *Watch) skipped(ctx context.Context, id string, since time.Time) ([]string, error) {
	var left []string
	pages := cloudformation.NewDescribeStackEventsPaginator(w.stacks, &cloudformation.DescribeStackEventsInput{StackName: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, e := range page.StackEvents { // the newest first
			if aws.ToTime(e.Timestamp).Before(since) {
				return left, nil
			}
			if e.ResourceStatus == types.ResourceStatusDeleteSkipped {
				left = append(left, fmt.Sprintf("%s/%s %s %s", aws.ToString(e.StackName), aws.ToString(e.LogicalResourceId), aws.ToString(e.ResourceType), aws.ToString(e.PhysicalResourceId)))
			}
		}
	}
	return left, nil
}

// fingerprint is equal for equal values, and tells none of them: some are secrets.
func fingerprint(values ...any) (string, error) {
	text, err := json.Marshal(values)
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}
