package watch

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// pods are those that have been there, and Jobs.
type pods struct {
	mu sync.Mutex
	// began is false until the base has been looked at.
	began bool
	// known are all pods that were seen, also those that have gone, by namespace and name.
	known map[string]*podSeen
	jobs  map[types.UID]*jobSeen
	found []restart
	// ran are the runs of init containers that migrate, by pod and start.
	ran map[string]migration
}

type podSeen struct {
	of rehearsal.Where
	// ending is true for one that is being removed, or has gone.
	ending  bool
	evicted bool
	starts  map[string]int32 // restarts by container
}

type restart struct {
	at        time.Time
	of        rehearsal.Where
	container string
	count     int
	reason    string
}

func newPods() *pods {
	return &pods{known: map[string]*podSeen{}, jobs: map[types.UID]*jobSeen{}, ran: map[string]migration{}}
}

// pollPods looks at all pods and Jobs, and follows the logs of containers that have started.
func (w *Watch) pollPods(ctx context.Context) error {
	list, err := w.kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	jobs, err := w.kube.BatchV1().Jobs("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	now := time.Now()
	w.pods.note(list.Items, jobs.Items, now)
	for n := range list.Items {
		w.follow(&list.Items[n])
	}
	return nil
}

// note keeps what has happened to pods and Jobs since the last time.
func (p *pods) note(list []corev1.Pod, jobs []batchv1.Job, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, j := range jobs {
		p.job(j, now)
	}
	there := map[string]bool{}
	for n := range list {
		there[list[n].Namespace+"/"+list[n].Name] = true
		p.pod(&list[n], now)
		p.try(&list[n], now)
	}
	for key, seen := range p.known {
		seen.ending = seen.ending || !there[key]
	}
	p.began = true
}

func (p *pods) pod(o *corev1.Pod, now time.Time) {
	key := o.Namespace + "/" + o.Name
	seen := p.known[key]
	if seen == nil {
		seen = &podSeen{of: workload(o), starts: map[string]int32{}}
		p.known[key] = seen
	}
	seen.ending = o.DeletionTimestamp != nil
	add := func(container string, count int, reason string) {
		if p.began {
			p.found = append(p.found, restart{now, seen.of, container, count, reason})
		}
	}
	// https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/
	if evicted := o.Status.Phase == corev1.PodFailed && o.Status.Reason == "Evicted"; evicted && !seen.evicted {
		seen.evicted = true
		add("", 1, "Evicted: "+o.Status.Message)
	}
	for _, c := range slices.Concat(o.Status.InitContainerStatuses, o.Status.ContainerStatuses) {
		if more := c.RestartCount - seen.starts[c.Name]; more > 0 {
			add(c.Name, int(more), ended(c))
		}
		seen.starts[c.Name] = c.RestartCount
	}
	p.migrate(o, seen.of)
}

// ended is how a container ended last.
func ended(c corev1.ContainerStatus) string {
	last := cmp.Or(c.LastTerminationState.Terminated, c.State.Terminated)
	if last == nil {
		return "unknown"
	}
	text := cmp.Or(last.Reason, "ended")
	if last.Reason == "OOMKilled" {
		return text
	}
	if last.Signal != 0 {
		return fmt.Sprintf("%s, signal %d", text, last.Signal)
	}
	return fmt.Sprintf("%s, exit code %d", text, last.ExitCode)
}

// hash ends the names of what a controller makes: a ReplicaSet's, a pod's.
var hash = regexp.MustCompile(`(-[a-z0-9]{6,10})?-[a-z0-9]{5}$|-[a-z0-9]{6,10}$`)

// workload is what made a pod: its name stays when the pod is replaced.
func workload(o *corev1.Pod) rehearsal.Where {
	owner := metav1.GetControllerOf(o)
	if owner == nil {
		return rehearsal.Where{Namespace: o.Namespace, Kind: "Pod", Name: o.Name}
	}
	if template := o.Labels["pod-template-hash"]; owner.Kind == "ReplicaSet" && template != "" {
		if name, of := strings.CutSuffix(owner.Name, "-"+template); of {
			return rehearsal.Where{Namespace: o.Namespace, Kind: "Deployment", Name: name}
		}
	}
	return rehearsal.Where{Namespace: o.Namespace, Kind: owner.Kind, Name: owner.Name}
}

// of is the workload of an object that an event is about, and whether that is a pod which is ending.
func (p *pods) of(o corev1.ObjectReference) (rehearsal.Where, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	where := rehearsal.Where{Namespace: o.Namespace, Kind: o.Kind, Name: o.Name}
	switch o.Kind {
	case "Pod":
		if seen := p.known[o.Namespace+"/"+o.Name]; seen != nil {
			return seen.of, seen.ending
		}
		where.Name = hash.ReplaceAllString(o.Name, "")
		for _, seen := range p.known {
			if seen.of.Namespace == o.Namespace && seen.of.Name == where.Name {
				where.Kind = seen.of.Kind
			}
		}
		return where, true // it has gone
	case "ReplicaSet":
		where.Kind, where.Name = "Deployment", hash.ReplaceAllString(o.Name, "")
	}
	return where, false
}

// restarts are those that the base does not have by itself, by workload, container, phase and reason.
func (p *pods) restarts(t *timeline) []rehearsal.Restart {
	p.mu.Lock()
	defer p.mu.Unlock()
	type key struct {
		of        rehearsal.Where
		container string
	}
	base := map[key]bool{}
	var all []rehearsal.Restart
	for _, r := range p.found {
		phase, _ := t.at(r.at)
		if phase == rehearsal.Before {
			base[key{r.of, r.container}] = true
			continue
		}
		same := func(o rehearsal.Restart) bool {
			return o.Where == r.of && o.Container == r.container && o.Phase == phase && o.Reason == r.reason
		}
		if n := slices.IndexFunc(all, same); n >= 0 {
			all[n].Count += r.count
			continue
		}
		all = append(all, rehearsal.Restart{Where: r.of, Container: r.container, Phase: phase, Count: r.count, Reason: r.reason})
	}
	all = slices.DeleteFunc(all, func(r rehearsal.Restart) bool { return base[key{r.Where, r.Container}] })
	return append(all, p.madeAgain(t)...)
}

// sorted are the keys of a map in their order.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
