package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/actions"
)

// Pipeline is where the commit is in the pipeline that brings it into the environment.
type Pipeline struct {
	Name string `json:"name,omitempty"`
	// Execution that brings the commit, its status, and the commit that it runs: the one that was asked for, or a later one.
	Execution string `json:"execution,omitempty"`
	Status    string `json:"status,omitempty"`
	Commit    string `json:"commit,omitempty"`
	// Stages in their order.
	Stages []Stage `json:"stages,omitempty"`
	// Note says why nothing is known.
	Note string `json:"note,omitempty"`
}

// Stage of an execution.
type Stage struct {
	Name  string     `json:"name"`
	State StageState `json:"state"`
	// Cause of a failure.
	Cause string `json:"cause,omitempty"`
}

// StageState is how far an execution has come with a stage.
type StageState string

// The states of a stage. AWS has none for an approval that is waited for, nor for a stage that is still to come.
const (
	Pending  StageState = "pending"
	Running  StageState = "running"
	Approval StageState = "approval"
	Passed   StageState = "passed"
	Skipped  StageState = "skipped"
	Stopped  StageState = "stopped"
	Broken   StageState = "failed"
)

// Executions is what is used of CodePipeline.
type Executions interface {
	ListPipelineExecutions(ctx context.Context, in *codepipeline.ListPipelineExecutionsInput, options ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error)
	GetPipelineState(ctx context.Context, in *codepipeline.GetPipelineStateInput, options ...func(*codepipeline.Options)) (*codepipeline.GetPipelineStateOutput, error)
	ListActionExecutions(ctx context.Context, in *codepipeline.ListActionExecutionsInput, options ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error)
}

// ReadPipeline finds a commit in a pipeline; holds reports whether another commit contains it. What cannot be read is a note:
// the pipeline tells how a commit comes, and the stacks and the cluster whether it is there.
func ReadPipeline(ctx context.Context, from Executions, name, commit string, holds func(head string) bool) *Pipeline {
	p := &Pipeline{Name: name}
	if err := p.read(ctx, from, commit, holds); err != nil {
		p.Execution, p.Status, p.Commit, p.Stages = "", "", "", nil
		p.Note = note(err)
	}
	return p
}

// note says in one line why a pipeline was not read.
func note(err error) string {
	var api smithy.APIError
	switch {
	case !errors.As(err, &api):
	case api.ErrorCode() == "PipelineNotFoundException":
		return "there is no such pipeline"
	case strings.Contains(api.ErrorCode(), "AccessDenied"):
		return "it needs the rights codepipeline:ListPipelineExecutions, GetPipelineState and ListActionExecutions"
	}
	return "it cannot be read: " + strings.Join(strings.Fields(err.Error()), " ")
}

func (p *Pipeline) read(ctx context.Context, from Executions, commit string, holds func(string) bool) error {
	listed, err := p.history(ctx, from, commit)
	if err != nil {
		return err
	}
	e := bringing(listed, commit, holds)
	if e == nil {
		p.Note = fmt.Sprintf("none of its last executions has commit %.12s", commit)
		return nil
	}
	p.Execution, p.Status, p.Commit = aws.ToString(e.PipelineExecutionId), string(e.Status), revision(*e)
	state, err := from.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: &p.Name})
	if err != nil {
		return err
	}
	began, err := actions.Of(ctx, from, p.Name, p.Execution)
	if err != nil {
		return err
	}
	stages := map[string]map[string]types.ActionExecutionDetail{}
	for _, a := range began {
		stage, name := aws.ToString(a.StageName), aws.ToString(a.ActionName)
		if stages[stage] == nil {
			stages[stage] = map[string]types.ActionExecutionDetail{}
		}
		// A stage that was tried again has an action several times.
		if before, again := stages[stage][name]; !again || aws.ToTime(a.StartTime).After(aws.ToTime(before.StartTime)) {
			stages[stage][name] = a
		}
	}
	for _, s := range state.StageStates {
		p.Stages = append(p.Stages, p.stage(s, stages[aws.ToString(s.StageName)]))
	}
	p.passedBy()
	return nil
}

// reach is how many pages of a hundred executions are read for one of the commit: CodePipeline keeps a year of them, and
// whoever waits asks again and again.
const reach = 10

// history is the pipeline's, the newest execution first, as far back as the page with one of the commit itself.
func (p *Pipeline) history(ctx context.Context, from Executions, commit string) ([]types.PipelineExecutionSummary, error) {
	var all []types.PipelineExecutionSummary
	pages := codepipeline.NewListPipelineExecutionsPaginator(from, &codepipeline.ListPipelineExecutionsInput{PipelineName: &p.Name})
	for range reach {
		if !pages.HasMorePages() {
			break
		}
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.PipelineExecutionSummaries...)
		if slices.ContainsFunc(page.PipelineExecutionSummaries, func(e types.PipelineExecutionSummary) bool { return revision(e) == commit }) {
			break
		}
	}
	return all, nil
}

