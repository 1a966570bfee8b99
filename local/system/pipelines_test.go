package system

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/pipelines"
)

func TestVerdict(t *testing.T) {
	at := time.Unix(0, 0)
	e := func(name string, status pipelines.Status, actions ...*pipelines.ActionState) *pipelines.Execution {
		return &pipelines.Execution{Pipeline: name, Status: status, Started: at, Ended: at.Add(12 * time.Second), Actions: actions, Reason: "it broke"}
	}
	var result string
	run := func(all ...*pipelines.Execution) error {
		var err error
		steps := []progress.Step{{Name: "Pipelines", Run: func(_ context.Context, out *progress.Output) error { err = verdict(all, out); return nil }}}
		var b strings.Builder
		d := progress.New(&b)
		if rerr := (progress.Runner{Display: d}).Run(t.Context(), steps); rerr != nil {
			t.Fatal(rerr)
		}
		d.Close()
		result = b.String()
		return err
	}
	if err := run(); err != nil || !strings.Contains(result, "none starts") {
		t.Errorf("%v, %s", err, result)
	}
	if err := run(e("b", pipelines.Succeeded), e("a", pipelines.Cancelled)); err != nil || !strings.Contains(result, "a cancelled, b 12") {
		t.Errorf("%v, %s", err, result)
	}
	skipping := e("a", pipelines.Succeeded)
	skipping.Stages = []*pipelines.StageState{{Name: "Plan", Status: pipelines.Succeeded}, {Name: "Network", Status: pipelines.Skipped}, {Name: "Cluster", Status: pipelines.Skipped}}
	if err := run(skipping); err != nil || !strings.Contains(result, "(Network, Cluster skipped)") {
		t.Errorf("%v, %s", err, result)
	}
	held := e("c", pipelines.InProgress)
	held.Stages = []*pipelines.StageState{{Name: "Window", Status: pipelines.Held, Reason: "opens Mon 2026-01-05 09:00 CET"}}
	if err := run(held); err != nil || !strings.Contains(result, "c waits for its window, which opens Mon 2026-01-05 09:00 CET") {
		t.Errorf("%v, %s", err, result)
	}
	err := run(e("b", pipelines.Failed, &pipelines.ActionState{Status: pipelines.Failed, Log: "/x.log"}), e("a", pipelines.InProgress, &pipelines.ActionState{Status: pipelines.Waiting}))
	if err == nil || err.Error() != "b: it broke (/x.log)" || !strings.Contains(result, "a waits for `gitops local approve`") {
		t.Errorf("%v, %s", err, result)
	}
}

func TestReleaseAndApproveNeedARunningSystem(t *testing.T) {
	s := newSystem(t)
	if err := s.Release("local-deploy"); !errors.Is(err, errStopped) {
		t.Errorf("release: %v", err)
	}
	if _, _, err := s.Approve("", true, ""); !errors.Is(err, errStopped) {
		t.Errorf("approve: %v", err)
	}
	if _, _, err := s.Override("", ""); !errors.Is(err, errStopped) {
		t.Errorf("override: %v", err)
	}
}
