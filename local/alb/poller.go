package alb

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

const (
	defaultPoll = time.Second
	// slowFactor times the poll is the pause between two looks at load balancers, listeners and rules while nothing
	// changes; they are most of the calls.
	slowFactor = 5
	// awakeFactor times the poll is how long after a change everything is looked at in each round.
	awakeFactor = 30
	// longestBackOff bounds the pause while the API does not answer.
	longestBackOff = 5 * time.Second
	// roundTimeout bounds one round of calls.
	roundTimeout = 15 * time.Second
)

// poller keeps the table and the pool equal to the state in the AWS API. When the API does not answer, the last good
// state stays.
//
// One round is 1 call for all target groups, one per group in use, and — after a change and every few seconds — one for
// all load balancers, one per load balancer and one per listener.
type poller struct {
	client api
	pool   *pool
	every  time.Duration
	log    *slog.Logger

	table atomic.Pointer[table]

	mu      sync.Mutex
	updated time.Time
	failure error

	// owned by the polling goroutine
	structure structure
	looked    time.Time // when the structure was read; zero: read it now
	changed   time.Time // when anything last changed
	prints    [3]string // fingerprints of structure, groups, targets
}

func newPoller(c api, p *pool, every time.Duration, log *slog.Logger) *poller {
	if every <= 0 {
		every = defaultPoll
	}
	o := &poller{client: c, pool: p, every: every, log: log}
	o.table.Store(&table{})
	return o
}

func (p *poller) run(ctx context.Context) {
	pause := p.every
	for {
		err := p.round(ctx)
		if ctx.Err() != nil {
			return
		}
		p.report(err)
		if err == nil {
			pause = p.every
		} else {
			pause = min(2*pause, longestBackOff)
			p.looked = time.Time{} // who knows what it is when it comes back
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// report logs the beginning and the end of an outage, not each failure of it.
func (p *poller) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil && p.failure == nil:
		p.log.Warn("the ELBv2 API does not answer; the last known state serves on", "error", err)
	case err == nil && p.failure != nil:
		p.log.Info("the ELBv2 API answers again")
	}
	p.failure = err
	if err == nil {
		p.updated = time.Now()
	}
}

func (p *poller) status() (*table, time.Time, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.table.Load(), p.updated, p.failure
}

// round reads what is due and applies it. Targets are applied before the rules that lead to them.
func (p *poller) round(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, roundTimeout)
	defer cancel()
	now := time.Now()
	due := now.Sub(p.looked) >= slowFactor*p.every || now.Sub(p.changed) < awakeFactor*p.every
	var groups []types.TargetGroup
	var err error
	if !due {
		if groups, err = readGroups(ctx, p.client); err != nil {
			return err
		}
		due = fingerprint(groups) != p.prints[1] // a new Ingress starts with a new group
	}
	if due {
		if p.structure, err = readStructure(ctx, p.client); err != nil {
			return err
		}
		// Groups after rules: each group that a rule names is there.
		if groups, err = readGroups(ctx, p.client); err != nil {
			return err
		}
		p.looked = now
	}
	return p.apply(ctx, now, groups)
}

func (p *poller) apply(ctx context.Context, now time.Time, groups []types.TargetGroup) error {
	next := p.table.Load()
	prints := [3]string{fingerprint(p.structure), fingerprint(groups), ""}
	if prints[0] != p.prints[0] || prints[1] != p.prints[1] {
		next = compile(p.structure, groups)
	}
	targets := map[string][]types.TargetDescription{}
	groups = slices.DeleteFunc(groups, func(g types.TargetGroup) bool { return !next.uses[aws.ToString(g.TargetGroupArn)] })
	for _, g := range groups {
		arn := aws.ToString(g.TargetGroupArn)
		var err error
		if targets[arn], err = readTargets(ctx, p.client, arn); err != nil {
			return err
		}
	}
	prints[2] = fingerprint(targets)
	if prints != p.prints {
		p.changed, p.prints = now, prints
	}
	p.pool.sync(groups, targets)
	if old := p.table.Swap(next); !slices.Equal(old.problems, next.problems) {
		for _, s := range next.problems {
			p.log.Warn("not served as on AWS", "what", s)
		}
	}
	return nil
}

// fingerprint is a text that differs when v does. Map keys are sorted by encoding/json.
func fingerprint(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return time.Now().String() // never equal: the state is applied again, which is harmless
	}
	return string(b)
}
