package pipelines

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"

	"k8s-plus-aws-gitops/internal/release"
)

// releasing defines a pipeline like the one that deploys: a plan with a variable and an artifact, a deployment, and a stage that
// releases and verifies, which rolls back. What the plan's artifact calls bad does not become healthy, once $OUT/go exists.
func (w *world) releasing(mode, text string) {
	w.t.Helper()
	plan := w.project("plan", "version: 0.2\nenv: {exported-variables: [RELEASE]}\nphases: {build: {commands: ['export RELEASE=yes']}}\nartifacts: {files: [p/health]}\n")
	plan.OutputArtifacts = []Artifact{{"Tool"}}
	deploy := w.project("deploy", spec(`cat p/health >> "$OUT/deployed"`))
	release := w.project("release", spec(`echo "$(cat p/health) $ID" >> "$OUT/released"`), Variable{Name: "ID", Value: "#{codepipeline.PipelineExecutionId}"})
	verify := w.project("verify", spec(`case $(cat p/health) in bad*) until [ -e "$OUT/go" ]; do sleep 0.02; done; exit 1;; esac`,
		`[ ! -e "$OUT/broken" ]`, `echo "$COMMIT" > "$OUT/verified"`), Variable{Name: "COMMIT", Value: "#{Source.CommitId}"})
	verify.InputArtifacts, verify.RunOrder = plan.OutputArtifacts, 2
	last := entry(stage("Release", release, verify), "SKIP", rule("#{plan.RELEASE}", "EQ", "yes"))
	last.OnFailure = &OnFailure{Result: "ROLLBACK"}
	w.define("p", mode, text, stage("Plan", plan), stage("Deploy", deploy), last)
}

// touch makes a file in $OUT.
func (w *world) touch(name string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), nil, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// rollback waits for the execution that followed a failed one.
func (w *world) rollback(failed *Execution, status Status) *Execution {
	w.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		for _, e := range w.list() {
			if e.Failed == failed.ID && e.Status == status {
				return e
			}
		}
	}
	w.t.Fatalf("no rollback of %.8s becomes %s", failed.ID, status)
	return nil
}

