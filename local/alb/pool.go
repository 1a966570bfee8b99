package alb

import (
	"context"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

// pool holds the target groups in use and checks their targets' health.
type pool struct {
	ctx    context.Context
	client *http.Client // for health checks
	log    *slog.Logger
	// onRemove is called when a target is gone: idle connections to it must not outlive it, since its address may go to
	// another pod.
	onRemove func()

	wg     sync.WaitGroup
	groups atomic.Pointer[map[string]*group] // by ARN; the map is never changed, only replaced
}

// group is a target group.
type group struct {
	arn, name string
	settings  atomic.Pointer[settings]
	targets   atomic.Pointer[[]*target] // never changed, only replaced
	next      atomic.Uint64
}

// target is a registered ip target.
type target struct {
	address string // ip:port
	health  health
	stop    context.CancelFunc
}

func newPool(ctx context.Context, d dialer, log *slog.Logger) *pool {
	p := &pool{ctx: ctx, log: log, client: newHealthClient(d), onRemove: func() {}}
	p.groups.Store(&map[string]*group{})
	return p
}

// sync makes the pool equal to the given groups and targets. Health is kept for targets that stay. Only one goroutine
// may call it.
func (p *pool) sync(groups []types.TargetGroup, targets map[string][]types.TargetDescription) {
	old, next, removed := *p.groups.Load(), map[string]*group{}, false
	for _, d := range groups {
		arn := aws.ToString(d.TargetGroupArn)
		g := old[arn]
		if g == nil {
			g = &group{arn: arn, name: aws.ToString(d.TargetGroupName)}
			g.targets.Store(&[]*target{})
		}
		s, _ := newSettings(d) // its error is among the table's problems
		g.settings.Store(&s)
		removed = p.update(g, d, targets[arn]) || removed
		next[arn] = g
	}
	p.groups.Store(&next)
	for arn, g := range old {
		if next[arn] == nil {
			removed = p.update(g, types.TargetGroup{}, nil) || removed
		}
	}
	if removed {
		p.onRemove()
	}
}

// update replaces the targets of g and reports whether one is gone.
func (p *pool) update(g *group, d types.TargetGroup, list []types.TargetDescription) (removed bool) {
	have := map[string]*target{}
	for _, t := range *g.targets.Load() {
		have[t.address] = t
	}
	var next []*target
	for _, x := range list {
		port := aws.ToInt32(x.Port)
		if port == 0 {
			port = aws.ToInt32(d.Port)
		}
		address := net.JoinHostPort(aws.ToString(x.Id), strconv.Itoa(int(port)))
		if net.ParseIP(aws.ToString(x.Id)) == nil || slices.ContainsFunc(next, func(t *target) bool { return t.address == address }) {
			continue // an instance or a function: named among the table's problems
		}
		t := have[address]
		if t == nil {
			t = p.start(g, address)
		}
		delete(have, address)
		next = append(next, t)
	}
	g.targets.Store(&next)
	for _, t := range have {
		t.stop()
		p.log.Info("target deregistered", "group", g.name, "target", t.address)
	}
	return len(have) > 0
}

func (p *pool) start(g *group, address string) *target {
	ctx, stop := context.WithCancel(p.ctx)
	t := &target{address: address, stop: stop}
	p.log.Info("target registered", "group", g.name, "target", address)
	p.wg.Go(func() { p.watch(ctx, g, t) })
	return t
}

// close ends all checks.
func (p *pool) close() {
	for _, g := range *p.groups.Load() {
		for _, t := range *g.targets.Load() {
			t.stop()
		}
	}
	p.wg.Wait()
}

// pick returns the next target of a group in turn among the healthy ones. When none is healthy, all are eligible (the
// ALB fails open: docs.aws.amazon.com/elasticloadbalancing/latest/application/target-group-health-checks.html). It
// returns nil when the group is unknown or empty.
func (p *pool) pick(arn string) (*group, *target) {
	g := (*p.groups.Load())[arn]
	if g == nil {
		return nil, nil
	}
	all := *g.targets.Load()
	if len(all) == 0 {
		return g, nil
	}
	healthy := make([]*target, 0, len(all))
	for _, t := range all {
		if t.health.ok() {
			healthy = append(healthy, t)
		}
	}
	if len(healthy) == 0 {
		healthy = all
	}
	return g, healthy[(g.next.Add(1)-1)%uint64(len(healthy))]
}

func (p *pool) state() []TargetGroupState {
	all := []TargetGroupState{}
	groups := *p.groups.Load()
	for _, arn := range slices.Sorted(maps.Keys(groups)) {
		g := groups[arn]
		s := TargetGroupState{Name: g.name, ARN: arn, Targets: []TargetState{}}
		for _, t := range *g.targets.Load() {
			state, reason := t.health.now()
			s.Targets = append(s.Targets, TargetState{Address: t.address, Health: state, Reason: reason})
		}
		slices.SortFunc(s.Targets, func(a, b TargetState) int { return strings.Compare(a.Address, b.Address) })
		all = append(all, s)
	}
	return all
}

// watch checks one target until it is gone.
func (p *pool) watch(ctx context.Context, g *group, t *target) {
	begin := time.Now()
	for {
		s := g.settings.Load()
		err := p.check(ctx, s, t)
		if ctx.Err() != nil {
			return
		}
		if t.health.observe(err, s) {
			state, reason := t.health.now()
			p.log.Info("target "+state, "group", g.name, "target", t.address, "reason", reason)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(t.health.pause(s, time.Since(begin))):
		}
	}
}
