package watch

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// jobSeen is a Job that has been there.
type jobSeen struct {
	job  batchv1.Job
	base bool
	// seen is when it was looked at for the first time, tries are its pods.
	seen  time.Time
	tries map[types.UID]bool
}

func (s *jobSeen) where() rehearsal.Where {
	return rehearsal.Where{Namespace: s.job.Namespace, Kind: "Job", Name: s.job.Name}
}

// once reports whether the Job is meant to run in one pod.
func (s *jobSeen) once() bool {
	one := func(n *int32) bool { return n == nil || *n == 1 }
	return one(s.job.Spec.Completions) && one(s.job.Spec.Parallelism)
}

// job keeps a Job; the caller holds the lock.
func (p *pods) job(j batchv1.Job, now time.Time) {
	seen := p.jobs[j.UID]
	if seen == nil {
		seen = &jobSeen{base: !p.began, seen: now, tries: map[types.UID]bool{}}
		p.jobs[j.UID] = seen
	}
	seen.job = j
}

// try notes a Job's pod beside those before it: what the program had done before it failed, it does again. The caller holds the
// lock. A container that starts again in the same pod is a restart like any other.
func (p *pods) try(o *corev1.Pod, now time.Time) {
	owner := metav1.GetControllerOf(o)
	if owner == nil || owner.Kind != "Job" {
		return
	}
	seen := p.jobs[owner.UID]
	if seen == nil || seen.tries[o.UID] {
		return
	}
	seen.tries[o.UID] = true
	if n := len(seen.tries); n > 1 && p.began && seen.once() {
		p.found = append(p.found, restart{now, seen.where(), "", 1, "it ran again in another pod"})
	}
}

// madeAgain are Jobs that were made more than once in a phase, as Flux does with one that has removed itself. In the merge and in
// the revert once is the change's own.
func (p *pods) madeAgain(t *timeline) []rehearsal.Restart {
	counts := map[string]*rehearsal.Restart{}
	for _, seen := range p.jobs {
		phase, _ := t.at(seen.seen)
		if seen.base || phase == rehearsal.Before {
			continue
		}
		key := fmt.Sprint(seen.where(), phase)
		if counts[key] == nil {
			counts[key] = &rehearsal.Restart{Where: seen.where(), Phase: phase, Count: -1, Reason: "it was made again and ran again"}
		}
		counts[key].Count++
	}
	var all []rehearsal.Restart
	for _, key := range sorted(counts) {
		if counts[key].Count > 0 {
			all = append(all, *counts[key])
		}
	}
	return all
}
