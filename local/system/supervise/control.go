package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// Start starts the supervisor with the saved plan, or tells the one that runs
// to read the plan anew. It returns once the plan is in force: what it no
// longer names is gone, what it names is starting.
func Start(ctx context.Context, run string) error {
	p, err := LoadPlan(run)
	if err != nil {
		return err
	}
	r := Read(run, SupervisorName)
	switch {
	case r.Running && r.Plan == p.digest():
		return nil
	case r.Running:
		if err := syscall.Kill(r.PID, syscall.SIGHUP); err != nil {
			return err
		}
	default:
		if err := os.Remove(stopFile(run)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := startGuard(run, SupervisorName); err != nil {
			return err
		}
	}
	for want := p.digest(); Read(run, SupervisorName).Plan != want; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the supervisor does not take up the plan: %w", ctx.Err())
		case <-time.After(30 * time.Millisecond):
		}
	}
	return nil
}

// Running reports whether a supervisor runs.
func Running(run string) bool { return Read(run, SupervisorName).Running }

// Stop ends the supervisor, the watchdog and every process, first with
// SIGTERM; after the grace what is left is killed. It fails when something
// survives that.
func Stop(ctx context.Context, run, state string, grace time.Duration) error {
	if _, err := os.Stat(run); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err := markStop(run); err != nil {
		return fmt.Errorf("asking the supervisor to stop: %w", err)
	}
	guards := []Record{Read(run, WatchdogName), Read(run, SupervisorName)}
	for i := range guards {
		if guards[i].Running {
			_ = syscall.Kill(guards[i].PID, syscall.SIGTERM)
		}
	}
	for deadline := time.Now().Add(grace); ctx.Err() == nil && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if !guards[0].alive() && !guards[1].alive() {
			break
		}
	}
	if err := end(run, guards, time.Second); err != nil {
		return err
	}
	var left []Record
	for _, r := range records(run) {
		if r.Running {
			left = append(left, r)
		}
	}
	// Pods outlive a killed process node where the kernel does not help.
	return end(run, append(left, strays(state)...), 5*time.Second)
}

// WaitReady waits until the named processes are ready. It fails early with
// the exit of a process that does not stay up.
func WaitReady(ctx context.Context, run string, names ...string) error {
	for {
		var missing *Record
		for _, n := range names {
			r := Read(run, n)
			if r.Ready {
				continue
			}
			missing = &r
			if r.Restarts >= 5 {
				return fmt.Errorf("%s ended %d times, last with %q", n, r.Restarts, r.LastExit)
			}
			break
		}
		if missing == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w", missing.Name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
