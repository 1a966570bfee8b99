package deployment

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/forge"
)

// recorded is a CodePipeline with executions and actions, whose pages have one each.
type recorded struct {
	executions []types.PipelineExecutionSummary
	actions    []types.ActionExecutionDetail
	fails      error
	asked      int
}

func (r *recorded) ListPipelineExecutions(_ context.Context, in *codepipeline.ListPipelineExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	r.asked++
	if r.fails != nil {
		return nil, r.fails
	}
	part, next := page(r.executions, in.NextToken)
	return &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: part, NextToken: next}, nil
}

func (r *recorded) ListActionExecutions(_ context.Context, in *codepipeline.ListActionExecutionsInput, _ ...func(*codepipeline.Options)) (*codepipeline.ListActionExecutionsOutput, error) {
	if r.fails != nil {
		return nil, r.fails
	}
	var of []types.ActionExecutionDetail
	for _, a := range r.actions {
		if aws.ToString(a.PipelineExecutionId) == aws.ToString(in.Filter.PipelineExecutionId) {
			of = append(of, a)
		}
	}
	part, next := page(of, in.NextToken)
	return &codepipeline.ListActionExecutionsOutput{ActionExecutionDetails: part, NextToken: next}, nil
}

func page[T any](all []T, token *string) ([]T, *string) {
	at := 0
	if token != nil {
		fmt.Sscan(*token, &at)
	}
	if at+1 >= len(all) {
		return all[min(at, len(all)):], nil
	}
	return all[at : at+1], aws.String(fmt.Sprint(at + 1))
}

// execution is one that started so many minutes after the first.
func execution(id, commit string, minute int, status types.PipelineExecutionStatus) types.PipelineExecutionSummary {
	x := types.PipelineExecutionSummary{PipelineExecutionId: aws.String(id), Status: status, StartTime: aws.Time(time.Unix(0, 0).Add(time.Duration(minute) * time.Minute))}
	if commit != "" {
		x.SourceRevisions = []types.SourceRevision{{RevisionId: aws.String(commit)}}
	}
	return x
}

// The last execution of a commit counts, whichever an event names.
func TestFind(t *testing.T) {
	r := &recorded{executions: []types.PipelineExecutionSummary{
		execution("d", "two", 4, types.PipelineExecutionStatusInProgress),
		execution("c", "one", 3, types.PipelineExecutionStatusSucceeded),
		execution("b", "one", 2, types.PipelineExecutionStatusCancelled),
		execution("a", "", 1, types.PipelineExecutionStatusFailed),
	}}
	for id, want := range map[string]string{"": "d", "d": "d", "c": "c", "b": "c", "a": "a"} {
		if e, err := (Source{API: r, Pipeline: "dev-deploy"}).Find(t.Context(), id); err != nil || e.ID != want {
			t.Errorf("%q: %+v, %v; want %s", id, e, err, want)
		}
	}
}

// The source is read after an execution has started.
func TestFindWaitsForTheSource(t *testing.T) {
	r := &recorded{executions: []types.PipelineExecutionSummary{execution("a", "", 1, types.PipelineExecutionStatusInProgress)}}
	s := Source{API: r, Pipeline: "dev-deploy", Pause: func(context.Context) error {
		r.executions[0] = execution("a", "one", 1, types.PipelineExecutionStatusInProgress)
		return nil
	}}
	if e, err := s.Find(t.Context(), "a"); err != nil || e.Commit != "one" || r.asked != 2 {
		t.Errorf("%+v, %v, asked %d times", e, err, r.asked)
	}
	s.Pause = func(context.Context) error { return context.DeadlineExceeded }
	for id, want := range map[string]string{"x": "pipeline dev-deploy: has no execution x", "a": "read no source yet"} {
		r.executions[0] = execution("a", "", 1, types.PipelineExecutionStatusInProgress)
		if _, err := s.Find(t.Context(), id); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", id, err)
		}
	}
	r.executions = nil
	if _, err := s.Find(t.Context(), ""); err == nil || !strings.Contains(err.Error(), "push, or start it") {
		t.Errorf("none: %v", err)
	}
	r.fails = &types.PipelineNotFoundException{}
	if _, err := s.Find(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "deploy the stack") {
		t.Errorf("no pipeline: %v", err)
	}
	r.fails = errors.New("no such host")
	if _, err := s.Find(t.Context(), "a"); err == nil || err.Error() != "pipeline dev-deploy: no such host" {
		t.Errorf("no network: %v", err)
	}
	r.fails = &smithy.GenericAPIError{Code: "AccessDeniedException"}
	if _, err := s.Find(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "grant codepipeline:ListPipelineExecutions") {
		t.Errorf("no right: %v", err)
	}
	if _, _, err := s.Status(t.Context(), Execution{ID: "a", Status: types.PipelineExecutionStatusFailed}); err == nil || !strings.Contains(err.Error(), "grant codepipeline:ListActionExecutions") {
		t.Errorf("no right: %v", err)
	}
}

