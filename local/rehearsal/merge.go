package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system"
)

// mergeAndRevert is the rehearsal itself. What breaks is written into the result; an error is of the rehearsal.
func (r *run) mergeAndRevert(ctx context.Context, merges []merge) error {
	var err error
	r.published = r.change.base
	subjects := make([]string, len(merges))
	for i, m := range merges {
		subjects[i] = m.subject
		into, phase := &r.result.Merge, rehearsal.Merge
		if i > 0 {
			if into.State != rehearsal.Succeeded { // what is merged on top of it would say nothing of the two
				break
			}
			r.result.Second = &rehearsal.Half{}
			into, phase = r.result.Second, rehearsal.Second
		}
		r.watch.Phase(phase)
		if *into, err = r.bring(ctx, m.commit, "Rehearse: "+m.subject); err != nil {
			return err
		}
	}
	r.watch.Phase(rehearsal.Hold)
	began := time.Now()
	hold := progress.Step{Name: "Hold the change", Run: func(ctx context.Context, _ *progress.Output) error { return pause(ctx, r.Hold) }}
	if err := r.steps(ctx, hold); err != nil {
		return err
	}
	if err := r.watch.Look(ctx); err != nil {
		return err
	}
	r.result.HeldSeconds = time.Since(began).Seconds()
	r.watch.Phase(rehearsal.Revert)
	if r.result.Revert, err = r.bring(ctx, r.change.base, "Revert: "+strings.Join(subjects, "; ")); err != nil {
		return err
	}
	r.watch.Phase(rehearsal.After)
	return r.steps(ctx, progress.Step{Name: "Compare with the base", Run: func(ctx context.Context, out *progress.Output) error {
		// Verify waits for the platform. What does not come back the last look tells.
		limited, cancel := context.WithTimeout(ctx, comingBack)
		defer cancel()
		if err := r.whole(limited, 0, out); err != nil && ctx.Err() == nil {
			out.Result("%v", cause(err))
		}
		return pause(ctx, baseline)
	}})
}

// comingBack is how long services may take to be there again after the revert: a namespace that the change removed takes a minute.
const comingBack = 3 * time.Minute

// bring pushes the content of a commit as a merge would, and waits until both halves have it. What the environment's people would
// answer, an approval or a window, the rehearsal answers.
func (r *run) bring(ctx context.Context, commit, message string) (rehearsal.Half, error) {
	var h rehearsal.Half
	if err := r.scratch.checkout(ctx, commit); err != nil {
		return h, err
	}
	loud := *r.system
	loud.Display = r.Display
	began := time.Now()
	pushed, err := loud.Push(ctx, system.PushOptions{Message: message, Timeout: r.Timeout})
	err = r.awaited(ctx, &loud, &pushed, err)
	h.Commit, h.Stages = pushed.ID, stages(pushed.Executions)
	if err == nil {
		err = r.follow(ctx, &loud, pushed, &h)
	}
	if ctx.Err() != nil {
		return h, ctx.Err()
	}
	if err == nil && !pushed.Unchanged() && len(pushed.Executions) == 0 {
		r.note("a deployment: no pipeline of " + r.Environment + " starts for these files")
	}
	if h.State = rehearsal.Succeeded; err != nil {
		h.State, h.Cause = rehearsal.Failed, cause(err)
	} else {
		stage, err := r.release(ctx, commit, pushed.ID)
		if err != nil {
			return h, err
		}
		if stage != nil {
			h.Stages, h.State, h.Cause = append(h.Stages, *stage), stage.State, stage.Cause
		}
	}
	h.Seconds = time.Since(began).Seconds()
	return h, nil
}

// answer approves what waits, and reports whether anything did.
func (r *run) answer(s *system.System, all []*pipelines.Execution) bool {
	answered := false
	for _, e := range all {
		switch e.Shown() {
		case pipelines.Waiting:
			_, a, err := s.Approve(e.Pipeline, true, "a rehearsal")
			if err != nil {
				continue // somebody else did
			}
			answered = true
			r.note(fmt.Sprintf("who approves: the rehearsal approved %s of %s itself", a.Name, e.Pipeline))
		case pipelines.Held:
			_, stage, err := s.Override(e.Pipeline, "a rehearsal")
			if err != nil {
				continue
			}
			answered = true
			r.note(fmt.Sprintf("the window: the rehearsal let %s enter %s before it opened", e.Pipeline, stage.Name))
		}
	}
	return answered
}

// note adds to what the result cannot show, once.
func (r *run) note(text string) {
	for _, have := range r.notes {
		if have == text {
			return
		}
	}
	r.notes = append(r.notes, text)
}

// stages are those that executions came to: the deployment's by their names, those of other pipelines with the pipeline's.
func stages(all []*pipelines.Execution) []rehearsal.Stage {
	var out []rehearsal.Stage
	for i := len(all) - 1; i >= 0; i-- { // the newest is first
		e := all[i]
		prefix := strings.TrimPrefix(e.Pipeline, Environment+"-") + " "
		if prefix == config.DeployPipeline+" " {
			prefix = ""
		}
		for _, s := range e.Stages {
			stage := stageOf(e, s)
			stage.Name = prefix + stage.Name
			out = append(out, stage)
		}
	}
	return out
}

func stageOf(e *pipelines.Execution, s *pipelines.StageState) rehearsal.Stage {
	stage := rehearsal.Stage{Name: s.Name, Seconds: e.StageTook(s.Name).Seconds()}
	switch s.Status {
	case pipelines.Succeeded:
		stage.State = rehearsal.Succeeded
	case pipelines.Skipped:
		stage.State = rehearsal.Skipped
	case pipelines.Failed, pipelines.Stopped, pipelines.Cancelled, pipelines.Superseded:
		stage.State, stage.Cause = rehearsal.Failed, s.Reason
		for _, a := range e.Actions {
			if a.Stage == s.Name && a.Status == pipelines.Failed {
				stage.Cause = a.Name + ": " + a.Reason
				break
			}
		}
	}
	return stage
}

// cause is an error without the names of the steps that it came through.
func cause(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		if all := joined.Unwrap(); len(all) > 0 {
			return cause(all[0])
		}
	}
	var step *progress.Error
	if errors.As(err, &step) {
		return cause(step.Err)
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
