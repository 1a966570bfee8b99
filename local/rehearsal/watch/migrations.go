package watch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// migrateContainer is the init container in which a service brings its schema to its version: services/service.
const migrateContainer = "migrate"

// migration is a run of one; ended is zero while it runs.
type migration struct {
	of           rehearsal.Where
	begun, ended time.Time
	failed       bool
}

// migrate notes the runs of a pod's init container; the caller holds the lock. Those that had ended when the watch began are the
// base's.
func (p *pods) migrate(o *corev1.Pod, of rehearsal.Where) {
	for _, c := range o.Status.InitContainerStatuses {
		if c.Name != migrateContainer {
			continue
		}
		add := func(restarts int32, begun metav1.Time, end *corev1.ContainerStateTerminated) {
			m := migration{of: of, begun: begun.Time}
			if end != nil {
				m.begun, m.ended, m.failed = end.StartedAt.Time, end.FinishedAt.Time, end.ExitCode != 0
			}
			p.ran[fmt.Sprint(o.UID, restarts)] = m
		}
		if last := c.LastTerminationState.Terminated; last != nil {
			add(c.RestartCount-1, last.StartedAt, last)
		}
		switch {
		case c.State.Running != nil:
			add(c.RestartCount, c.State.Running.StartedAt, nil)
		case c.State.Terminated != nil:
			add(c.RestartCount, c.State.Terminated.StartedAt, c.State.Terminated)
		}
	}
}

// migrations are the runs since the base, of init containers and of Jobs that are no schedule's: of each workload and phase the
// longest, and a failed one before others.
func (p *pods) migrations(t *timeline, l *locks) []rehearsal.Migration {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []rehearsal.Migration
	add := func(m migration) {
		phase, _ := t.at(m.begun)
		if phase == rehearsal.Before {
			return
		}
		out := rehearsal.Migration{Where: m.of, Phase: phase, State: rehearsal.Succeeded}
		switch {
		case m.ended.IsZero():
			out.State, m.ended = "", time.Now()
		case m.failed:
			out.State = rehearsal.Failed
		}
		out.Seconds = rounded(m.ended.Sub(m.begun).Seconds())
		l.of(&out, m.begun, m.ended)
		all = append(all, out)
	}
	for _, m := range p.ran {
		add(m)
	}
	for _, seen := range p.jobs {
		if owner := metav1.GetControllerOf(&seen.job); !seen.base && (owner == nil || owner.Kind != "CronJob") {
			add(ofJob(seen.job))
		}
	}
	slices.SortFunc(all, func(a, b rehearsal.Migration) int {
		return cmp.Or(strings.Compare(a.String(), b.String()), strings.Compare(string(a.Phase), string(b.Phase)),
			strings.Compare(string(a.State), string(b.State)), cmp.Compare(b.Seconds, a.Seconds)) // "failed" is before "succeeded"
	})
	return slices.CompactFunc(all, func(a, b rehearsal.Migration) bool { return a.Where == b.Where && a.Phase == b.Phase })
}

// ofJob is a Job as a migration.
func ofJob(j batchv1.Job) migration {
	m := migration{of: rehearsal.Where{Namespace: j.Namespace, Kind: "Job", Name: j.Name}, begun: j.CreationTimestamp.Time}
	if j.Status.StartTime != nil {
		m.begun = j.Status.StartTime.Time
	}
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			m.ended, m.failed = c.LastTransitionTime.Time, c.Type == batchv1.JobFailed
		}
	}
	return m
}

// rounded is a number to a tenth.
func rounded(n float64) float64 { return math.Round(n*10) / 10 }
