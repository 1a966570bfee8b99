package watch

import (
	"context"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/rehearsal"
)

// events are the warnings by what they say.
type events struct {
	mu    sync.Mutex
	began bool
	// counts are how often each event had been said.
	counts map[types.UID]int
	all    map[string]*warning
}

type warning struct {
	rehearsal.Event
	base        bool
	first, last time.Time
}

func newEvents() *events {
	return &events{counts: map[types.UID]int{}, all: map[string]*warning{}}
}

// pollEvents looks for warnings that are new, or have been said again.
func (w *Watch) pollEvents(ctx context.Context) error {
	list, err := w.kube.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning})
	if err != nil {
		return err
	}
	w.events.mu.Lock()
	defer w.events.mu.Unlock()
	for _, e := range list.Items {
		count := int(max(e.Count, 1))
		if e.Series != nil {
			count = int(e.Series.Count)
		}
		more := count - w.events.counts[e.UID]
		w.events.counts[e.UID] = count
		if e.Type != corev1.EventTypeWarning || more <= 0 {
			continue
		}
		where, ending := w.pods.of(e.InvolvedObject)
		if ending && e.Reason == "Unhealthy" {
			continue // what is asked to end is not ready
		}
		w.events.note(where, e, more)
	}
	w.events.began = true
	return nil
}

// note keeps an event; the caller holds the lock. Those that are there at the first look are the base's, how long ago they may
// have been said.
func (all *events) note(where rehearsal.Where, e corev1.Event, more int) {
	key := eventKey(where, e.Reason, e.Message)
	at := flux.EventTime(e)
	seen := all.all[key]
	if seen == nil {
		seen = &warning{Event: rehearsal.Event{Where: where, Reason: e.Reason, Message: e.Message}, base: !all.began, first: at}
		all.all[key] = seen
	}
	seen.Count += more
	if at.After(seen.last) {
		seen.last = at
	}
}

// eventKey is equal for warnings that say the same. What a controller says of its own kind it says of each object, new ones too:
// only of what runs programs the name counts.
func eventKey(where rehearsal.Where, reason, message string) string {
	object := where.String()
	if !slices.Contains([]string{"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Pod", "Node"}, where.Kind) {
		object = where.Kind
	}
	return object + "\n" + reason + "\n" + alike(message)
}

// result are the warnings that the base does not have, by object.
func (all *events) result(t *timeline) []rehearsal.Event {
	all.mu.Lock()
	defer all.mu.Unlock()
	var out []rehearsal.Event
	for _, key := range sorted(all.all) {
		seen := all.all[key]
		if seen.First, _ = t.at(seen.first); seen.base || seen.First == rehearsal.Before {
			continue
		}
		seen.Last, _ = t.at(seen.last)
		out = append(out, seen.Event)
	}
	return out
}
