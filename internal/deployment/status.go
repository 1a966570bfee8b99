package deployment

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/actions"
	"k8s-plus-aws-gitops/internal/forge"
)

// Status says how an execution stands.
func (s Source) Status(ctx context.Context, e Execution) (forge.State, string, error) {
	switch e.Status {
	case types.PipelineExecutionStatusSuperseded:
		return forge.Errored, "A later commit took its place", nil
	case types.PipelineExecutionStatusCancelled:
		return forge.Errored, "The pipeline itself was changed meanwhile", nil
	case types.PipelineExecutionStatusStopped:
		return forge.Errored, strings.TrimSuffix("Stopped: "+e.Why, ": "), nil
	case types.PipelineExecutionStatusStopping:
		return forge.Pending, "Is being stopped", nil
	}
	all, err := s.actions(ctx, e.ID)
	if err != nil {
		return "", "", err
	}
	switch e.Status {
	case types.PipelineExecutionStatusSucceeded:
		return forge.Success, deployed(all), nil
	case types.PipelineExecutionStatusFailed:
		return forge.Failure, failed(e, all), nil
	case types.PipelineExecutionStatusInProgress:
		return forge.Pending, running(all), nil
	}
	return "", "", fmt.Errorf("execution %s is %q, which this program does not know: update it", e.ID, e.Status)
}

// actions are those of an execution in the order of their starts, each as it ran last: a stage may be retried.
func (s Source) actions(ctx context.Context, id string) ([]types.ActionExecutionDetail, error) {
	all, err := actions.Of(ctx, s.API, s.Pipeline, id)
	if err != nil {
		return nil, s.explain(err, "codepipeline:ListActionExecutions")
	}
	slices.SortStableFunc(all, func(a, b types.ActionExecutionDetail) int {
		return aws.ToTime(a.StartTime).Compare(aws.ToTime(b.StartTime))
	})
	var last []types.ActionExecutionDetail
	for _, a := range all {
		last = append(slices.DeleteFunc(last, func(b types.ActionExecutionDetail) bool { return name(a) == name(b) }), a)
	}
	return last, nil
}

// name tells an action from others of its execution.
func name(a types.ActionExecutionDetail) [2]string {
	return [2]string{aws.ToString(a.StageName), aws.ToString(a.ActionName)}
}

// deployed says what of both halves an execution brought: the stages that it skipped have no action.
func deployed(all []types.ActionExecutionDetail) string {
	var stages []string
	verified := false
	for _, a := range all {
		switch aws.ToString(a.ActionName) {
		case config.DeployAction:
			stages = append(stages, aws.ToString(a.StageName))
		case config.VerifyAction:
			verified = true
		}
	}
	stacks := "AWS: " + strings.Join(stages, ", ")
	switch {
	case len(stages) == 0 && !verified:
		return "Nothing differs from what is deployed"
	case len(stages) == 0:
		return "AWS: no difference; Kubernetes: verified"
	case !verified:
		return stacks
	}
	return stacks + "; Kubernetes: verified"
}

// failed names the stage and the first cause.
func failed(e Execution, all []types.ActionExecutionDetail) string {
	at := slices.IndexFunc(all, func(a types.ActionExecutionDetail) bool { return a.Status == types.ActionExecutionStatusFailed })
	if at < 0 {
		return cmp.Or(e.Why, "Failed before an action began")
	}
	a := all[at]
	cause := actions.Cause(a)
	if actions.Approves(a) {
		// CodePipeline's own text for a rejection, as for everything that a person did, is who did it.
		cause = cmp.Or(cause, strings.TrimSuffix("rejected by "+aws.ToString(a.UpdatedBy), " by "))
	}
	// CodeBuild begins with its phase and code, which leave no room for the rest.
	if _, message, ok := strings.Cut(cause, "Message: "); ok {
		cause = message
	}
	return aws.ToString(a.StageName) + ": " + cmp.Or(cause, "failed")
}

// running says for what an execution waits, where somebody must do something.
func running(all []types.ActionExecutionDetail) string {
	for _, a := range all {
		if a.Status == types.ActionExecutionStatusInProgress && actions.Approves(a) {
			return aws.ToString(a.StageName) + ": waits for an approval"
		}
	}
	return "Has started"
}
