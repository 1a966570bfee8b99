package layout

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// Lock is an exclusive lock on the state directory, released when its holder
// exits however it exits.
type Lock struct{ f *flock.Flock }

type lockHolder struct {
	Command string    `json:"command"`
	PID     int       `json:"pid"`
	Since   time.Time `json:"since"`
}

// Acquire takes the lock that up, down and reset share. It does not wait: the
// error says which command holds it and since when.
func (d *Dir) Acquire(command string) (*Lock, error) {
	f := flock.New(d.Path("run", "command.lock"))
	ok, err := f.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking %s: %w", d.Root, err)
	}
	who := d.Path("run", "command.json")
	if !ok {
		var h lockHolder
		raw, _ := os.ReadFile(who)
		if json.Unmarshal(raw, &h) != nil || h.PID == 0 {
			return nil, fmt.Errorf("another gitops command works on %s: wait for it to end", d.Root)
		}
		return nil, fmt.Errorf("`gitops local %s` (pid %d, since %s) works on %s: wait for it to end, or stop it",
			h.Command, h.PID, h.Since.Format("15:04:05"), d.Root)
	}
	raw, err := json.Marshal(lockHolder{Command: command, PID: os.Getpid(), Since: time.Now()})
	if err == nil {
		err = atomicfile.Write(who, raw, 0o600)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Wait takes the named lock under run/ and waits for it until ctx ends.
func (d *Dir) Wait(ctx context.Context, name string) (*Lock, error) {
	f := flock.New(d.Path("run", name+".lock"))
	if _, err := f.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		return nil, fmt.Errorf("waiting for the %s lock of %s: %w", name, d.Root, err)
	}
	return &Lock{f}, nil
}

// Release gives the lock back.
func (l *Lock) Release() { l.f.Close() }