// action is "stage/action status" of execution e, and how it went.
func action(text, message, summary string) types.ActionExecutionDetail {
	at, status, _ := strings.Cut(text, " ")
	stage, name, _ := strings.Cut(at, "/")
	a := types.ActionExecutionDetail{
		PipelineExecutionId: aws.String("e"), StageName: aws.String(stage), ActionName: aws.String(name), Status: types.ActionExecutionStatus(status),
		Input:  &types.ActionExecutionInput{ActionTypeId: &types.ActionTypeId{Category: types.ActionCategoryBuild}},
		Output: &types.ActionExecutionOutput{ExecutionResult: &types.ActionExecutionResult{}},
	}
	if stage == "Approve" {
		a.Input.ActionTypeId.Category, a.UpdatedBy = types.ActionCategoryApproval, aws.String("arn:aws:iam::1:user/jane")
	}
	if message != "" {
		a.Output.ExecutionResult.ErrorDetails = &types.ErrorDetails{Code: aws.String("JobFailed"), Message: aws.String(message)}
	}
	if summary != "" {
		a.Output.ExecutionResult.ExternalExecutionSummary = aws.String(summary)
	}
	return a
}

func TestStatus(t *testing.T) {
	const built = "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: Error while executing command: make test. Reason: exit status 2"
	plan, tests := action("Plan/Plan Succeeded", "", ""), action("Test/Test Succeeded", "", "")
	all := func(more ...types.ActionExecutionDetail) []types.ActionExecutionDetail {
		return append([]types.ActionExecutionDetail{action("Source/Source Succeeded", "", ""), plan, tests}, more...)
	}
	done := func(name string) types.ActionExecutionDetail { return action(name+" Succeeded", "", "") }
	for name, c := range map[string]struct {
		status  types.PipelineExecutionStatus
		why     string
		actions []types.ActionExecutionDetail // in the order of their starts
		state   forge.State
		want    string
	}{
		"started":          {types.PipelineExecutionStatusInProgress, "", all(action("Network/Deploy InProgress", "", "")), forge.Pending, "Has started"},
		"waits":            {types.PipelineExecutionStatusInProgress, "", all(action("Approve/Approve InProgress", "", "")), forge.Pending, "Approve: waits for an approval"},
		"stops":            {types.PipelineExecutionStatusStopping, "", nil, forge.Pending, "Is being stopped"},
		"both halves":      {types.PipelineExecutionStatusSucceeded, "", all(done("Network/Deploy"), done("Cluster/Deploy"), done("Release/Release"), done("Release/Verify")), forge.Success, "AWS: Network, Cluster; Kubernetes: verified"},
		"manifests":        {types.PipelineExecutionStatusSucceeded, "", all(done("Release/Release"), done("Release/Verify")), forge.Success, "AWS: no difference; Kubernetes: verified"},
		"no gate":          {types.PipelineExecutionStatusSucceeded, "", all(done("Network/Deploy")), forge.Success, "AWS: Network"},
		"nothing":          {types.PipelineExecutionStatusSucceeded, "", all(), forge.Success, "Nothing differs from what is deployed"},
		"a red test":       {types.PipelineExecutionStatusFailed, "", []types.ActionExecutionDetail{plan, action("Test/Test Failed", built, "")}, forge.Failure, "Test: Error while executing command: make test. Reason: exit status 2"},
		"the first of two": {types.PipelineExecutionStatusFailed, "", []types.ActionExecutionDetail{action("Build/one Failed", "first", ""), action("Build/two Failed", "second", "")}, forge.Failure, "Build: first"},
		"a retried stage":  {types.PipelineExecutionStatusFailed, "", all(action("Network/Deploy Failed", "first", ""), done("Network/Deploy"), action("Cluster/Deploy Failed", "now", "")), forge.Failure, "Cluster: now"},
		"rejected":         {types.PipelineExecutionStatusFailed, "", all(action("Approve/Approve Failed", "", "not today")), forge.Failure, "Approve: not today"},
		"rejected, silent": {types.PipelineExecutionStatusFailed, "", all(action("Approve/Approve Failed", "", "")), forge.Failure, "Approve: rejected by arn:aws:iam::1:user/jane"},
		"no cause":         {types.PipelineExecutionStatusFailed, "", []types.ActionExecutionDetail{action("Plan/Plan Failed", "", "")}, forge.Failure, "Plan: failed"},
		"before an action": {types.PipelineExecutionStatusFailed, "no window", nil, forge.Failure, "no window"},
		"stopped":          {types.PipelineExecutionStatusStopped, "wrong day", nil, forge.Errored, "Stopped: wrong day"},
		"superseded":       {types.PipelineExecutionStatusSuperseded, "", nil, forge.Errored, "A later commit took its place"},
		"cancelled":        {types.PipelineExecutionStatusCancelled, "", nil, forge.Errored, "The pipeline itself was changed meanwhile"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &recorded{}
			for i, a := range c.actions {
				a.StartTime = aws.Time(time.Unix(int64(i), 0))
				r.actions = append([]types.ActionExecutionDetail{a}, r.actions...) // the newest first
			}
			state, text, err := Source{API: r, Pipeline: "dev-deploy"}.Status(t.Context(), Execution{ID: "e", Status: c.status, Why: c.why})
			if err != nil || state != c.state || text != c.want {
				t.Errorf("%s %q, %v; want %s %q", state, text, err, c.state, c.want)
			}
		})
	}
	if _, _, err := (Source{API: &recorded{}}).Status(t.Context(), Execution{ID: "e", Status: "Dreaming"}); err == nil {
		t.Error("a status of another time is known")
	}
}

