//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
)

// rollsBack switches rollbacks on, pushes a commit that does not become healthy, and touches nothing until what was verified is
// back. The fix goes forward from there, and switches rollbacks off.
func (s *system) rollsBack(ctx context.Context) (string, error) {
	if err := s.configure("local", func(e map[string]any) { e["delivery"].(map[string]any)["rollback"] = true }); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Take back what does not become healthy"); err != nil {
		return "", err
	}
	st, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	good := st.Commit
	d, err := s.ghostDeployment(ctx)
	if err != nil {
		return "", err
	}
	image := d.Spec.Template.Spec.Containers[0].Image
	if err := s.edit(ghostManifest, ghostImage, missingImage); err != nil {
		return "", err
	}
	load := s.startLoad(ctx)
	pushed := s.push(ctx, "An image that does not exist")
	var took time.Duration
	switch {
	case pushed == nil:
		err = errors.New("the push succeeded")
	case !strings.Contains(pushed.Error(), "stage Release is rolled back to "+good[:8]):
		err = fmt.Errorf("the push does not say that it is rolled back: %w", pushed)
	default:
		took, err = s.heals(ctx, good, image)
	}
	total, failed := load()
	switch {
	case err != nil:
		return "", err
	case len(failed) > 0:
		return "", fmt.Errorf("%d of %d requests failed: %s", len(failed), total, failed[0])
	}
	if err := s.edit(ghostManifest, missingImage, ghostImage); err != nil {
		return "", err
	}
	if err := s.configure("local", func(e map[string]any) { delete(e["delivery"].(map[string]any), "rollback") }); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Fix the image, and take nothing back any more"); err != nil {
		return "", fmt.Errorf("the fix does not go forward from what was taken back: %w", err)
	}
	_, err = s.settled(ctx)
	return fmt.Sprintf("the rollback took %.0f s; %d requests, none failed", took.Seconds(), total), err
}

// heals waits for the rollback of the last commit, and fails unless Flux's branch is back and Ghost runs the image.
func (s *system) heals(ctx context.Context, good, image string) (time.Duration, error) {
	var back pipelines.Shown
	if err := until(ctx, 25*time.Minute, "the rollback", func() error {
		all, err := s.allExecutions(ctx)
		if err != nil {
			return err
		}
		back = all[0]
		if back.Type != "ROLLBACK" || !back.Status.Ended() {
			return fmt.Errorf("the last execution is %s of %.8s, %s", back.Trigger, back.Commit, back.Status)
		}
		return nil
	}); err != nil {
		return 0, err
	}
	if back.Status != pipelines.Succeeded || back.Commit != good || len(back.Stages) != 1 {
		return 0, fmt.Errorf("the rollback to %.8s is %s, %d stages: %s: %s", back.Commit, back.Status, len(back.Stages), back.Reason, strings.Join(back.LogTail, "\n"))
	}
	tip, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return 0, err
	}
	if tip != good {
		return 0, fmt.Errorf("released/local is at %q, want %s", tip, good)
	}
	// Verify has waited for it.
	return back.Duration(time.Now()), s.ghostRuns(ctx, image)
}
