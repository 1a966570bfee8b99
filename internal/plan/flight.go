package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/internal/actions"
	"k8s-plus-aws-gitops/internal/progress"
)

// Executions is what is used of CodePipeline.
type Executions interface {
	codepipeline.ListPipelineExecutionsAPIClient
	codepipeline.ListActionExecutionsAPIClient
	codepipeline.ListRuleExecutionsAPIClient
	StopPipelineExecution(ctx context.Context, in *codepipeline.StopPipelineExecutionInput, options ...func(*codepipeline.Options)) (*codepipeline.StopPipelineExecutionOutput, error)
}

// Flight is the execution that a plan is made for, among the others of its pipeline. CodePipeline locks stages, not
// pipelines: while one execution deploys, the next one is in Plan already, and would compare with what is about to change.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
type Flight struct {
	API Executions
	// Pipeline and Execution name it.
	Pipeline, Execution string
	// Display shows what is waited for; nil shows nothing.
	Display *progress.Display
	// Pause between two looks; default 10 seconds.
	Pause time.Duration
}

// Clear waits until no other execution with a plan deploys. One that waits for its approval or its window does not: nothing
// has changed before that, and it may take days.
func (f Flight) Clear(ctx context.Context) error {
	for said := ""; ; {
		others, err := f.others(ctx)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(others, func(o other) bool { return !o.waits })
		if i < 0 {
			return nil
		}
		busy := fmt.Sprintf("execution %s, which is in stage %s", others[i].id, others[i].stage)
		if busy != said {
			f.Display.Say("waits for %s", busy)
			said = busy
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s, has not ended: %w", busy, context.Cause(ctx))
		case <-time.After(cmp.Or(f.Pause, 10*time.Second)):
		}
	}
}

// Supersede stops the executions that wait for their approval or their window, because this one contains their commits, and
// its plan would be wrong once one of them went on. It returns false where one did meanwhile: then the plan is to be made again.
func (f Flight) Supersede(ctx context.Context) (bool, error) {
	others, err := f.others(ctx)
	if err != nil {
		return false, err
	}
	if slices.ContainsFunc(others, func(o other) bool { return !o.waits }) {
		return false, nil
	}
	for _, o := range others {
		f.Display.Say("takes the place of execution %s, which waits", o.id)
		// Abandon, because an approval that nobody gives would never finish.
		if _, err := f.API.StopPipelineExecution(ctx, &codepipeline.StopPipelineExecutionInput{
			PipelineName: &f.Pipeline, PipelineExecutionId: &o.id, Abandon: true, Reason: aws.String("execution " + f.Execution + " takes its place"),
		}); err != nil {
			return false, fmt.Errorf("execution %s waits and cannot be stopped: %w", o.id, err)
		}
		// From here on nothing of it begins. What had begun goes on in its build.
		switch now, _, err := f.look(ctx, o.id, ""); {
		case err != nil:
			return false, err
		case now.stage != o.stage:
			return false, fmt.Errorf("execution %s went on at the moment in which it was stopped, and is in stage %s: wait until its build has ended, then retry", o.id, now.stage)
		}
	}
	return true, nil
}

// other is an execution that is past its plan.
type other struct {
	id, stage string
	// waits is set where it waits for its approval or its window.
	waits bool
}

// others are the executions in progress that are past their plan, and rollbacks, which have none. What is before its plan
// waits for this one to leave the stage.
func (f Flight) others(ctx context.Context) ([]other, error) {
	mine, err := f.actions(ctx, f.Execution)
	if err != nil {
		return nil, err
	}
	if len(mine) == 0 {
		return nil, fmt.Errorf("execution %s of %s has no action: name the execution that this build belongs to", f.Execution, f.Pipeline)
	}
	plan := aws.ToString(mine[0].StageName)
	var all []other
	// Newest first, and what is in progress is near the top: the first page without any is the last to be read.
	for pages := codepipeline.NewListPipelineExecutionsPaginator(f.API, &codepipeline.ListPipelineExecutionsInput{PipelineName: &f.Pipeline}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the executions of %s cannot be read: %w", f.Pipeline, err)
		}
		running := slices.DeleteFunc(page.PipelineExecutionSummaries, func(e types.PipelineExecutionSummary) bool {
			return e.Status != types.PipelineExecutionStatusInProgress && e.Status != types.PipelineExecutionStatusStopping
		})
		for _, e := range running {
			if aws.ToString(e.PipelineExecutionId) == f.Execution {
				continue
			}
			o, passed, err := f.look(ctx, aws.ToString(e.PipelineExecutionId), plan)
			if err != nil {
				return nil, err
			}
			if passed || e.ExecutionType == types.ExecutionTypeRollback {
				all = append(all, o)
			}
		}
		if len(running) == 0 {
			break
		}
	}
	return all, nil
}

// look finds where an execution is, and whether it is past its plan.
func (f Flight) look(ctx context.Context, id, plan string) (o other, passed bool, err error) {
	o.id = id
	all, err := f.actions(ctx, id)
	for i, a := range all {
		if i == 0 {
			o.stage = aws.ToString(a.StageName)
		}
		passed = passed || aws.ToString(a.StageName) == plan && a.Status == types.ActionExecutionStatusSucceeded
		o.waits = o.waits || a.Status == types.ActionExecutionStatusInProgress && actions.Approves(a)
	}
	if err == nil && !o.waits {
		o.waits, err = f.held(ctx, id)
	}
	return o, passed, err
}

// held reports whether an execution waits for its window, before a stage.
func (f Flight) held(ctx context.Context, id string) (bool, error) {
	for pages := codepipeline.NewListRuleExecutionsPaginator(f.API, &codepipeline.ListRuleExecutionsInput{
		PipelineName: &f.Pipeline, Filter: &types.RuleExecutionFilter{PipelineExecutionId: &id},
	}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return false, fmt.Errorf("the rules of execution %s of %s cannot be read: %w", id, f.Pipeline, err)
		}
		if slices.ContainsFunc(page.RuleExecutionDetails, func(r types.RuleExecutionDetail) bool { return r.Status == types.RuleExecutionStatusInProgress }) {
			return true, nil
		}
	}
	return false, nil
}

// actions of an execution, the newest first.
func (f Flight) actions(ctx context.Context, id string) ([]types.ActionExecutionDetail, error) {
	all, err := actions.Of(ctx, f.API, f.Pipeline, id)
	if err != nil {
		return nil, fmt.Errorf("the actions of execution %s of %s cannot be read: %w", id, f.Pipeline, err)
	}
	return all, nil
}
