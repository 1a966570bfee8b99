package rehearsal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system"
	"k8s-plus-aws-gitops/local/system/source"
)

// follow brings the commit by which Flux has the environment run an image that the push has built, and adds its stages: until
// then the change is merged, and nothing runs it. Where nobody commits it, as with imageUpdates pullRequest, nothing follows.
func (r *run) follow(ctx context.Context, loud *system.System, pushed system.Pushed, h *rehearsal.Half) error {
	published := slices.ContainsFunc(pushed.Executions, func(e *pipelines.Execution) bool {
		return e.Pipeline == Environment+"-"+config.ImagesPipeline && e.Status == pipelines.Succeeded
	})
	c, err := config.LoadDir(r.scratch.repo())
	if err != nil || !published {
		return err
	}
	if by := c.Environments[Environment].Delivery.ImageUpdates; by != config.ImageUpdatesCommit {
		r.note(fmt.Sprintf("the new image at work: delivery.imageUpdates is %s, so that no commit of the merge has the environment run it", by))
		return nil
	}
	var next system.Pushed
	err = r.steps(ctx, progress.Step{Name: "Flux commits the image", Run: func(ctx context.Context, out *progress.Output) error {
		next.ID, err = r.committed(ctx, pushed.ID)
		out.Result("main@%.8s", next.ID)
		return err
	}})
	if err == nil {
		err = r.awaited(ctx, loud, &next, loud.Await(ctx, &next, r.Timeout))
		h.Stages = append(h.Stages, stages(next.Executions)...)
	}
	return err
}

// committed waits until the branch has a commit on top of one, and names it.
func (r *run) committed(ctx context.Context, commit string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, r.Timeout)
	defer cancel()
	for {
		head, err := source.Head(ctx, r.system.Dir.Repository())
		if err == nil && head != commit {
			return head, nil
		}
		if pause(ctx, time.Second) != nil {
			return commit, fmt.Errorf("an image is published, and Flux has not committed its tag after %s", r.Timeout)
		}
	}
}

// awaited waits on for what was pushed, as long as there is something to answer.
func (r *run) awaited(ctx context.Context, loud *system.System, pushed *system.Pushed, err error) error {
	for err == nil && r.answer(loud, pushed.Executions) {
		if err = pause(ctx, time.Second); err == nil { // the pipelines look for answers all the time
			err = loud.Await(ctx, pushed, r.Timeout)
		}
	}
	return err
}
