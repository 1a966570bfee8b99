package watch

import (
	"slices"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// job makes a Job and a pod of it.
func (w *world) job(name, uid, pod string, completions int32) {
	w.t.Helper()
	j := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "orders", Name: name, UID: types.UID(uid)}}
	if completions > 1 {
		j.Spec.Completions = &completions
	}
	jobs := w.kube.BatchV1().Jobs("orders")
	if old, err := jobs.Get(w.t.Context(), name, metav1.GetOptions{}); err == nil && old.UID != j.UID {
		if err := jobs.Delete(w.t.Context(), name, metav1.DeleteOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := jobs.Get(w.t.Context(), name, metav1.GetOptions{}); err != nil {
		if _, err := jobs.Create(w.t.Context(), j, metav1.CreateOptions{}); err != nil {
			w.t.Fatal(err)
		}
	}
	yes := true
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "orders", Name: pod, UID: types.UID("uid-" + pod),
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "batch/v1", Kind: "Job", Name: name, UID: j.UID, Controller: &yes}},
	}}
	if _, err := w.kube.CoreV1().Pods("orders").Create(w.t.Context(), p, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// A Job that is meant to run once is said when it runs in a second pod, or is made again in the same phase. One that the change
// replaces, and one of several pods, is not.
func TestJobsThatRunTwice(t *testing.T) {
	s := newWorld(t)
	s.job("import", "1", "import-a", 1)
	w := s.start()
	pass(t, w, rehearsal.Merge)
	s.job("fails", "2", "fails-a", 1)
	s.job("fails", "2", "fails-b", 1)
	s.job("many", "3", "many-a", 2)
	s.job("many", "3", "many-b", 2)
	s.job("import", "4", "import-b", 1)
	until(t, "the second pod", func() bool { return len(w.pods.restarts(&w.times)) > 0 })
	w.Phase(rehearsal.Hold)
	s.job("again", "5", "again-a", 1)
	until(t, "the first", func() bool { w.pods.mu.Lock(); defer w.pods.mu.Unlock(); return w.pods.jobs["5"] != nil })
	s.job("again", "6", "again-b", 1)
	until(t, "the second", func() bool { w.pods.mu.Lock(); defer w.pods.mu.Unlock(); return w.pods.jobs["6"] != nil })
	o, err := w.Stop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	of := func(name string) rehearsal.Where {
		return rehearsal.Where{Namespace: "orders", Kind: "Job", Name: name}
	}
	want := []rehearsal.Restart{
		{Where: of("fails"), Phase: rehearsal.Merge, Count: 1, Reason: "it ran again in another pod"},
		{Where: of("again"), Phase: rehearsal.Hold, Count: 1, Reason: "it was made again and ran again"},
	}
	if !slices.Equal(o.Restarts, want) {
		t.Errorf("got %+v", o.Restarts)
	}
}
