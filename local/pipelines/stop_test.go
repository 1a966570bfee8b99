package pipelines

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

// While one execution deploys, the next one is planned, and waits before the stage that the first one is in.
func TestQueuedExecutionsLockStages(t *testing.T) {
	w := newWorld(t)
	w.config.Builds = 2
	w.define("p", "QUEUED", "",
		stage("Plan", w.project("plan", spec(`echo "plan $(cat p/x)" >> "$OUT/order"`))),
		stage("Deploy", w.project("deploy", spec(`echo "deploy $(cat p/x)" >> "$OUT/order"`, `until [ -e "$OUT/go" ]; do sleep 0.02; done`))))
	w.start()
	first := w.push(map[string]string{"p/x": "1"})
	w.until("order", "plan 1\ndeploy 1")
	second := w.push(map[string]string{"p/x": "2"})
	w.until("order", "plan 1\ndeploy 1\nplan 2")
	if e := w.wait("p", second, InProgress); e.action("Deploy", "deploy", "").Status != Queued {
		t.Errorf("the second execution is in the stage of the first: %+v", e.Actions)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	w.wait("p", first, Succeeded)
	w.wait("p", second, Succeeded)
	w.until("order", "plan 1\ndeploy 1\nplan 2\ndeploy 2")
}

func TestStop(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("Approve", approval("Approve")), stage("Deploy", w.project("deploy", spec(`touch "$OUT/deployed"`))))
	w.start()
	first := w.push(map[string]string{"p/1": ""})
	e := w.wait("p", first, Waiting)
	second := w.push(map[string]string{"p/2": ""})
	api := w.api()
	stop := func(abandon bool) error {
		_, err := api.StopPipelineExecution(t.Context(), &codepipeline.StopPipelineExecutionInput{
			PipelineName: aws.String("p"), PipelineExecutionId: &e.ID, Abandon: abandon, Reason: aws.String("another takes its place"),
		})
		return err
	}
	if err := stop(false); err == nil || !strings.Contains(err.Error(), "abandon must be true") {
		t.Errorf("without abandoning what runs: %v", err)
	}
	if err := stop(true); err != nil {
		t.Fatal(err)
	}
	e = w.wait("p", first, Stopped)
	if a := e.Actions[len(e.Actions)-1]; e.Reason != "another takes its place" || a.Status != Abandoned || e.Stages[len(e.Stages)-1].Status != Stopped {
		t.Errorf("%+v", e)
	}
	w.wait("p", second, Waiting) // the stage is free
	if _, err := os.Stat(filepath.Join(w.dir, "deployed")); err == nil {
		t.Error("deployed after it was stopped")
	}
	var ended *types.PipelineExecutionNotStoppableException
	if err := stop(true); !errors.As(err, &ended) {
		t.Errorf("stopped twice: %v", err)
	}
}

// What StartPipelineExecution returns is the execution that then runs, for the end of the branch.
func TestStart(t *testing.T) {
	w := newWorld(t)
	w.define("p", "QUEUED", "", stage("Deploy", w.project("deploy", spec(`echo deployed >> "$OUT/order"`))))
	w.start()
	commit := w.push(map[string]string{"p/1": ""})
	first := w.wait("p", commit, Succeeded)
	out, err := w.api().StartPipelineExecution(t.Context(), &codepipeline.StartPipelineExecutionInput{Name: aws.String("p")})
	if err != nil {
		t.Fatal(err)
	}
	w.until("order", "deployed\ndeployed")
	all, err := List(w.config.Root)
	if err != nil || len(all) != 2 || all[0].ID != aws.ToString(out.PipelineExecutionId) || all[0].ID == first.ID || all[0].Commit != commit {
		t.Errorf("started %s, %v: %+v", aws.ToString(out.PipelineExecutionId), err, all)
	}
}
