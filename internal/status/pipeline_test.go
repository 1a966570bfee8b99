package status_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/status"
)

// recorded is a pipeline's history as AWS tells it. The stages are named One to Four.
type recorded struct {
	executions []types.PipelineExecutionSummary
	states     []types.StageState
	actions    []types.ActionExecutionDetail
	err        error
}

func (r recorded) ListPipelineExecutions(_ context.Context, in *codepipeline.ListPipelineExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	const size = 100 // AWS's
	from := 0
	if in.NextToken != nil {
		from, _ = strconv.Atoi(*in.NextToken)
	}
	to := min(from+size, len(r.executions))
	out := &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: r.executions[from:to]}
	if to < len(r.executions) {
		out.NextToken = aws.String(strconv.Itoa(to))
	}
	return out, r.err
}

func (r recorded) GetPipelineState(context.Context, *codepipeline.GetPipelineStateInput, ...func(*codepipeline.Options)) (*codepipeline.GetPipelineStateOutput, error) {
	return &codepipeline.GetPipelineStateOutput{StageStates: r.states}, r.err
}

func (r recorded) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	out := &codepipeline.ListActionExecutionsOutput{}
	for _, a := range r.actions {
		if aws.ToString(a.PipelineExecutionId) == aws.ToString(in.Filter.PipelineExecutionId) {
			out.ActionExecutionDetails = append(out.ActionExecutionDetails, a)
		}
	}
	return out, r.err
}

// history has executions, the newest first: "id commit status".
func history(executions ...string) recorded {
	var r recorded
	for _, e := range executions {
		f := strings.Fields(e)
		r.executions = append(r.executions, types.PipelineExecutionSummary{PipelineExecutionId: &f[0], Status: types.PipelineExecutionStatus(f[2]), SourceRevisions: []types.SourceRevision{{RevisionId: &f[1]}}})
	}
	return r
}

// at adds the states of the stages, "execution status" or nothing.
func (r recorded) at(stages ...string) recorded {
	for i, s := range stages {
		state := types.StageState{StageName: aws.String([]string{"One", "Two", "Three", "Four"}[i])}
		if id, status, ok := strings.Cut(s, " "); ok {
			state.LatestExecution = &types.StageExecution{PipelineExecutionId: &id, Status: types.StageExecutionStatus(status)}
		}
		r.states = append(r.states, state)
	}
	return r
}

// did adds actions, "execution stage category status cause", each a minute after the one before.
func (r recorded) did(actions ...string) recorded {
	for i, a := range actions {
		f := strings.SplitN(a, " ", 5)
		r.actions = append(r.actions, types.ActionExecutionDetail{
			PipelineExecutionId: &f[0], StageName: &f[1], ActionName: &f[1], Status: types.ActionExecutionStatus(f[3]),
			StartTime: aws.Time(time.Unix(int64(i)*60, 0)), Input: &types.ActionExecutionInput{ActionTypeId: &types.ActionTypeId{Category: types.ActionCategory(f[2])}},
		})
		if len(f) > 4 {
			r.actions[len(r.actions)-1].Output = &types.ActionExecutionOutput{ExecutionResult: &types.ActionExecutionResult{ErrorDetails: &types.ErrorDetails{Message: &f[4]}}}
		}
	}
	return r
}

// pipeline reads the pipeline of the commit "new", which "newest" contains.
func pipeline(t *testing.T, r recorded) *status.Pipeline {
	t.Helper()
	return status.ReadPipeline(t.Context(), r, "dev-deploy", "new", func(head string) bool { return head == "newest" })
}

func TestReadPipeline(t *testing.T) {
	for name, c := range map[string]struct {
		from      recorded
		execution string
		stages    string
	}{
		"waits for an approval": {
			history("b new InProgress", "a old Succeeded").at("b Succeeded", "b Skipped", "b InProgress", "a Succeeded").
				did("b One Source Succeeded", "b Three Approval InProgress"), "b", "One passed, Two skipped, Three approval, Four pending"},
		"is running": {
			history("b new InProgress").at("b Succeeded", "b InProgress", "", "").did("b One Source Succeeded", "b Two Build InProgress"),
			"b", "One passed, Two running, Three pending, Four pending"},
		"has failed": {
			history("b new Failed").at("b Succeeded", "b Failed", "a Succeeded", "").did("b One Source Succeeded", "b Two Build Failed exit status 1"),
			"b", "One passed, Two failed (action Two failed: exit status 1), Three pending, Four pending"},
		"was tried again": {
			history("b new InProgress").at("b Succeeded", "b InProgress", "", "").did("b One Source Succeeded", "b Two Build Failed exit status 1", "b Two Build InProgress"),
			"b", "One passed, Two running, Three pending, Four pending"},
		"was stopped": {
			history("b new Stopped").at("b Succeeded", "b Stopped", "", "").did("b One Source Succeeded", "b Two Build Abandoned"),
			"b", "One passed, Two stopped, Three pending, Four pending"},
		"long ago: a later execution has come to every stage": {
			history("c newest InProgress", "b new Succeeded").at("c Succeeded", "c Succeeded", "c InProgress", "c Succeeded").
				did("b One Source Succeeded", "b Three Build Succeeded", "c One Source Succeeded"), "b", "One passed, Two skipped, Three passed, Four skipped"},
		"superseded by one that has it": {
			history("c newest InProgress", "b new Superseded").at("c Succeeded", "c InProgress", "", "").did("c One Source Succeeded", "c Two Build InProgress"),
			"c", "One passed, Two running, Three pending, Four pending"},
		"failed, and a later one brought it": {
			history("d newest Failed", "c newest Succeeded", "b new Failed").at("c Succeeded", "", "", "").did("c One Source Succeeded"),
			"c", "One passed, Two skipped, Three skipped, Four skipped"},
		"run twice":  {history("c new InProgress", "b new Cancelled").at("c InProgress").did("b One Source Succeeded"), "c", "One running"},
		"unknown":    {history("a old Succeeded").at("a Succeeded"), "", ""},
		"no history": {history(), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline(t, c.from)
			var stages []string
			for _, s := range p.Stages {
				text := s.Name + " " + string(s.State)
				if s.Cause != "" {
					text += " (" + s.Cause + ")"
				}
				stages = append(stages, text)
			}
			if got := strings.Join(stages, ", "); p.Execution != c.execution || got != c.stages || (p.Note != "") != (c.execution == "") {
				t.Errorf("got %s: %s (%s), want %s: %s", p.Execution, got, p.Note, c.execution, c.stages)
			}
		})
	}
}

