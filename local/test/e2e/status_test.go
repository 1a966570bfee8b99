//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	commitstatus "k8s-plus-aws-gitops/internal/status"
)

// stages waits until the last release is all there: Flux may have committed an image's tag, and that is on its way.
func (s *system) stages(ctx context.Context) (said string, err error) {
	err = until(ctx, 15*time.Minute, "the stages of the last release", func() (err error) {
		said, err = s.lastStages(ctx)
		return err
	})
	return said, err
}

// lastStages asks the way that leads to AWS, too: by the SDK, for CodePipeline's executions.
func (s *system) lastStages(ctx context.Context) (string, error) {
	out, err := s.gitops(ctx, "status", "local", "--output", "json")
	if err != nil {
		return "", err
	}
	var now commitstatus.Status
	if err := json.Unmarshal([]byte(out), &now); err != nil {
		return "", err
	}
	if now.State != commitstatus.Verified || now.Pipeline == nil || now.Pipeline.Commit != now.Commit || now.Pipeline.Status != "Succeeded" {
		return "", fmt.Errorf("commit %s is %s: %s; pipeline %+v", now.Commit, now.State, now.Cause, now.Pipeline)
	}
	got := map[string]commitstatus.StageState{}
	for _, stage := range now.Pipeline.Stages {
		got[stage.Name] = stage.State
	}
	for name, want := range map[string]commitstatus.StageState{"Source": commitstatus.Passed, "Plan": commitstatus.Passed, "Test": commitstatus.Passed, "Network": commitstatus.Skipped, "Release": commitstatus.Passed} {
		if got[name] != want {
			return "", fmt.Errorf("stage %s is %q, want %s: %+v", name, got[name], want, now.Pipeline)
		}
	}
	return fmt.Sprintf("%d stages, %d stacks, %d objects of Flux", len(now.Pipeline.Stages), len(now.Stacks), len(now.Objects)), nil
}