// A commit counts as verified when Flux was waited for; without a gate when its execution succeeded. Each counts once.
func TestVerified(t *testing.T) {
	verify := func(id string, status types.ActionExecutionStatus) types.ActionExecutionDetail {
		return types.ActionExecutionDetail{PipelineExecutionId: aws.String(id), StageName: aws.String("Release"), ActionName: aws.String("Verify"), Status: status}
	}
	r := &recorded{
		executions: []types.PipelineExecutionSummary{
			execution("e", "three", 5, types.PipelineExecutionStatusInProgress), execution("d", "two", 4, types.PipelineExecutionStatusSucceeded),
			execution("c", "passed", 3, types.PipelineExecutionStatusSucceeded), execution("b", "two", 2, types.PipelineExecutionStatusSucceeded),
			execution("a", "one", 1, types.PipelineExecutionStatusSucceeded),
		},
		actions: []types.ActionExecutionDetail{verify("a", types.ActionExecutionStatusSucceeded), verify("b", types.ActionExecutionStatusSucceeded), verify("d", types.ActionExecutionStatusSucceeded)},
	}
	for gate, want := range map[bool]string{true: "two one", false: "two passed one"} {
		got, err := (Source{API: whole{r}, Pipeline: "dev-deploy"}).Verified(t.Context(), gate)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("gate %v: %q, %v; want %s", gate, got, err, want)
		}
	}
	r.fails = &smithy.GenericAPIError{Code: "AccessDeniedException"}
	if _, err := (Source{API: r, Pipeline: "dev-deploy"}).Verified(t.Context(), true); err == nil || !strings.Contains(err.Error(), "grant codepipeline:ListPipelineExecutions") {
		t.Error(err)
	}
}

// whole answers with all executions on one page.
type whole struct{ *recorded }

func (w whole) ListPipelineExecutions(context.Context, *codepipeline.ListPipelineExecutionsInput, ...func(*codepipeline.Options)) (*codepipeline.ListPipelineExecutionsOutput, error) {
	return &codepipeline.ListPipelineExecutionsOutput{PipelineExecutionSummaries: w.executions}, nil
}
