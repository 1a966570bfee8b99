//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/local/system/layout"
)

// reserve is what is kept of go test's -timeout for the end: the log of a
// failure and the removal of the system.
const reserve = 6 * time.Minute

// leaseFile lies in each scratch folder and is locked while its test runs, so
// that the next run knows whose folder nobody will remove any more.
const leaseFile = "owner.lock"

// scratch makes a folder for one system, and removes it with the system in it
// when the test ends.
func scratch(t *testing.T, end func(tmp string)) string {
	t.Helper()
	sweep(t)
	tmp, err := os.MkdirTemp("", "e2e") // not t.TempDir: its paths are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	if tmp, err = filepath.EvalSymlinks(tmp); err != nil {
		t.Fatal(err)
	}
	lease := flock.New(filepath.Join(tmp, leaseFile))
	if ok, err := lease.TryLock(); err != nil || !ok {
		t.Fatalf("%s: locked: %t, %v", lease.Path(), !ok, err)
	}
	t.Cleanup(func() {
		end(tmp)
		_ = lease.Close()
	})
	return tmp
}

// sweep removes the systems of runs that could not do so themselves: kill -9,
// or a machine that was switched off.
func sweep(t *testing.T) {
	t.Helper()
	leases, err := filepath.Glob(filepath.Join(os.TempDir(), "e2e*", leaseFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range leases {
		lease := flock.New(path)
		if ok, err := lease.TryLock(); err != nil || !ok {
			continue // its test runs, or it is another user's
		}
		tmp := filepath.Dir(path)
		t.Logf("an interrupted run left %s: removing it", tmp)
		if err := remove(tmp); err != nil {
			t.Errorf("%s is left: %v", tmp, err)
		}
		_ = lease.Close()
	}
}

// remove stops the system in a scratch folder and removes the folder. The tool
// is the clone's, or the one of the repository under test where there is none
// yet. It runs in a process group of its own: a second interrupt must not
// reach it.
func remove(tmp string) error {
	repo := filepath.Join(tmp, "repo")
	dir := &layout.Dir{Root: filepath.Join(tmp, "s"), Repo: repo}
	if dir.Ours() {
		tool := filepath.Join(repo, "bin", "gitops")
		if _, err := os.Stat(tool); err != nil {
			if tool, err = filepath.Abs(filepath.Join("..", "..", "..", "bin", "gitops")); err != nil {
				return err
			}
		}
		if err := until(context.Background(), 5*time.Minute, "the system to stop", func() error {
			interruptHolder(dir)
			cmd := exec.Command(tool, "local", "reset", "--yes", "--state", dir.Root)
			cmd.Dir, cmd.SysProcAttr = repo, &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = errors.Join(err, errors.New(lastText(string(out))))
			}
			return err
		}); err != nil {
			return err
		}
	}
	return os.RemoveAll(tmp)
}

// interruptHolder interrupts the command that a killed test left at work on the
// state, such as `gitops local up`: it holds the lock that reset needs.
func interruptHolder(dir *layout.Dir) {
	lock := flock.New(dir.Path("run", "command.lock"))
	if ok, err := lock.TryLock(); err != nil || ok {
		_ = lock.Close()
		return // nobody is at work
	}
	var holder struct{ PID int }
	if raw, err := os.ReadFile(dir.Path("run", "command.json")); err == nil && json.Unmarshal(raw, &holder) == nil && holder.PID > 1 {
		_ = syscall.Kill(holder.PID, syscall.SIGINT)
	}
}

// errInterrupted is the cause of an end that somebody wanted.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that ends with the first interrupt, with the
// end of `go test`, and in time before its -timeout, which would end the test
// without its clean-up. The cause says which.
func interruptible(t *testing.T) context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	if deadline, ok := t.Deadline(); ok {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, deadline.Add(-reserve), errors.New("the end of go test's -timeout is near"))
		t.Cleanup(stop)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	signal.Ignore(syscall.SIGPIPE) // go test may be gone, and with it our output
	parent, tick, ended := os.Getppid(), time.NewTicker(time.Second), make(chan struct{})
	t.Cleanup(func() {
		close(ended)
		cancel(nil)
	})
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case s := <-signals:
				signal.Stop(signals) // the second one ends the test at once
				cancel(fmt.Errorf("%w: %s", errInterrupted, s))
				return
			case <-tick.C:
				if os.Getppid() != parent {
					cancel(fmt.Errorf("%w: go test has ended", errInterrupted))
					return
				}
			}
		}
	}()
	return ctx
}
