// Package stacks finds the CloudFormation stacks of an environment.
package stacks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"k8s-plus-aws-gitops/internal/assembly"
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

// TemplateAPI is what reads a template.
type TemplateAPI interface {
	GetTemplate(ctx context.Context, in *cloudformation.GetTemplateInput, options ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error)
}

// Template is the one that a stack, by its name or id, was deployed with, as the CDK made it.
func Template(ctx context.Context, client TemplateAPI, stack string) (assembly.Template, error) {
	out, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: &stack, TemplateStage: types.TemplateStageOriginal})
	if err != nil {
		return nil, err
	}
	var parsed assembly.Template
	if err := json.Unmarshal([]byte(aws.ToString(out.TemplateBody)), &parsed); err != nil {
		return nil, fmt.Errorf("its template must be JSON: %w; was it made by the CDK?", err)
	}
	return parsed, nil
}

// Resources lists what is there of a stack, by its name or id.
func Resources(ctx context.Context, client cloudformation.ListStackResourcesAPIClient, stack string) ([]types.StackResourceSummary, error) {
	var there []types.StackResourceSummary
	pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range page.StackResourceSummaries {
			if r.PhysicalResourceId != nil && r.ResourceStatus != types.ResourceStatusDeleteComplete {
				there = append(there, r)
			}
		}
	}
	return there, nil
}
