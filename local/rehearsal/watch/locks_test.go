package watch

import (
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/system/layout"
)

// A migration is what a pod's init container of this name or a Job did since the base, with what others waited meanwhile.
func TestMigrations(t *testing.T) {
	began := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	at := func(seconds int) metav1.Time { return metav1.NewTime(began.Add(time.Duration(seconds) * time.Second)) }
	ended := func(from, to int, code int32) *corev1.ContainerStateTerminated {
		return &corev1.ContainerStateTerminated{StartedAt: at(from), FinishedAt: at(to), ExitCode: code}
	}
	yes := true
	pod := func(name, container string, state corev1.ContainerState, last *corev1.ContainerStateTerminated, restarts int32) corev1.Pod {
		return corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: apitypes.UID(name + container), OwnerReferences: []metav1.OwnerReference{{Kind: "StatefulSet", Name: name, Controller: &yes}}},
			Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
				Name: container, State: state, LastTerminationState: corev1.ContainerState{Terminated: last}, RestartCount: restarts,
			}}},
		}
	}
	done := func(end *corev1.ContainerStateTerminated) corev1.ContainerState {
		return corev1.ContainerState{Terminated: end}
	}
	job := func(name string, kind batchv1.JobConditionType, owner string) batchv1.Job {
		start := at(20)
		j := batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, UID: apitypes.UID(name), CreationTimestamp: at(19)},
			Status:     batchv1.JobStatus{StartTime: &start, Conditions: []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: at(23)}}},
		}
		if owner != "" {
			j.OwnerReferences = []metav1.OwnerReference{{Kind: owner, Name: "o", Controller: &yes}}
		}
		return j
	}
	p, l, times := newPods(), &locks{}, &timeline{}
	times.mark(rehearsal.Before, began)
	p.note([]corev1.Pod{pod("base", "migrate", done(ended(1, 2, 0)), nil, 0)}, []batchv1.Job{job("base", batchv1.JobComplete, "")}, began)
	times.mark(rehearsal.Merge, began.Add(10*time.Second))
	p.note([]corev1.Pod{
		pod("base", "migrate", done(ended(1, 2, 0)), nil, 0),
		pod("a", "migrate", done(ended(11, 15, 0)), nil, 0),
		pod("a", "copy", done(ended(11, 19, 0)), nil, 0),
		pod("again", "migrate", done(ended(13, 14, 0)), ended(11, 12, 1), 1),
	}, []batchv1.Job{
		job("base", batchv1.JobComplete, ""), job("new", batchv1.JobComplete, ""), job("fails", batchv1.JobFailed, ""), job("scheduled", batchv1.JobComplete, "CronJob"),
	}, began.Add(30*time.Second))
	l.all = []wait{{began.Add(9 * time.Second), 99}, {began.Add(14 * time.Second), 2.04}, {began.Add(15500 * time.Millisecond), 3.5}, {began.Add(18 * time.Second), 50}}
	merge := func(kind, name string, seconds float64, state rehearsal.State, locked float64) rehearsal.Migration {
		return rehearsal.Migration{Where: rehearsal.Where{Namespace: "n", Kind: kind, Name: name}, Seconds: seconds, State: state, LockedSeconds: locked, Phase: rehearsal.Merge}
	}
	want := []rehearsal.Migration{
		merge("Job", "fails", 3, rehearsal.Failed, 0), merge("Job", "new", 3, rehearsal.Succeeded, 0),
		merge("StatefulSet", "a", 4, rehearsal.Succeeded, 3.5), merge("StatefulSet", "again", 1, rehearsal.Failed, 0),
	}
	if got := p.migrations(times, l); !slices.Equal(got, want) {
		for _, m := range got {
			t.Errorf("got %s %s %.1f s, locked %.1f s", m.Where, m.State, m.Seconds, m.LockedSeconds)
		}
	}
}

// A statement that waits for a table is seen while it waits, by the server itself.
func TestWaits(t *testing.T) {
	if err := database.Installed(); err != nil {
		t.Skip(err)
	}
	authority, err := ca.Ensure(t.TempDir(), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	dir := &layout.Dir{Root: t.TempDir()}
	port := freeport.Port(t)
	command, err := database.Prepare(t.Context(), dir.Path("database"), port, database.TLS{Cert: cert, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	if err := database.Wait(t.Context(), port); err != nil {
		t.Fatal(err)
	}
	all, err := servers(dir, layout.Ports{layout.Database: port})
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	t.Cleanup(func() { _ = all[0].db.Close() })
	for _, statement := range []string{"CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY) ENGINE=InnoDB", "INSERT INTO d.t VALUES (1)"} {
		if _, err := all[0].db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if waits, err := longest(t.Context(), all); err != nil || waits != 0 {
		t.Fatalf("nobody waits: %f, %v", waits, err)
	}
	for name, c := range map[string]struct{ lock, waits, free string }{
		"a table": {"LOCK TABLES d.t WRITE", "SELECT * FROM d.t", "UNLOCK TABLES"},
		"a row":   {"UPDATE d.t SET id = 2 WHERE id = 1", "UPDATE d.t SET id = 3", "ROLLBACK"},
	} {
		holder, err := all[0].db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{"SET autocommit = 0", c.lock} {
			if _, err := holder.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		free := make(chan error)
		go func() {
			_, err := all[0].db.ExecContext(t.Context(), c.waits)
			free <- err
		}()
		// InnoDB looks anew when nobody has asked for a tenth of a second.
		look := func(good func(waits float64) bool) func() bool {
			return func() bool {
				time.Sleep(150 * time.Millisecond)
				waits, err := longest(t.Context(), all)
				return err == nil && good(waits)
			}
		}
		until(t, "that somebody waits for "+name, look(func(waits float64) bool { return waits > 0.2 }))
		for _, statement := range []string{c.free, "SET autocommit = 1"} { // the connection is used again
			if _, err := holder.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		holder.Close()
		if err := <-free; err != nil {
			t.Error(name, err)
		}
		until(t, name+" is free", look(func(waits float64) bool { return waits == 0 }))
	}
}
