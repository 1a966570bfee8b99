//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
)

// freeze freezes the days around this one: a commit with both halves waits, is let through, and arrives.
func (s *system) freeze(ctx context.Context) (string, error) {
	today := time.Now().UTC()
	dates := today.AddDate(0, 0, -2).Format(time.DateOnly) + "/" + today.AddDate(0, 0, 2).Format(time.DateOnly)
	if err := s.configure("local", func(e map[string]any) {
		e["delivery"].(map[string]any)["window"] = map[string]any{"frozen": []string{dates}}
	}); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Freeze changes"); err != nil {
		return "", err
	}
	// It changed the pipeline, whose next execution is the first in the freeze.
	if err := s.letThrough(ctx, "deploy WaitingForApproval", "deploy Cancelled"); err != nil {
		return "", err
	}
	before, err := s.git(ctx, s.dir.Repository(), "rev-parse", released)
	if err != nil {
		return "", err
	}
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	if err := s.push(ctx, "A change of both halves in a freeze"); err != nil {
		return "", err
	}
	all, err := s.ran(ctx, "deploy WaitingForApproval")
	if err != nil {
		return "", err
	}
	if now, err := s.git(ctx, s.dir.Repository(), "rev-parse", released); err != nil || now != before {
		return "", fmt.Errorf("a commit was released in a freeze: %s, %w", now, err)
	}
	if err := s.hasBoth(ctx, sets-1, days-1); err != nil {
		return "", fmt.Errorf("a commit was deployed in a freeze: %w", err)
	}
	if err := s.letThrough(ctx, "deploy WaitingForApproval"); err != nil {
		return "", err
	}
	if err := until(ctx, 15*time.Minute, "both halves of the commit", func() error { return s.hasBoth(ctx, sets, days) }); err != nil {
		return "", err
	}
	if err := s.configure("local", func(e map[string]any) { delete(e["delivery"].(map[string]any), "window") }); err != nil {
		return "", err
	}
	if err := s.push(ctx, "End the freeze"); err != nil {
		return "", err
	}
	if err := s.letThrough(ctx, "deploy WaitingForApproval"); err != nil {
		return "", err
	}
	_, err = s.settled(ctx)
	return took(all), err
}

// letThrough waits until the last commit has executions like these, approves what waits, and waits until it is deployed.
func (s *system) letThrough(ctx context.Context, waiting ...string) error {
	if err := until(ctx, 15*time.Minute, "the commit to wait for an approval in the freeze", func() error {
		_, err := s.ranAtLeast(ctx, waiting)
		return err
	}); err != nil {
		return err
	}
	if _, err := s.gitops(ctx, "local", "approve", "local-deploy", "--message", "cannot wait"); err != nil {
		return err
	}
	var all []pipelines.Shown
	if err := until(ctx, 15*time.Minute, "the approved deployment", func() (err error) {
		all, err = s.ranAtLeast(ctx, []string{"deploy Succeeded"})
		return err
	}); err != nil {
		return err
	}
	if !slices.ContainsFunc(all, func(e pipelines.Shown) bool {
		return slices.ContainsFunc(e.Actions, func(a *pipelines.ActionState) bool {
			return a.Stage == "Frozen" && strings.HasSuffix(a.Reason, ": cannot wait")
		})
	}) {
		return fmt.Errorf("no execution says who let it through and why: %s", took(all))
	}
	return nil
}
