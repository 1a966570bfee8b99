package plan

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// pipeline stands for CodePipeline: it answers with one execution, or one action, a page, the newest first.
type pipeline struct {
	executions []execution
	stopped    []string
	// looked is called before each list of executions, with how often there was one.
	looked func(int)
	looks  int
	// approved is called while an execution is stopped.
	approved func()
}

type execution struct {
	id     string
	status types.PipelineExecutionStatus
	kind   types.ExecutionType
	// actions are STAGE STATUS, the newest first.
	actions []string
	rules   []types.RuleExecutionStatus
}

func page(token *string, size int) (i int, next *string) {
	for token != nil && strings.Repeat("x", i) != *token {
		i++
	}
	if i+1 < size {
		next = aws.String(strings.Repeat("x", i+1))
	}
	return i, next
}

func (p *pipeline) ListPipelineExecutions(_ context.Context, in *codepipeline.ListPipelineExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	if in.NextToken == nil {
		if p.looks++; p.looked != nil {
			p.looked(p.looks)
		}
	}
	i, next := page(in.NextToken, len(p.executions))
	e := p.executions[i]
	return &codepipeline.ListPipelineExecutionsOutput{NextToken: next, PipelineExecutionSummaries: []types.PipelineExecutionSummary{{PipelineExecutionId: &e.id, Status: e.status, ExecutionType: e.kind}}}, nil
}

func (p *pipeline) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	out := &codepipeline.ListActionExecutionsOutput{}
	for _, e := range p.executions {
		if e.id != aws.ToString(in.Filter.PipelineExecutionId) || len(e.actions) == 0 {
			continue
		}
		i, next := page(in.NextToken, len(e.actions))
		stage, status, _ := strings.Cut(e.actions[i], " ")
		category := types.ActionCategoryBuild
		if stage == "Approve" {
			category = types.ActionCategoryApproval
		}
		out.NextToken = next
		out.ActionExecutionDetails = []types.ActionExecutionDetail{{
			StageName: &stage, Status: types.ActionExecutionStatus(status), Input: &types.ActionExecutionInput{ActionTypeId: &types.ActionTypeId{Category: category}},
		}}
	}
	return out, nil
}

func (p *pipeline) ListRuleExecutions(_ context.Context, in *codepipeline.ListRuleExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListRuleExecutionsOutput, error) {
	out := &codepipeline.ListRuleExecutionsOutput{}
	for _, e := range p.executions {
		if e.id != aws.ToString(in.Filter.PipelineExecutionId) || len(e.rules) == 0 {
			continue
		}
		i, next := page(in.NextToken, len(e.rules))
		out.NextToken, out.RuleExecutionDetails = next, []types.RuleExecutionDetail{{Status: e.rules[i]}}
	}
	return out, nil
}

func (p *pipeline) StopPipelineExecution(_ context.Context, in *codepipeline.StopPipelineExecutionInput, _ ...func(*codepipeline.Options)) (*codepipeline.StopPipelineExecutionOutput, error) {
	if p.approved != nil {
		p.approved()
	}
	p.stopped = append(p.stopped, *in.PipelineExecutionId)
	return &codepipeline.StopPipelineExecutionOutput{}, nil
}

const running = types.PipelineExecutionStatusInProgress

var (
	mine      = execution{id: "mine", status: running, actions: []string{"Plan InProgress", "Source Succeeded"}}
	behind    = execution{id: "behind", status: running, actions: []string{"Source Succeeded"}}
	ended     = execution{id: "ended", status: types.PipelineExecutionStatusSucceeded, actions: []string{"Verify Succeeded", "Plan Succeeded"}}
	waiting   = execution{id: "waiting", status: running, actions: []string{"Approve InProgress", "Test Succeeded", "Plan Succeeded", "Source Succeeded"}}
	deploying = execution{id: "deploying", status: running, actions: []string{"Network InProgress", "Plan Succeeded", "Source Succeeded"}}
	held      = execution{id: "held", status: running, actions: []string{"Test Succeeded", "Plan Succeeded"}, rules: []types.RuleExecutionStatus{"Succeeded", "InProgress"}}
	rollback  = execution{id: "rollback", status: running, kind: types.ExecutionTypeRollback, actions: []string{"Release InProgress"}}
)

func TestFlight(t *testing.T) {
	for name, c := range map[string]struct {
		others  []execution
		waits   bool // for one of them
		stopped []string
	}{
		"alone":                          {others: []execution{ended}},
		"another is behind":              {others: []execution{behind, ended}},
		"the one before deploys":         {others: []execution{deploying, ended}, waits: true},
		"a rollback":                     {others: []execution{rollback, ended}, waits: true},
		"one waits for approval":         {others: []execution{waiting, ended}, stopped: []string{"waiting"}},
		"one waits for its window":       {others: []execution{held, ended}, stopped: []string{"held"}},
		"one deploys, another one waits": {others: []execution{waiting, deploying, ended}, waits: true, stopped: []string{"waiting"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &pipeline{executions: append([]execution{mine}, c.others...)}
			p.looked = func(n int) {
				for i, e := range p.executions {
					if n == 3 && (e.id == "deploying" || e.id == "rollback") {
						p.executions[i].status = types.PipelineExecutionStatusSucceeded
					}
				}
			}
			f := Flight{API: p, Pipeline: "dev-deploy", Execution: "mine", Pause: time.Nanosecond}
			if err := f.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
			if waited := p.looks > 1; waited != c.waits {
				t.Errorf("waited: %t", waited)
			}
			if alone, err := f.Supersede(t.Context()); err != nil || !alone || !slices.Equal(p.stopped, c.stopped) {
				t.Errorf("alone %t, stopped %q, %v", alone, p.stopped, err)
			}
		})
	}
}

func TestFlightMeetsAnApproval(t *testing.T) {
	p := &pipeline{executions: []execution{mine, waiting}}
	f := Flight{API: p, Pipeline: "dev-deploy", Execution: "mine"}
	approved := func() {
		p.executions[1].actions = []string{"Network InProgress", "Approve Succeeded", "Plan Succeeded"}
	}
	p.approved = approved
	if _, err := f.Supersede(t.Context()); err == nil || !strings.Contains(err.Error(), "went on at the moment in which it was stopped, and is in stage Network") {
		t.Errorf("approved while it is stopped: %v", err)
	}
	p.stopped, p.approved = nil, nil
	if alone, err := f.Supersede(t.Context()); err != nil || alone || len(p.stopped) > 0 {
		t.Errorf("approved before: alone %t, stopped %q, %v", alone, p.stopped, err)
	}
}

func TestFlightSaysWhatKeepsIt(t *testing.T) {
	cause := errors.New("the build's time is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	p := &pipeline{executions: []execution{mine, deploying}, looked: func(int) { cancel(cause) }}
	f := Flight{API: p, Pipeline: "dev-deploy", Execution: "mine"}
	if err := f.Clear(ctx); !errors.Is(err, cause) || !strings.Contains(err.Error(), "deploying, which is in stage Network, has not ended") {
		t.Error(err)
	}
	f.Execution = "another"
	if err := f.Clear(t.Context()); err == nil || !strings.Contains(err.Error(), "execution another of dev-deploy has no action") {
		t.Error(err)
	}
}
