package supervise

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary stand for the guards, which restart each
// other by command line.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 {
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		var err error
		switch os.Args[1] {
		case "supervisor":
			err = (&Supervisor{Run: os.Args[2], Log: log, Restart: Backoff{First: 20 * time.Millisecond}}).Supervise(context.Background())
		case "watchdog":
			err = Watchdog(context.Background(), os.Args[2], log)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newPlan(t *testing.T, ps ...Process) (run string, p *Plan) {
	t.Helper()
	dir := t.TempDir()
	run = filepath.Join(dir, "run")
	p = &Plan{State: dir, Logs: filepath.Join(dir, "log"), Supervisor: []string{os.Args[0], "supervisor", run}, Watchdog: []string{os.Args[0], "watchdog", run}, Processes: ps}
	for _, d := range []string{run, p.Logs} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := SavePlan(run, p); err != nil {
		t.Fatal(err)
	}
	return run, p
}

func start(t *testing.T, run string, p *Plan) {
	t.Helper()
	t.Cleanup(func() {
		if err := Stop(context.Background(), run, p.State, patience); err != nil {
			t.Error(err)
		}
	})
	if err := Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in %s: %s", patience, what)
		}
	}
}

// logged waits until a process has written text.
func logged(t *testing.T, p *Plan, name, text string) {
	t.Helper()
	eventually(t, name+" says "+text, func() bool {
		raw, err := os.ReadFile(filepath.Join(p.Logs, name+".log"))
		return err == nil && strings.Contains(string(raw), text)
	})
}

// patience is for a machine on which much else runs.
const patience = 2 * time.Minute

func TestRestartAndOrder(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run, p := newPlan(t,
		Process{Name: "second", Command: []string{"sh", "-c", "echo value $X; exec sleep 100"}, Env: []string{"X=y"}, After: []string{"first"}},
		Process{Name: "first", Command: []string{"sleep", "100"}, Ready: "tcp://" + l.Addr().String()},
	)
	start(t, run, p)
	if err := WaitReady(t.Context(), run, "first", "second"); err != nil {
		t.Fatal(err)
	}
	first, second := Read(run, "first"), Read(run, "second")
	if second.Since.Before(first.Since) {
		t.Error("second started before first")
	}
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "first runs again", func() bool {
		r := Read(run, "first")
		return r.Ready && r.PID != first.PID && r.Restarts == 1 && r.LastExit == "signal: killed"
	})
	if r := Read(run, "second"); r.PID != second.PID {
		t.Error("second was restarted too")
	}
	logged(t, p, "second", "value y")
	if err := Stop(t.Context(), run, p.State, patience); err != nil {
		t.Fatal(err)
	}
	for _, r := range All(run) {
		if r.Running {
			t.Errorf("%s still runs", r.Name)
		}
	}
}

func TestGuardsHealEachOther(t *testing.T) {
	run, p := newPlan(t, Process{Name: "one", Command: []string{"sleep", "100"}})
	start(t, run, p)
	if err := WaitReady(t.Context(), run, "one", WatchdogName); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{SupervisorName, WatchdogName, SupervisorName} {
		old := Read(run, name)
		oldOne := Read(run, "one")
		if err := syscall.Kill(old.PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		eventually(t, name+" is back", func() bool { r := Read(run, name); return r.Running && r.PID != old.PID })
		if name == SupervisorName {
			eventually(t, "one is replaced", func() bool { r := Read(run, "one"); return r.Ready && r.PID != oldOne.PID })
			if oldOne.alive() {
				t.Error("the old process still runs beside the new one")
			}
		}
	}
}

func TestReloadReplacesOnlyWhatChanged(t *testing.T) {
	run, p := newPlan(t, Process{Name: "keep", Command: []string{"sleep", "100"}}, Process{Name: "change", Command: []string{"sleep", "101"}}, Process{Name: "drop", Command: []string{"sleep", "102"}})
	start(t, run, p)
	if err := WaitReady(t.Context(), run, "keep", "change", "drop"); err != nil {
		t.Fatal(err)
	}
	keep, change, drop := Read(run, "keep"), Read(run, "change"), Read(run, "drop")
	p.Processes = []Process{p.Processes[0], {Name: "change", Command: []string{"sleep", "101"}, Digest: "new"}, {Name: "add", Command: []string{"sleep", "103"}}}
	if err := SavePlan(run, p); err != nil {
		t.Fatal(err)
	}
	if err := Start(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new plan runs", func() bool {
		return Read(run, "add").Ready && Read(run, "change").Ready && Read(run, "change").PID != change.PID && !drop.alive()
	})
	if Read(run, "keep").PID != keep.PID {
		t.Error("an unchanged process was replaced")
	}
}

func TestStopKillsWhatIgnoresSIGTERM(t *testing.T) {
	run, p := newPlan(t, Process{Name: "deaf", Command: []string{"sh", "-c", `trap "" TERM; echo deaf; while :; do sleep 0.1; done`}, Grace: 200 * time.Millisecond})
	start(t, run, p)
	if err := WaitReady(t.Context(), run, "deaf"); err != nil {
		t.Fatal(err)
	}
	logged(t, p, "deaf", "deaf") // the shell has reached its trap
	r := Read(run, "deaf")
	if err := Stop(t.Context(), run, p.State, patience); err != nil {
		t.Fatal(err)
	}
	if r.alive() {
		t.Error("still alive")
	}
}

func TestWaitReadyNamesTheExit(t *testing.T) {
	run, p := newPlan(t, Process{Name: "broken", Command: []string{"sh", "-c", "exit 3"}, Ready: "tcp://127.0.0.1:1"})
	start(t, run, p)
	err := WaitReady(t.Context(), run, "broken")
	if err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("got %v", err)
	}
}

func TestBackoff(t *testing.T) {
	b := Backoff{}
	var got []string
	for _, ran := range []time.Duration{0, 0, 0, time.Second, 2 * time.Minute, 0} {
		got = append(got, b.next(ran).String())
	}
	if s := strings.Join(got, " "); s != "200ms 400ms 800ms 1.6s 200ms 400ms" {
		t.Errorf("got %s", s)
	}
	for range 20 {
		b.next(0)
	}
	if b.next(0) != 30*time.Second {
		t.Errorf("grows beyond its limit: %s", b.last)
	}
}

func TestPlanOrder(t *testing.T) {
	for name, ps := range map[string][]Process{
		"unknown": {{Name: "a", After: []string{"b"}}},
		"circle":  {{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a"}}},
	} {
		if err := SavePlan(t.TempDir(), &Plan{Processes: ps}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRotate(t *testing.T) {
	dir := t.TempDir()
	log, err := openLog(dir, "x")
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprint(log, strings.Repeat("a", 100))
	if err := rotate(dir, "x", 50); err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(log, "b")
	now, _ := os.ReadFile(filepath.Join(dir, "x.log"))
	old, _ := os.ReadFile(filepath.Join(dir, "x.log.1"))
	if string(now) != "b" || len(old) != 100 {
		t.Errorf("now %q, old %d bytes", now, len(old))
	}
}
