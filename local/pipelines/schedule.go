package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// schedule starts what may run: in SUPERSEDED mode the newest execution of a
// pipeline when none runs, else all; in QUEUED mode each stage admits one at a
// time, in their order: see enter.
func (r *runner) schedule(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	queues := map[string][]*Execution{}
	busy := map[string]bool{}
	for _, e := range r.executions {
		switch {
		case e.Status.Ended():
			if len(e.news()) == 0 {
				delete(r.executions, e.ID)
			}
		case r.running[e.ID]:
			busy[e.Pipeline] = true
		default:
			queues[e.Pipeline] = append(queues[e.Pipeline], e)
		}
	}
	var problems []error
	for name, q := range queues {
		slices.SortFunc(q, func(a, b *Execution) int {
			// What was cut off goes first, then what heals: its stage is the one that failed.
			return cmp.Or(cmp.Compare(urgency(b), urgency(a)), a.Queued.Compare(b.Queued))
		})
		switch mode := q[len(q)-1].Mode; {
		case mode == "PARALLEL" || mode == "QUEUED":
			for _, e := range q {
				r.launch(ctx, e)
			}
		case urgency(q[0]) > 0:
			if !busy[name] {
				r.launch(ctx, q[0])
			}
		default:
			for _, e := range q[:len(q)-1] {
				e.Status, e.Ended, e.Reason = Superseded, time.Now(), fmt.Sprintf("superseded by %.8s", q[len(q)-1].Commit)
				problems = append(problems, e.save(r.Root))
			}
			if !busy[name] {
				r.launch(ctx, q[len(q)-1])
			}
		}
	}
	return errors.Join(problems...)
}

func urgency(e *Execution) int {
	switch {
	case e.Status == InProgress:
		return 2
	case e.Type == typeRollback:
		return 1
	}
	return 0
}

// enter waits until the executions before this one have left the stage. They
// wait at the entry of a stage in the order in which they were queued, and those
// of different stages run side by side.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
func (j *job) enter(ctx context.Context, s *Stage) error {
	e := j.execution
	for e.Mode == "QUEUED" && j.ahead(s) {
		if err := pause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// ahead reports whether an earlier execution has not left the stage.
func (j *job) ahead(s *Stage) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	place := map[string]int{}
	for i, stage := range j.pipeline.Stages {
		place[stage.Name] = i + 1
	}
	for _, other := range j.executions {
		if other.Pipeline != j.execution.Pipeline || other.Status.Ended() || other == j.execution {
			continue
		}
		if other.in(s.Name) || other.before(j.execution) && place[other.Stage] <= place[s.Name] {
			return true
		}
	}
	return false
}

// in reports whether an execution runs a stage, or waits for its window.
func (e *Execution) in(stage string) bool {
	return slices.ContainsFunc(e.Stages, func(s *StageState) bool { return s.Name == stage && (s.Status == InProgress || s.Status == Held) })
}

// before reports whether an execution goes first: what heals a stage, then what was queued earlier.
func (e *Execution) before(other *Execution) bool {
	rollback := func(e *Execution) int {
		if e.Type == typeRollback {
			return 0
		}
		return 1
	}
	return cmp.Or(cmp.Compare(rollback(e), rollback(other)), e.Queued.Compare(other.Queued), cmp.Compare(e.ID, other.ID)) < 0
}

// launch runs an execution; the caller holds the lock.
func (r *runner) launch(ctx context.Context, e *Execution) {
	r.running[e.ID] = true
	ctx, stop := context.WithCancelCause(ctx)
	r.jobs.Go(func() {
		defer stop(nil)
		defer r.watch(ctx, e, stop)()
		r.execute(ctx, e)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, e.ID)
	})
}
