package supervise

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// A guard's lock is held by its process for life, so whoever gets it knows
// that the guard is dead, however it died.
func guardLock(run, name string) *flock.Flock {
	return flock.New(filepath.Join(run, name+".lock"))
}

func stopFile(run string) string { return filepath.Join(run, "stop") }

func markStop(run string) error { return os.WriteFile(stopFile(run), nil, 0o600) }

func stopWanted(run string) bool {
	_, err := os.Stat(stopFile(run))
	return err == nil
}

// hold takes the lock of a guard and records this process as it. The other
// guard may have the lock for a moment while it looks, hence a few tries.
func hold(ctx context.Context, run, name string) (*flock.Flock, bool, error) {
	lock := guardLock(run, name)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	ok, err := lock.TryLockContext(ctx, 20*time.Millisecond)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return nil, false, err
	}
	if !ok {
		return nil, false, nil
	}
	r := Record{Name: name, PID: os.Getpid(), Start: startTime(os.Getpid()), Since: time.Now(), Ready: true}
	return lock, true, r.save(run)
}

// watch starts the other guard whenever it is dead, until ctx ends or a stop
// is wanted.
func watch(ctx context.Context, run, peer string, log *slog.Logger) {
	for ; ctx.Err() == nil && !stopWanted(run); sleep(ctx, 300*time.Millisecond) {
		lock := guardLock(run, peer)
		if ok, err := lock.TryLock(); err != nil || !ok {
			lock.Close()
			continue
		}
		lock.Close()
		if ctx.Err() != nil || stopWanted(run) {
			return
		}
		log.Info("starting", "guard", peer)
		if err := startGuard(run, peer); err != nil {
			log.Error("starting", "guard", peer, "error", err)
			sleep(ctx, 5*time.Second)
		}
	}
}

// environ is the user's environment without what points elsewhere: their AWS
// account, their cluster, their repository.
func environ() []string {
	return slices.DeleteFunc(os.Environ(), func(e string) bool {
		name, _, _ := strings.Cut(e, "=")
		return name == "KUBECONFIG" || name == StateVariable || slices.ContainsFunc([]string{"AWS_", "CDK_", "MOTO_", "GIT_"},
			func(p string) bool { return strings.HasPrefix(name, p) })
	})
}

// guardStart is how long a guard may take to run: milliseconds, but seconds
// where all processors are busy. One that ends at once is not waited for.
const guardStart = 2 * time.Minute

// startGuard starts a guard and waits until it has its lock.
func startGuard(run, name string) error {
	p, err := LoadPlan(run)
	if err != nil {
		return err
	}
	command := p.Supervisor
	if name == WatchdogName {
		command = p.Watchdog
	}
	if len(command) == 0 {
		return fmt.Errorf("%s: no command for the %s", planFile(run), name)
	}
	cmd, err := detach(command, environ(), p.Logs, name)
	if err != nil {
		return err
	}
	exit := make(chan error, 1)
	go func() { exit <- cmd.Wait() }() // also reaps it, should it die while we live
	for deadline := time.Now().Add(guardStart); time.Now().Before(deadline); time.Sleep(30 * time.Millisecond) {
		if Read(run, name).Running {
			return nil
		}
		select {
		case err := <-exit:
			if Read(run, name).Running {
				return nil // another one was faster
			}
			return fmt.Errorf("the %s ended at once (%s): see %s", name, exitText(err), filepath.Join(p.Logs, name+".log"))
		default:
		}
	}
	return fmt.Errorf("the %s did not start in %s: see %s", name, guardStart, filepath.Join(p.Logs, name+".log"))
}

// Watchdog runs the second guard: it starts the supervisor when it is dead.
func Watchdog(ctx context.Context, run string, log *slog.Logger) error {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	lock, ok, err := hold(ctx, run, WatchdogName)
	if err != nil || !ok {
		return err
	}
	defer lock.Close()
	defer os.Remove(recordFile(run, WatchdogName))
	watch(ctx, run, SupervisorName, log)
	return nil
}
