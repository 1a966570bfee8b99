package watch

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/alb"
)

// A Service is unhealthy while all of its pods fail the load balancer's check. What was so in the base is the base's.
func TestUnhealthyTargets(t *testing.T) {
	world := newWorld(t)
	for _, service := range []string{"ghost", "old", "one-of-two"} {
		world.dynamicObject(bindings, map[string]any{
			"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding", "metadata": map[string]any{"namespace": "n", "name": "k8s-" + service},
			"spec": map[string]any{"targetGroupARN": "arn:" + service, "serviceRef": map[string]any{"name": service}},
		})
	}
	group := func(name string, health ...string) alb.TargetGroupState {
		g := alb.TargetGroupState{Name: name, ARN: "arn:" + name}
		for _, h := range health {
			g.Targets = append(g.Targets, alb.TargetState{Health: h, Reason: "it answers 301"})
		}
		return g
	}
	w := &Watch{sources: world.sources()}
	poll := func(groups ...alb.TargetGroupState) {
		t.Helper()
		w.balancer = func(context.Context) (alb.State, error) { return alb.State{TargetGroups: groups}, nil }
		if err := w.pollTargets(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.times.mark(rehearsal.Before, time.Now())
	poll(group("old", alb.Unhealthy), group("ghost", "healthy"))
	w.times.mark(rehearsal.Merge, time.Now())
	for range 2 {
		poll(group("old", alb.Unhealthy), group("ghost", alb.Unhealthy), group("one-of-two", alb.Unhealthy, "healthy"), group("empty"), group("unbound", alb.Unhealthy))
	}
	poll(group("ghost", "initial"))
	got := w.targets.result(&w.times)
	for i := range got {
		if got[i].Seconds <= 0 {
			t.Errorf("%+v has no time", got[i])
		}
		got[i].Seconds = 0
	}
	if want := []rehearsal.Unhealthy{
		{Where: rehearsal.Where{Namespace: "n", Kind: "Service", Name: "ghost"}, Phase: rehearsal.Merge, Reason: "it answers 301"},
		{Where: rehearsal.Where{Kind: "TargetGroup", Name: "unbound"}, Phase: rehearsal.Merge, Reason: "it answers 301"},
	}; !slices.Equal(got, want) {
		t.Errorf("got %+v", got)
	}
}

// Two moments with a healthy pod between them are two moments.
func TestUnhealthyTime(t *testing.T) {
	began := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	var all targets
	var times timeline
	times.mark(rehearsal.Before, began)
	times.mark(rehearsal.Merge, began.Add(time.Second))
	times.mark(rehearsal.Revert, began.Add(60*time.Second))
	note := func(second int) {
		all.note("a", rehearsal.Where{}, "", began.Add(time.Duration(second)*time.Second), false)
	}
	note(10)
	note(12)
	all.end("a")
	note(100)
	note(103)
	if got := all.result(&times); len(got) != 1 || got[0].Seconds != 3 || got[0].Phase != rehearsal.Revert {
		t.Errorf("got %+v, want 3 s in the revert", got)
	}
}

func TestTheBalancersState(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_alb/state" {
			http.NotFound(out, r)
			return
		}
		_, _ = out.Write([]byte(`{"targetGroups":[{"name":"a","arn":"b","targets":[{"address":"c","health":"unhealthy","reason":"d"}]}]}`))
	}))
	defer server.Close()
	s, err := balancerState(t.Context(), server.Client(), server.URL)
	if err != nil || len(s.TargetGroups) != 1 || s.TargetGroups[0].Targets[0].Health != alb.Unhealthy {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := balancerState(t.Context(), server.Client(), server.URL+"/other"); err == nil {
		t.Error("an answer that is no state is taken")
	}
}
