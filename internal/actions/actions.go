// Package actions reads what CodePipeline tells of the actions of an execution.
package actions

import (
	"cmp"
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// Of lists the actions of an execution of a pipeline that have begun, the newest first; one that was tried again is there
// for each time.
func Of(ctx context.Context, from codepipeline.ListActionExecutionsAPIClient, pipeline, execution string) ([]types.ActionExecutionDetail, error) {
	var all []types.ActionExecutionDetail
	for pages := codepipeline.NewListActionExecutionsPaginator(from, &codepipeline.ListActionExecutionsInput{
		PipelineName: &pipeline, Filter: &types.ActionExecutionFilter{PipelineExecutionId: &execution},
	}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.ActionExecutionDetails...)
	}
	return all, nil
}

// Approves reports whether an action waits for a person.
func Approves(a types.ActionExecutionDetail) bool {
	return a.Input != nil && a.Input.ActionTypeId != nil && a.Input.ActionTypeId.Category == types.ActionCategoryApproval
}

// Cause is what an action said of its end; empty where it said nothing.
func Cause(a types.ActionExecutionDetail) string {
	if a.Output == nil || a.Output.ExecutionResult == nil {
		return ""
	}
	r, said := a.Output.ExecutionResult, ""
	if r.ErrorDetails != nil {
		said = aws.ToString(r.ErrorDetails.Message)
	}
	return cmp.Or(said, aws.ToString(r.ExternalExecutionSummary))
}
