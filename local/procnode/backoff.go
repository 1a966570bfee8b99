package procnode

import (
	"context"
	"time"
)

// backoff grows the pause between attempts. A kubelet waits 10 s, doubling to 5 min, and forgets after 10 min of a good run
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy). Here the same shape runs ten times as
// fast, because a person waits for it.
type backoff struct {
	first, most, forget time.Duration
	// immediate lets the first attempt after a good run start at once, as a kubelet restarts a container that crashed once.
	immediate bool
	current   time.Duration
	attempts  int
}

func crashBackoff() *backoff {
	return &backoff{first: time.Second, most: 30 * time.Second, forget: time.Minute, immediate: true}
}

func pullBackoff() *backoff {
	return &backoff{first: 2 * time.Second, most: 30 * time.Second}
}

// next returns the pause after an attempt that ran for the given time.
func (b *backoff) next(ran time.Duration) time.Duration {
	if b.forget > 0 && ran >= b.forget {
		b.attempts, b.current = 0, 0
	}
	b.attempts++
	if b.immediate && b.attempts == 1 {
		return 0
	}
	if b.current == 0 {
		b.current = b.first
	} else {
		b.current = min(b.current*2, b.most)
	}
	return b.current
}

// sleep waits and says whether the context is still alive.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