// An execution that is not among the newest hundred is found, and of those that nobody looks for no more than a thousand
// are read.
func TestReadPipelineOfManyExecutions(t *testing.T) {
	var many []string
	for i := range 1200 {
		many = append(many, fmt.Sprintf("e%d c%d Succeeded", i, i))
	}
	for at, found := range map[int]bool{0: true, 99: true, 100: true, 250: true, 1100: false} {
		executions := slices.Clone(many)
		executions[at] = "b new Succeeded"
		if p := pipeline(t, history(executions...).at("b Succeeded").did("b One Source Succeeded")); (p.Execution == "b") != found {
			t.Errorf("execution %d: found %q (%s), want found: %t", at, p.Execution, p.Note, found)
		}
	}
}

// A condition that lets nobody in fails the stage without an action.
func TestReadPipelineOfAClosedStage(t *testing.T) {
	r := history("b new Failed").at("b Succeeded", "b Failed").did("b One Source Succeeded")
	r.states[1].BeforeEntryConditionState = &types.StageConditionState{LatestExecution: &types.StageConditionsExecution{Summary: aws.String("the window is closed")}}
	if s := pipeline(t, r).Stages[1]; s.State != status.Broken || s.Cause != "the window is closed" {
		t.Errorf("got %+v", s)
	}
}

// What cannot be read is one line, and no failure.
func TestReadPipelineThatCannotBeRead(t *testing.T) {
	for want, err := range map[string]error{
		"there is no such pipeline":                        &types.PipelineNotFoundException{},
		"it needs the rights codepipeline:ListPipeline":    &smithy.GenericAPIError{Code: "AccessDeniedException", Message: "User: arn:aws:sts::1:assumed-role/reader is not authorized"},
		"it cannot be read: no route to host, on 10.0.0.1": errors.New("no route to host,\non 10.0.0.1"),
	} {
		if p := pipeline(t, recorded{err: err}); !strings.HasPrefix(p.Note, want) || p.Execution != "" || strings.Contains(p.Note, "\n") {
			t.Errorf("got %+v, want %q", p, want)
		}
	}
}

// The pipeline decides while the commit is not released; afterwards its last stage, which asks the cluster, does not.
func TestReadWithAPipeline(t *testing.T) {
	failed := func(stage int) *status.Pipeline {
		p := &status.Pipeline{Name: "dev-deploy", Execution: "b", Stages: []status.Stage{{Name: "Test", State: status.Passed}, {Name: "Network", State: status.Passed}, {Name: "Release", State: status.Passed}}}
		p.Stages[stage] = status.Stage{Name: p.Stages[stage].Name, State: status.Broken, Cause: "because"}
		return p
	}
	state := func(s status.StageState) *status.Pipeline {
		p := failed(0)
		p.Stages[0].State = s
		return p
	}
	for name, c := range map[string]struct {
		tip      string
		pipeline *status.Pipeline
		state    status.State
		cause    string
	}{
		"its tests have failed":         {"old", failed(0), status.Failed, "stage Test of dev-deploy has failed: because"},
		"it waits for an approval":      {"old", state(status.Approval), status.Unreleased, "branch released/dev does not have commit new: stage Test of dev-deploy waits for an approval"},
		"it is running":                 {"old", state(status.Running), status.Unreleased, "stage Test of dev-deploy is running"},
		"it was stopped":                {"old", state(status.Stopped), status.Failed, "stage Test of dev-deploy was stopped"},
		"its release has failed":        {"old", failed(2), status.Failed, "stage Release of dev-deploy has failed"},
		"released before a stack fails": {"new", failed(1), status.Failed, "stage Network of dev-deploy has failed: because"},
		"released, stacks are to come":  {"new", state(status.Running), status.Applying, "stage Test of dev-deploy is running"},
		"healed after the last stage":   {"new", failed(2), status.Verified, ""},
		"it cannot be read":             {"new", &status.Pipeline{Note: "it cannot be read"}, status.Verified, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := source(c.tip, cluster(layers(c.tip, "True", "Ok")...))
			s.Pipeline = func(context.Context, string, func(string) bool) *status.Pipeline { return c.pipeline }
			got, err := s.Read(t.Context())
			if err != nil || got.State != c.state || !strings.Contains(got.Cause, c.cause) || (got.Cause == "") != (c.cause == "") || got.Pipeline != c.pipeline {
				t.Errorf("got %+v, %v; want %s, %q", got, err, c.state, c.cause)
			}
		})
	}
}
