//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
)

// created waits until the pipelines of the new system ran once, each for the commit that `local up` deployed, and until
// Ghost runs the image that one of them made. Flux's commit of its tag would fall into the steps that follow.
func (s *system) created(ctx context.Context) error {
	want := []string{"local-deploy", "local-dockerbuild", "local-review", "local-services"}
	if err := until(ctx, 30*time.Minute, "the first execution of each pipeline", func() error {
		all, err := s.allExecutions(ctx)
		var got []string
		for _, e := range all {
			if e.Trigger == "CreatePipeline" && e.Status == pipelines.Succeeded {
				got = append(got, e.Pipeline)
			}
		}
		slices.Sort(got)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%q succeeded, want %q: %s", got, want, shown(all))
		}
		return err
	}); err != nil {
		return err
	}
	return until(ctx, 15*time.Minute, "Ghost to run the first image of the pipeline", func() error {
		d, err := s.ghostDeployment(ctx)
		if err != nil {
			return err
		}
		image := d.Spec.Template.Spec.Containers[0].Image
		if !strings.HasPrefix(image, ghostImages) {
			return fmt.Errorf("the Deployment has %s, want one of %s", image, ghostImages)
		}
		return s.ghostRuns(ctx, image)
	})
}

// allExecutions, the newest first.
func (s *system) allExecutions(ctx context.Context) ([]pipelines.Shown, error) {
	out, err := s.gitops(ctx, "local", "pipelines", "--output", "json", "--lines", "-1")
	if err != nil {
		return nil, err
	}
	var all []pipelines.Shown
	return all, json.Unmarshal([]byte(out), &all)
}

// executions of a commit, in the order in which they began.
func (s *system) executions(ctx context.Context, commit string) ([]pipelines.Shown, error) {
	all, err := s.allExecutions(ctx)
	if err != nil {
		return nil, err
	}
	var mine []pipelines.Shown
	for _, e := range slices.Backward(all) {
		if e.Commit == commit {
			mine = append(mine, e)
		}
	}
	return mine, nil
}

// ran fails unless the executions of the repository's last commit are the
// given ones, each "<pipeline> <status>".
func (s *system) ran(ctx context.Context, want ...string) ([]pipelines.Shown, error) {
	st, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.executions(ctx, st.Commit)
	var got []string
	for _, e := range all {
		got = append(got, fmt.Sprintf("%s %s", strings.TrimPrefix(e.Pipeline, "local-"), e.Shown()))
	}
	slices.Sort(got)
	slices.Sort(want)
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("%.8s ran %q, want %q", st.Commit, got, want)
	}
	return all, err
}

// skipsStages fails unless an execution skipped exactly these stages.
func skipsStages(e pipelines.Shown, want ...string) error {
	if got := e.Skipped(); !slices.Equal(got, want) {
		return fmt.Errorf("%s skipped %q, want %q", e.Pipeline, got, want)
	}
	return nil
}

// took lists how long executions took, and their stages, from the first action's begin to the last one's end.
func took(all []pipelines.Shown) string {
	var parts []string
	for _, e := range all {
		var stages []string
		for _, st := range e.Stages {
			if d := e.StageTook(st.Name); d >= time.Second {
				stages = append(stages, fmt.Sprintf("%s %.0f", st.Name, d.Seconds()))
			}
		}
		parts = append(parts, fmt.Sprintf("%s %.0f s: %s", e.Pipeline, e.Duration(time.Now()).Seconds(), strings.Join(stages, ", ")))
	}
	return strings.Join(parts, "; ")
}

// ranAtLeast is like ran, but there may be other executions.
func (s *system) ranAtLeast(ctx context.Context, want []string) ([]pipelines.Shown, error) {
	st, err := s.status(ctx)
	if err != nil {
		return nil, err
	}
	all, err := s.executions(ctx, st.Commit)
	if err != nil {
		return nil, err
	}
	for _, w := range want {
		if !slices.ContainsFunc(all, func(e pipelines.Shown) bool {
			return w == fmt.Sprintf("%s %s", strings.TrimPrefix(e.Pipeline, "local-"), e.Shown())
		}) {
			return nil, fmt.Errorf("no execution is %s: %s", w, took(all))
		}
	}
	return all, nil
}
