package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// schedule starts what may run: in QUEUED mode the oldest execution of a
// pipeline when none runs, in SUPERSEDED mode the newest, in PARALLEL mode all.
func (r *runner) schedule(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	queues := map[string][]*Execution{}
	busy := map[string]bool{}
	for _, e := range r.executions {
		switch {
		case e.Status.Ended():
			delete(r.executions, e.ID)
		case r.running[e.ID]:
			busy[e.Pipeline] = true
		default:
			queues[e.Pipeline] = append(queues[e.Pipeline], e)
		}
	}
	var problems []error
	for name, q := range queues {
		slices.SortFunc(q, func(a, b *Execution) int {
			return cmp.Or(cmp.Compare(started(b), started(a)), a.Queued.Compare(b.Queued)) // what was cut off goes first
		})
		switch mode := q[len(q)-1].Mode; {
		case mode == "PARALLEL":
			for _, e := range q {
				r.launch(ctx, e)
			}
		case mode == "QUEUED" || q[0].Status == InProgress:
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

func started(e *Execution) int {
	if e.Status == InProgress {
		return 1
	}
	return 0
}

// launch runs an execution; the caller holds the lock.
func (r *runner) launch(ctx context.Context, e *Execution) {
	r.running[e.ID] = true
	r.jobs.Go(func() {
		r.execute(ctx, e)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.running, e.ID)
	})
}