// near is how many executions are asked for whether they contain the commit: each question runs git.
const near = 30

// bringing is the first execution that succeeded with the commit, or else the newest that has it: what failed or was superseded
// is of no account once a later one goes on with it.
func bringing(newestFirst []types.PipelineExecutionSummary, commit string, holds func(string) bool) *types.PipelineExecutionSummary {
	var newest, succeeded *types.PipelineExecutionSummary
	for i := range newestFirst {
		e := &newestFirst[i]
		head := revision(*e)
		if head != commit && (head == "" || i >= near || !holds(head)) {
			continue
		}
		if newest == nil {
			newest = e
		}
		if e.Status == types.PipelineExecutionStatusSucceeded {
			succeeded = e
		}
	}
	if succeeded != nil {
		return succeeded
	}
	return newest
}

func revision(e types.PipelineExecutionSummary) string {
	if len(e.SourceRevisions) == 0 {
		return ""
	}
	return aws.ToString(e.SourceRevisions[0].RevisionId)
}

// stage is how far the execution has come with a stage, from its actions, and from the stage itself while no later execution
// has come to it.
func (p *Pipeline) stage(s types.StageState, last map[string]types.ActionExecutionDetail) Stage {
	out := Stage{Name: aws.ToString(s.StageName), State: Pending}
	if len(last) > 0 {
		out.State = Passed
	}
	if e := s.LatestExecution; e != nil && aws.ToString(e.PipelineExecutionId) == p.Execution {
		out.State = stageStates[e.Status]
		if c := s.BeforeEntryConditionState; out.State == Broken && c != nil && c.LatestExecution != nil {
			out.Cause = aws.ToString(c.LatestExecution.Summary)
		}
	}
	began := slices.Collect(maps.Values(last))
	slices.SortFunc(began, func(a, b types.ActionExecutionDetail) int {
		return aws.ToTime(a.StartTime).Compare(aws.ToTime(b.StartTime))
	})
	for _, a := range began {
		switch a.Status {
		case types.ActionExecutionStatusFailed:
			out.State, out.Cause = Broken, failure(a)
			return out
		case types.ActionExecutionStatusInProgress:
			if out.State = Running; actions.Approves(a) {
				out.State = Approval
			}
		case types.ActionExecutionStatusAbandoned:
			out.State = Stopped
		}
	}
	return out
}

var stageStates = map[types.StageExecutionStatus]StageState{
	types.StageExecutionStatusInProgress: Running, types.StageExecutionStatusStopping: Running,
	types.StageExecutionStatusSucceeded: Passed, types.StageExecutionStatusSkipped: Skipped, types.StageExecutionStatusFailed: Broken,
	types.StageExecutionStatusStopped: Stopped, types.StageExecutionStatusCancelled: Stopped,
}

// failure is what an action said when it failed.
func failure(a types.ActionExecutionDetail) string {
	return strings.TrimSuffix("action "+aws.ToString(a.ActionName)+" failed: "+actions.Cause(a), ": ")
}

// passedBy marks the stages that the execution went past without an action: they were skipped. AWS keeps that of a stage only
// until a later execution comes to it.
func (p *Pipeline) passedBy() {
	beyond := p.Status == string(types.PipelineExecutionStatusSucceeded)
	for i := range slices.Backward(p.Stages) {
		s := &p.Stages[i]
		if s.State != Pending {
			beyond = true
		} else if beyond {
			s.State = Skipped
		}
	}
}

// keeps says what keeps a commit, and how bad that is; empty when it is nothing of the pipeline's. The last stage asks the same
// cluster as this status, so of a released commit its answer is not needed, and may be out of date.
func (p *Pipeline) keeps(released bool) (State, string) {
	if p == nil {
		return Verified, ""
	}
	for i, s := range p.Stages {
		if released && i == len(p.Stages)-1 {
			break
		}
		said := fmt.Sprintf("stage %s of %s", s.Name, p.Name)
		switch s.State {
		case Broken:
			return Failed, strings.TrimSuffix(said+" has failed: "+s.Cause, ": ")
		case Stopped:
			return Failed, said + " was stopped"
		case Approval:
			return Applying, said + " waits for an approval"
		case Running:
			return Applying, said + " is running"
		}
	}
	return Verified, ""
}
