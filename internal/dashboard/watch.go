package dashboard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s-plus-aws-gitops/internal/status"
)

// Look reads an environment once.
type Look func(ctx context.Context, q Question) (*Environment, error)

// Pace says how often an environment is looked at.
type Pace struct {
	// Every is the pause between two looks while somebody watches.
	Every time.Duration
	// Idle is how long after the last request somebody still counts as watching.
	Idle time.Duration
	// Limit is how long one look may take.
	Limit time.Duration
}

// slowest is the longest pause after looks that failed.
const slowest = 2 * time.Minute

// Watch looks at one environment for all who watch it: once in each pause, less often while it cannot be read, and not at all
// while nobody asks.
type Watch struct {
	Name string
	Look Look
	Pace Pace

	mu      sync.Mutex
	running bool
	asked   time.Time            // when somebody asked last
	details map[string]time.Time // when somebody asked last for an application
	seen    Seen
	failed  int           // looks in a row
	looked  time.Time     // when the last look ended
	renewed chan struct{} // closed when there is something newer
	wake    chan struct{} // a request for what the last look did not have
	runs    sync.WaitGroup

	priced   string // the stacks that the price is of
	price    *Price
	unpriced string // why there is none
}

// Seen is what is known of an environment.
type Seen struct {
	// Environment of the last look that succeeded; nil before the first.
	Environment *Environment
	// Failure is why the last look failed; empty when it did not.
	Failure string
}

// has reports whether there is an answer for an application's page; "" stands for the page of all.
func (s Seen) has(application string) bool {
	if s.Environment == nil || application == "" {
		return s.Environment != nil || s.Failure != ""
	}
	_, there := s.Environment.Details[application]
	return there || s.Failure != ""
}

// Get returns what is known, and has the environment looked at for the next while.
func (w *Watch) Get(ctx context.Context, application string) Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want(ctx, application)
	return w.seen
}

// Wait returns what is known as soon as something is, or when the context is done.
func (w *Watch) Wait(ctx, looks context.Context, application string) Seen {
	for {
		w.mu.Lock()
		w.want(looks, application)
		seen, renewed := w.seen, w.renewed
		old := w.failed == 0 && time.Since(w.looked) > w.Pace.Every+w.Pace.Idle // of before everybody left
		w.mu.Unlock()
		if !old && seen.has(application) {
			return seen
		}
		select {
		case <-renewed:
		case <-ctx.Done():
			return seen
		}
	}
}

// want notes that somebody watches. The caller holds the lock.
func (w *Watch) want(ctx context.Context, application string) {
	now := time.Now()
	w.asked = now
	if w.details == nil {
		w.details, w.renewed, w.wake = map[string]time.Time{}, make(chan struct{}), make(chan struct{}, 1)
	}
	if application != "" {
		_, known := w.details[application]
		w.details[application] = now
		if !known {
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	}
	if !w.running && ctx.Err() == nil {
		w.running = true
		w.runs.Go(func() { w.run(ctx) })
	}
}

// run looks again and again until nobody watches.
func (w *Watch) run(ctx context.Context) {
	w.mu.Lock()
	rest := time.Until(w.looked.Add(w.pause()))
	if behind := w.behind(); behind && w.failed == 0 {
		rest = 0
	}
	w.mu.Unlock()
	for {
		if !w.sleep(ctx, rest) {
			return
		}
		w.look(ctx)
		w.mu.Lock()
		rest = w.pause()
		w.mu.Unlock()
	}
}

// sleep waits, and returns false when it was the last time. A new application is read at once, but after failures.
func (w *Watch) sleep(ctx context.Context, rest time.Duration) bool {
	end := time.NewTimer(max(0, rest))
	defer end.Stop()
	for waiting := true; waiting; {
		select {
		case <-ctx.Done():
			return w.stop(true)
		case <-w.wake:
			w.mu.Lock()
			behind := w.behind()
			waiting = !behind || w.failed > 0
			w.mu.Unlock()
		case <-end.C:
			waiting = false
		}
	}
	return w.stop(false)
}

// stop ends the looks when nobody watches any more. It returns whether they go on.
func (w *Watch) stop(now bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now || time.Since(w.asked) > w.Pace.Idle {
		w.running = false
		clear(w.details)
	}
	return w.running
}

// behind reports whether an application is wanted that was not read. The caller holds the lock.
func (w *Watch) behind() bool {
	for name := range w.details {
		if w.seen.Environment == nil {
			return true
		}
		if _, there := w.seen.Environment.Details[name]; !there {
			return true
		}
	}
	return false
}

// pause doubles with each failure. The caller holds the lock.
func (w *Watch) pause() time.Duration {
	pause := w.Pace.Every
	for range min(w.failed, 10) {
		pause *= 2
	}
	return min(pause, max(slowest, w.Pace.Every))
}

func (w *Watch) look(ctx context.Context) {
	w.mu.Lock()
	maps.DeleteFunc(w.details, func(_ string, asked time.Time) bool { return time.Since(asked) > w.Pace.Idle })
	q := Question{Applications: slices.Sorted(maps.Keys(w.details)), Price: w.seen.Environment == nil || w.priced != stackKey(w.seen.Environment)}
	w.mu.Unlock()
	looking, cancel := context.WithTimeoutCause(ctx, w.Pace.Limit, fmt.Errorf("it took longer than %s", w.Pace.Limit))
	defer cancel()
	env, err := w.Look(looking, q)
	if err != nil && looking.Err() != nil {
		err = context.Cause(looking)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = time.Now()
	switch {
	case err != nil:
		w.failed++
		w.seen.Failure = line(err)
	default:
		if w.failed++; reached(env) {
			w.failed = 0
		}
		w.remember(env, q)
		w.seen = Seen{Environment: env}
	}
	close(w.renewed)
	w.renewed = make(chan struct{})
}

// remember keeps the price of the stacks, or why there is none, as long as they are the same.
func (w *Watch) remember(env *Environment, q Question) {
	if q.Price {
		w.priced, w.price, w.unpriced = stackKey(env), env.Price, env.Unread[partPrice]
	}
	if !q.Price && w.priced == stackKey(env) {
		if env.Price = w.price; w.unpriced != "" {
			env.Unread[partPrice] = w.unpriced
		}
	}
}

// stackKey is another one after each operation on a stack.
func stackKey(env *Environment) string {
	if env.Status == nil {
		return ""
	}
	return fmt.Sprint(env.Status.Stacks)
}

// reached reports whether the account or the cluster answered: where neither does, asking as often helps nobody.
func reached(env *Environment) bool {
	return env.Unread[string(status.PartStacks)] == "" || env.Unread[string(status.PartCluster)] == ""
}
