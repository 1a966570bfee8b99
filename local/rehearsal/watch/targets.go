package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/alb"
)

// bindings are made by the AWS Load Balancer Controller, one for each Service behind a rule.
var bindings = schema.GroupVersionResource{Group: "elbv2.k8s.aws", Version: "v1beta1", Resource: "targetgroupbindings"}

// targets are the target groups in which no target passed its health check for a while.
type targets struct {
	mu  sync.Mutex
	all map[string]*unhealthy // by ARN
}

// unhealthy is a group's longest time without a healthy target. A moment in the merge and another in the revert are no long one.
type unhealthy struct {
	where  rehearsal.Where
	reason string
	base   bool
	// since is when the present time began; zero while a target is healthy.
	since, longest time.Time
	took           time.Duration
}

// watchTargets asks the load balancer until the context ends.
func (w *Watch) watchTargets(ctx context.Context) {
	for pause(ctx, time.Second) {
		if err := w.pollTargets(ctx); err != nil && ctx.Err() == nil {
			w.unseen("the load balancer's targets for a while", err)
		}
	}
}

// pollTargets notes the groups of which every target fails its health check. A load balancer of AWS then asks all of them, so that
// users notice nothing, and pods that come are never ready.
func (w *Watch) pollTargets(ctx context.Context) error {
	state, err := w.balancer(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	phase, _ := w.times.at(now)
	for _, group := range state.TargetGroups {
		reason, failing := allFail(group)
		if !failing {
			w.targets.end(group.ARN)
			continue
		}
		where, err := w.boundTo(ctx, group)
		if err != nil {
			return err
		}
		w.targets.note(group.ARN, where, reason, now, phase == rehearsal.Before)
	}
	return nil
}

// allFail reports whether a group has targets, and all of them fail; the reason is of the first.
func allFail(g alb.TargetGroupState) (reason string, failing bool) {
	for _, t := range g.Targets {
		if t.Health != alb.Unhealthy {
			return "", false
		}
	}
	if len(g.Targets) == 0 {
		return "", false
	}
	return g.Targets[0].Reason, true
}

// boundTo is the Service whose pods a group has; the group's own name where none says so any more.
func (w *Watch) boundTo(ctx context.Context, g alb.TargetGroupState) (rehearsal.Where, error) {
	list, err := w.flux.Dynamic.Resource(bindings).List(ctx, metav1.ListOptions{})
	if err != nil {
		return rehearsal.Where{}, err
	}
	for _, b := range list.Items {
		if arn, _, _ := unstructured.NestedString(b.Object, "spec", "targetGroupARN"); arn == g.ARN {
			service, _, _ := unstructured.NestedString(b.Object, "spec", "serviceRef", "name")
			return rehearsal.Where{Namespace: b.GetNamespace(), Kind: "Service", Name: service}, nil
		}
	}
	return rehearsal.Where{Kind: "TargetGroup", Name: g.Name}, nil
}

func (t *targets) note(arn string, where rehearsal.Where, reason string, now time.Time, base bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]*unhealthy{}
	}
	u := t.all[arn]
	if u == nil {
		u = &unhealthy{where: where, reason: reason, base: base}
		t.all[arn] = u
	}
	if u.since.IsZero() {
		u.since = now
	}
	if took := now.Sub(u.since); u.longest.IsZero() || took > u.took {
		u.longest, u.took = u.since, took
	}
}

func (t *targets) end(arn string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.all[arn]; u != nil {
		u.since = time.Time{}
	}
}

// result is what was unhealthy after the base, and not with it.
func (t *targets) result(times *timeline) []rehearsal.Unhealthy {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []rehearsal.Unhealthy
	for _, arn := range sorted(t.all) {
		u := t.all[arn]
		if phase, _ := times.at(u.longest); !u.base {
			all = append(all, rehearsal.Unhealthy{Where: u.where, Phase: phase, Seconds: u.took.Seconds(), Reason: u.reason})
		}
	}
	return all
}

// balancerState asks the local load balancer for its state.
func balancerState(ctx context.Context, client *http.Client, url string) (alb.State, error) {
	var s alb.State
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/_alb/state", nil)
	if err != nil {
		return s, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return s, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return s, fmt.Errorf("%s: %s", req.URL, resp.Status)
	}
	return s, json.NewDecoder(resp.Body).Decode(&s)
}