func (w *world) list() []*Execution {
	w.t.Helper()
	all, err := List(w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// A stage that fails runs again, alone, with commit, variables and artifacts of the last execution that succeeded in it.
func TestStageRollsBack(t *testing.T) {
	w := newWorld(t)
	w.releasing("QUEUED", "")
	w.touch("go")
	w.start()
	good := w.push(map[string]string{"p/health": "good"})
	first := w.wait("p", good, Succeeded)
	for _, health := range []string{"bad", "bad as well"} {
		failed := w.wait("p", w.push(map[string]string{"p/health": health}), Failed)
		if !strings.HasPrefix(failed.Reason, "verify: ") || !strings.HasSuffix(failed.Reason, "; stage Release is rolled back to "+good[:8]) {
			t.Errorf("reason %q", failed.Reason)
		}
		e := w.rollback(failed, Succeeded)
		// The first one again: a rollback is nothing to roll back to.
		if e.Type != "ROLLBACK" || e.RollbackTarget != first.ID || e.Commit != good || e.Subject != first.Subject || e.Trigger != "AutomatedRollback" || len(e.Stages) != 1 || !e.succeeded("Release") || len(e.Actions) != 2 {
			t.Errorf("%+v", e)
		}
		if lines := strings.Split(w.file("released"), "\n"); lines[len(lines)-1] != "good "+e.ID {
			t.Errorf("released %q, want good by %s", lines, e.ID)
		}
		if w.file("verified") != good {
			t.Errorf("verified %s, want %s", w.file("verified"), good)
		}
	}
	if got := w.file("deployed"); got != "goodbadbad as well" {
		t.Errorf("deployed %q: a rollback is of one stage", got)
	}
	w.wait("p", w.push(map[string]string{"p/health": "good again"}), Succeeded)
}

// CodePipeline's API tells a rollback from other executions, what it is to, and which one failed.
func TestAPIOfARollback(t *testing.T) {
	w := newWorld(t)
	w.releasing("QUEUED", "")
	w.touch("go")
	c := w.api()
	w.start()
	good := w.push(map[string]string{"p/health": "good"})
	first := w.wait("p", good, Succeeded)
	failed := w.wait("p", w.push(map[string]string{"p/health": "bad"}), Failed)
	e := w.rollback(failed, Succeeded)
	got := w.execution(c, e)
	if got.ExecutionType != types.ExecutionTypeRollback || aws.ToString(got.RollbackMetadata.RollbackTargetPipelineExecutionId) != first.ID || aws.ToString(got.ArtifactRevisions[0].RevisionId) != good ||
		got.Trigger.TriggerType != types.TriggerTypeAutomatedRollback || aws.ToString(got.Trigger.TriggerDetail) != `{"FailedPipelineExecutionId":"`+failed.ID+`"}` {
		t.Errorf("%+v, trigger %+v", got, got.Trigger)
	}
	// What releases reads it so.
	if back, err := release.FindRollback(t.Context(), c, "p", e.ID); err != nil || *back != (release.Rollback{To: good, From: failed.Commit}) {
		t.Errorf("%+v, %v", back, err)
	}
	if back, err := release.FindRollback(t.Context(), c, "p", failed.ID); err != nil || back != nil {
		t.Errorf("%+v, %v", back, err)
	}
	if got := w.execution(c, first); got.ExecutionType != types.ExecutionTypeStandard || got.RollbackMetadata != nil {
		t.Errorf("%+v", got)
	}
	list, err := c.ListPipelineExecutions(t.Context(), &codepipeline.ListPipelineExecutionsInput{PipelineName: aws.String("p")})
	if err != nil || len(list.PipelineExecutionSummaries) != 3 || list.PipelineExecutionSummaries[0].ExecutionType != types.ExecutionTypeRollback || list.PipelineExecutionSummaries[0].RollbackMetadata == nil {
		t.Errorf("%+v, %v", list, err)
	}
	state, stages := w.stages(c, "p")
	if last := state.StageStates[3].LatestExecution; stages[3] != "Release Succeeded Succeeded" || last.Type != types.ExecutionTypeRollback || aws.ToString(last.PipelineExecutionId) != e.ID {
		t.Errorf("%q, %+v", stages, last)
	}
	if first := state.StageStates[1].LatestExecution; aws.ToString(first.PipelineExecutionId) != failed.ID {
		t.Errorf("the rollback came to stage Plan: %+v", first)
	}
}

// What fails before anything has succeeded with the present definition just fails.
func TestNothingToRollBackTo(t *testing.T) {
	const says = "; stage Release is not rolled back: no execution of this definition has succeeded in it"
	w := newWorld(t)
	w.releasing("QUEUED", "1")
	w.touch("go")
	w.start()
	bad := w.push(map[string]string{"p/health": "bad"})
	if e := w.wait("p", bad, Failed); !strings.HasSuffix(e.Reason, says) || len(w.list()) != 1 {
		t.Errorf("reason %q, %d executions", e.Reason, len(w.list()))
	}
	w.wait("p", w.push(map[string]string{"p/health": "good"}), Succeeded)
	w.touch("broken")
	w.releasing("QUEUED", "2") // which runs it again
	if e := w.wait("p", w.git(w.repo, "rev-parse", "HEAD"), Failed); e.Trigger != "PipelineUpdated" || !strings.HasSuffix(e.Reason, says) || len(w.list()) != 3 {
		t.Errorf("%+v, %d executions", e, len(w.list()))
	}
}

func TestARollbackThatFails(t *testing.T) {
	w := newWorld(t)
	w.releasing("QUEUED", "")
	w.touch("go")
	w.start()
	w.wait("p", w.push(map[string]string{"p/health": "good"}), Succeeded)
	w.touch("broken")
	failed := w.wait("p", w.push(map[string]string{"p/health": "bad"}), Failed)
	if e := w.rollback(failed, Failed); strings.Contains(e.Reason, "rolled back") || len(w.list()) != 3 {
		t.Errorf("reason %q, %d executions: a rollback is not rolled back", e.Reason, len(w.list()))
	}
}

// The failed stage heals before another execution comes to it.
func TestARollbackGoesFirst(t *testing.T) {
	for _, mode := range []string{"QUEUED", "SUPERSEDED"} {
		t.Run(mode, func(t *testing.T) {
			w := newWorld(t)
			w.releasing(mode, "")
			w.start()
			w.wait("p", w.push(map[string]string{"p/health": "good"}), Succeeded)
			bad := w.push(map[string]string{"p/health": "bad"})
			w.wait("p", bad, InProgress)
			fixed := w.push(map[string]string{"p/health": "fixed"})
			if mode == "QUEUED" {
				w.waitStage("p", fixed, "Release")
			} else {
				w.wait("p", fixed, Queued)
			}
			w.touch("go")
			w.wait("p", fixed, Succeeded)
			var got []string
			for line := range strings.Lines(w.file("released")) {
				health, _, _ := strings.Cut(line, " ")
				got = append(got, health)
			}
			if strings.Join(got, " ") != "good bad good fixed" {
				t.Errorf("released %q", got)
			}
		})
	}
}

// What a runner before this one left is not trusted blindly.
func TestARollbackOfWhatIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		failed Status
		want   string
	}{
		"the target is forgotten":         {Failed, "execution target, to which stage Release is rolled back, is forgotten"},
		"the failure was an interruption": {Succeeded, "execution failed is Succeeded: it went on when the runner began again"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.releasing("QUEUED", "")
			now := time.Now()
			for _, e := range []*Execution{
				{ID: "failed", Pipeline: "p", Status: c.failed, Queued: now},
				{ID: "back", Pipeline: "p", Status: Queued, Type: typeRollback, RollbackTarget: "target", Failed: "failed", Stage: "Release", Mode: "QUEUED", Queued: now},
			} {
				if err := e.save(w.root); err != nil {
					t.Fatal(err)
				}
			}
			w.start()
			if e := w.rollback(&Execution{ID: "failed"}, Failed); e.Reason != c.want {
				t.Errorf("reason %q, want %q", e.Reason, c.want)
			}
		})
	}
}

func TestRollbacksThatAreRefused(t *testing.T) {
	back := &OnFailure{Result: "ROLLBACK"}
	for name, c := range map[string]struct {
		stage Stage
		mode  string
		want  string
	}{
		"of a build":     {Stage{Name: "S", OnFailure: back, Actions: []Action{{ActionTypeID: ActionType{"Build", "AWS", "CodeBuild", "1"}}}}, "QUEUED", ""},
		"of a source":    {Stage{Name: "S", OnFailure: back, Actions: []Action{{ActionTypeID: ActionType{"Source", "AWS", "CodeStarSourceConnection", "1"}}}}, "QUEUED", "a source is not rolled back"},
		"side by side":   {Stage{Name: "S", OnFailure: back}, "PARALLEL", "the pipeline is in PARALLEL mode"},
		"on a condition": {Stage{Name: "S", OnFailure: &OnFailure{Result: "ROLLBACK", Conditions: []any{1}}}, "QUEUED", "which the local pipelines do not know"},
	} {
		if got := c.stage.OnFailure.unsupported(&c.stage, c.mode); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
