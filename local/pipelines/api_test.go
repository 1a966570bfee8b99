package pipelines

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/internal/status"
)

// api serves what the world's runner records, and returns AWS's client of it.
func (w *world) api() *codepipeline.Client {
	w.t.Helper()
	a := API{Root: w.root, Definitions: func() []map[string]any {
		w.mu.Lock()
		defer w.mu.Unlock()
		var all []map[string]any
		for _, p := range w.defs.Pipelines {
			raw, err := json.Marshal(p) // in the names of CloudFormation's properties
			properties := map[string]any{}
			if err == nil {
				err = json.Unmarshal(raw, &properties)
			}
			if err != nil {
				w.t.Error(err)
			}
			all = append(all, properties)
		}
		return all
	}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !a.Serve(w, r) {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	w.t.Cleanup(s.Close)
	c := w.config.AWS.Copy()
	c.BaseEndpoint, c.RetryMaxAttempts = &s.URL, 1
	return codepipeline.NewFromConfig(c)
}

func (w *world) execution(c *codepipeline.Client, e *Execution) *types.PipelineExecution {
	w.t.Helper()
	out, err := c.GetPipelineExecution(w.t.Context(), &codepipeline.GetPipelineExecutionInput{PipelineName: &e.Pipeline, PipelineExecutionId: &e.ID})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.PipelineExecution
}

// stages are the states of a pipeline's stages: name, status and that of the entry condition.
func (w *world) stages(c *codepipeline.Client, pipeline string) (*codepipeline.GetPipelineStateOutput, []string) {
	w.t.Helper()
	out, err := c.GetPipelineState(w.t.Context(), &codepipeline.GetPipelineStateInput{Name: &pipeline})
	if err != nil {
		w.t.Fatal(err)
	}
	var all []string
	for _, s := range out.StageStates {
		text := aws.ToString(s.StageName)
		if s.LatestExecution != nil {
			text += " " + string(s.LatestExecution.Status)
		}
		if s.BeforeEntryConditionState != nil {
			text += " " + string(s.BeforeEntryConditionState.LatestExecution.Status)
		}
		all = append(all, text)
	}
	return out, all
}

func (w *world) actions(c *codepipeline.Client, e *Execution) []types.ActionExecutionDetail {
	w.t.Helper()
	out, err := c.ListActionExecutions(w.t.Context(), &codepipeline.ListActionExecutionsInput{PipelineName: &e.Pipeline, Filter: &types.ActionExecutionFilter{PipelineExecutionId: &e.ID}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.ActionExecutionDetails
}

// An execution that skips a stage, waits for an approval and then fails looks as in AWS at each step.
func TestAPIOfAnExecution(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "",
		entry(stage("Skip", w.project("skipped", spec("true"))), "SKIP", rule("#{Source.BranchName}", "NE", "main")),
		entry(stage("Approve", approval("Approve")), "SKIP", rule("#{Source.BranchName}", "EQ", "main")),
		stage("Deploy", w.project("deploy", spec("echo 'no such table'; exit 3"))), stage("Verify", w.project("verify", spec("true"))))
	c := w.api()
	if _, got := w.stages(c, "p"); !slices.Equal(got, []string{"Source", "Skip", "Approve", "Deploy", "Verify"}) {
		t.Errorf("before the first execution: %q", got)
	}
	w.start()
	commit := w.push(map[string]string{"p/1": ""})
	e := w.wait("p", commit, Waiting)
	got := w.execution(c, e)
	if got.Status != types.PipelineExecutionStatusInProgress || got.ExecutionMode != types.ExecutionModeQueued || got.ExecutionType != types.ExecutionTypeStandard || got.Trigger.TriggerType != types.TriggerTypeWebhookV2 {
		t.Errorf("%+v", got)
	}
	if r := got.ArtifactRevisions; len(r) != 1 || aws.ToString(r[0].Name) != "Source" || aws.ToString(r[0].RevisionId) != commit || !strings.Contains(aws.ToString(r[0].RevisionSummary), `"CommitMessage":"change p/1"`) || r[0].Created.IsZero() {
		t.Errorf("revisions: %+v", r)
	}
	state, stages := w.stages(c, "p")
	if want := []string{"Source Succeeded", "Skip Skipped Failed", "Approve InProgress Succeeded", "Deploy", "Verify"}; !slices.Equal(stages, want) {
		t.Errorf("got %q, want %q", stages, want)
	}
	if r := state.StageStates[1].BeforeEntryConditionState.ConditionStates[0]; r.RuleStates[0].LatestExecution.Status != types.RuleExecutionStatusFailed || !strings.Contains(aws.ToString(r.LatestExecution.Summary), `must be NE "main"`) {
		t.Errorf("condition: %+v", r)
	}
	if a := state.StageStates[2].ActionStates[0].LatestExecution; a.Status != types.ActionExecutionStatusInProgress || aws.ToString(a.Summary) != "Commit "+commit || a.LastStatusChange.IsZero() {
		t.Errorf("approval: %+v", a)
	}
	if p := status.ReadPipeline(t.Context(), c, "p", commit, nil); p.Stages[1].State != status.Skipped || p.Stages[2].State != status.Approval {
		t.Errorf("gitops status shows %+v", p)
	}
	if _, _, err := Decide(w.root, "p", Decision{Approved: true, By: "me"}); err != nil {
		t.Fatal(err)
	}
	e = w.wait("p", commit, Failed)
	if got := w.execution(c, e); got.Status != types.PipelineExecutionStatusFailed || !strings.Contains(aws.ToString(got.StatusSummary), "exit status 3") {
		t.Errorf("%+v", got)
	}
	if _, stages = w.stages(c, "p"); !slices.Equal(stages[2:], []string{"Approve Succeeded Succeeded", "Deploy Failed", "Verify"}) {
		t.Errorf("at the end: %q", stages)
	}
	w.failedActions(c, e, commit)
	seen := status.ReadPipeline(t.Context(), c, "p", commit, func(string) bool { return false })
	want := []status.Stage{
		{Name: "Source", State: status.Passed}, {Name: "Skip", State: status.Skipped}, {Name: "Approve", State: status.Passed},
		{Name: "Deploy", State: status.Broken, Cause: "action deploy failed: " + e.FailedAction().Reason}, {Name: "Verify", State: status.Pending},
	}
	if seen.Execution != e.ID || seen.Status != "Failed" || seen.Note != "" || !slices.Equal(seen.Stages, want) {
		t.Errorf("gitops status shows %+v, want %+v", seen, want)
	}
}

// failedActions looks at the actions of the execution above, the newest first.
func (w *world) failedActions(c *codepipeline.Client, e *Execution, commit string) {
	w.t.Helper()
	all := w.actions(c, e)
	var order []string
	for _, a := range all {
		order = append(order, aws.ToString(a.StageName)+"/"+aws.ToString(a.ActionName)+" "+string(a.Status))
	}
	if want := []string{"Deploy/deploy Failed", "Approve/Approve Succeeded", "Source/Source Succeeded"}; !slices.Equal(order, want) {
		w.t.Fatalf("got %q, want %q", order, want)
	}
	build, source := all[0], all[2]
	if r := build.Output.ExecutionResult; aws.ToString(r.ErrorDetails.Code) != "JobFailed" || !strings.Contains(aws.ToString(r.ErrorDetails.Message), "exit status 3") || aws.ToString(r.ExternalExecutionUrl) != "file://"+e.FailedAction().Log {
		w.t.Errorf("result: %+v", r)
	}
	if i := build.Input; i.ActionTypeId.Category != types.ActionCategoryBuild || aws.ToString(i.ActionTypeId.Provider) != "CodeBuild" || i.Configuration["ProjectName"] != "deploy" || aws.ToString(i.InputArtifacts[0].Name) != "Source" {
		w.t.Errorf("input: %+v", i)
	}
	if o := source.Output; o.OutputVariables["CommitId"] != commit || aws.ToString(o.OutputArtifacts[0].Name) != "Source" || aws.ToString(o.ExecutionResult.ExternalExecutionId) != commit {
		w.t.Errorf("source: %+v", o)
	}
	if build.StartTime.Before(*source.StartTime) || build.LastUpdateTime.Before(*build.StartTime) {
		w.t.Errorf("times: %s to %s", build.StartTime, build.LastUpdateTime)
	}
}

// The history is the newest first, page by page, and an execution that waits for another one is inbound to its stage.
func TestAPIOfAHistory(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("Deploy", w.project("x", spec(`until [ -e "$OUT/go" ]; do sleep 0.02; done`))))
	w.define("other", "QUEUED", "", stage("Deploy", w.project("y", spec("true"))))
	c := w.api()
	w.start()
	commits := []string{w.push(map[string]string{"p/1": ""}), w.push(map[string]string{"p/2": ""}), w.push(map[string]string{"p/3": ""})}
	w.wait("p", commits[0], InProgress)
	last := w.waitStage("p", commits[2], "Deploy")
	state, _ := w.stages(c, "p")
	if in := state.StageStates[1].InboundExecutions; len(in) != 2 || aws.ToString(in[1].PipelineExecutionId) != last.ID || in[1].Status != types.StageExecutionStatusInProgress {
		t.Errorf("inbound: %+v", in)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.wait("p", commits[2], Succeeded)
	w.wait("other", w.push(map[string]string{"other/1": ""}), Succeeded)
	var got []string
	pages := codepipeline.NewListPipelineExecutionsPaginator(c, &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String("p"), MaxResults: aws.Int32(2)})
	for n := 1; pages.HasMorePages(); n++ {
		out, err := pages.NextPage(t.Context())
		if err != nil || n > 2 {
			t.Fatal(n, err)
		}
		for _, s := range out.PipelineExecutionSummaries {
			got = append(got, aws.ToString(s.SourceRevisions[0].RevisionId))
			if s.Status != types.PipelineExecutionStatusSucceeded || aws.ToString(s.SourceRevisions[0].ActionName) != "Source" || s.LastUpdateTime.Before(*s.StartTime) {
				t.Errorf("%+v", s)
			}
		}
	}
	if slices.Reverse(commits); !slices.Equal(got, commits) {
		t.Errorf("got %q, want %q", got, commits)
	}
	actions := 0
	all := codepipeline.NewListActionExecutionsPaginator(c, &codepipeline.ListActionExecutionsInput{PipelineName: aws.String("p"), MaxResults: aws.Int32(4)})
	for all.HasMorePages() {
		out, err := all.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		actions += len(out.ActionExecutionDetails)
	}
	if actions != 6 {
		t.Errorf("%d actions, want 6", actions)
	}
}

// What ended without an answer of its own is told in AWS's words.
func TestAPIStatuses(t *testing.T) {
	for name, c := range map[string]struct {
		execution, action Status
		want, wantAction  string
	}{
		"superseded":            {Superseded, "", "Superseded", ""},
		"cancelled":             {Cancelled, Succeeded, "Cancelled", "Succeeded"},
		"interrupted too often": {Failed, Queued, "Failed", "Abandoned"},
		"cut off":               {InProgress, Queued, "InProgress", "InProgress"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.define("p", "QUEUED", "", stage("Deploy", w.project("x", spec("true"))))
			e := &Execution{ID: "1", Pipeline: "p", Status: c.execution, Commit: "c", Mode: "QUEUED"}
			if c.action != "" {
				e.Actions = []*ActionState{{Stage: "Deploy", Name: "x", Type: buildType, Status: c.action, Started: e.Queued.AddDate(2025, 0, 0)}}
			}
			if err := e.save(w.root); err != nil {
				t.Fatal(err)
			}
			api := w.api()
			if got := w.execution(api, e); string(got.Status) != c.want {
				t.Errorf("got %s, want %s", got.Status, c.want)
			}
			got := ""
			for _, a := range w.actions(api, e) {
				got += string(a.Status)
			}
			if got != c.wantAction {
				t.Errorf("action: got %q, want %q", got, c.wantAction)
			}
		})
	}
}

func TestAPIErrors(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("Deploy", w.project("x", spec("true"))))
	c := w.api()
	p, none, ctx := aws.String("p"), aws.String("none"), t.Context()
	for name, call := range map[string]func() error{
		"PipelineNotFoundException": func() error {
			_, err := c.GetPipelineState(ctx, &codepipeline.GetPipelineStateInput{Name: none})
			return as[*types.PipelineNotFoundException](err)
		},
		"PipelineExecutionNotFoundException": func() error {
			_, err := c.GetPipelineExecution(ctx, &codepipeline.GetPipelineExecutionInput{PipelineName: p, PipelineExecutionId: none})
			return as[*types.PipelineExecutionNotFoundException](err)
		},
		"InvalidNextTokenException": func() error {
			_, err := c.ListPipelineExecutions(ctx, &codepipeline.ListPipelineExecutionsInput{PipelineName: p, NextToken: none})
			return as[*types.InvalidNextTokenException](err)
		},
		"ValidationException": func() error {
			_, err := c.ListActionExecutions(ctx, &codepipeline.ListActionExecutionsInput{PipelineName: p, MaxResults: aws.Int32(101)})
			return err
		},
	} {
		var got smithy.APIError
		if err := call(); !errors.As(err, &got) || got.ErrorCode() != name {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// Definitions are another service's.
	var answer interface{ HTTPStatusCode() int }
	if _, err := c.GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: p}); !errors.As(err, &answer) || answer.HTTPStatusCode() != http.StatusTeapot {
		t.Errorf("GetPipeline: %v", err)
	}
}

// as fails an error that the SDK does not know as one of its types.
func as[T error](err error) error {
	var typed T
	if !errors.As(err, &typed) {
		return errors.Join(errors.New("not typed"), err)
	}
	return typed
}
