package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/system"
	"k8s-plus-aws-gitops/local/system/layout"
)

const (
	// prefix begins the names of scratch folders in the folder for temporary files.
	prefix = "rehearsal-"
	// leaseFile makes a folder ours, and is locked while its rehearsal runs: the next one removes what a killed one left.
	leaseFile = "rehearsal.lock"
	// keptFile says that the folder was left on purpose.
	keptFile = "kept"
)

// scratch is the folder of one rehearsal: a checkout that changes, and the state of its system.
type scratch struct {
	root  string
	lease *flock.Flock
}

func (s *scratch) repo() string  { return filepath.Join(s.root, "repo") }
func (s *scratch) state() string { return filepath.Join(s.root, "s") } // short: a Unix socket's path is limited

func (s *scratch) dir() *layout.Dir { return &layout.Dir{Root: s.state(), Repo: s.repo()} }

// started reports whether there is a system to keep.
func (s *scratch) started() bool { return s.dir().Ours() }

// open makes the folder, or empties one that an earlier rehearsal left. A folder that holds anything else is refused, and so is
// one that a rehearsal works in.
func open(ctx context.Context, root, executable string) (*scratch, error) {
	var err error
	if root == "" {
		if root, err = os.MkdirTemp("", prefix); err != nil {
			return nil, err
		}
	}
	if root, err = filepath.Abs(root); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(root)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, leaseFile)); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("--state %s holds files, and is no folder of a rehearsal: name another", root)
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	s, err := take(root)
	if err != nil {
		return nil, err
	}
	return s, errors.Join(s.empty(ctx, executable, nil), ctx.Err())
}

// take locks a folder.
func take(root string) (*scratch, error) {
	s := &scratch{root: root, lease: flock.New(filepath.Join(root, leaseFile))}
	ok, err := s.lease.TryLock()
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("a rehearsal runs in %s: wait for it to end, or name another folder with --state", root)
	}
	return s, nil
}

// empty stops the system in the folder, if there is one, and removes everything but the lease.
func (s *scratch) empty(ctx context.Context, executable string, display *progress.Display) error {
	sys := &system.System{Dir: s.dir(), Executable: executable, Display: display}
	if err := sys.Reset(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(s.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != leaseFile {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.root, e.Name())))
		}
	}
	return err
}

// remove ends the rehearsal: nothing of it stays.
func (s *scratch) remove(ctx context.Context, executable string, display *progress.Display) error {
	err := s.empty(ctx, executable, display)
	if err == nil {
		err = os.RemoveAll(s.root)
	}
	return errors.Join(err, s.lease.Close())
}

// keep leaves the folder to whoever wants to look.
func (s *scratch) keep() error {
	return errors.Join(os.WriteFile(filepath.Join(s.root, keptFile), nil, 0o600), s.lease.Close())
}

// tell says how to look at what was kept, and how to remove it.
func (s *scratch) tell(display *progress.Display, executable string) {
	tool := strings.TrimSuffix(executable, "-local") // which this is a plug-in of
	display.Say("Kept. Look at it:  cd %s && %s local status --state %s\nRemove it:         %[2]s rehearse remove %[4]s", s.repo(), tool, s.state(), s.root)
}

// Remove stops and removes what a rehearsal left in a folder, such as one with Keep. A folder of anything else is refused.
func Remove(ctx context.Context, root, executable string, display *progress.Display) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	switch _, err := os.Stat(filepath.Join(root, leaseFile)); {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return fmt.Errorf("%s is no folder of a rehearsal, and is left alone", root)
	case err != nil:
		return err
	}
	s, err := take(root)
	if err != nil {
		return err
	}
	return s.remove(ctx, executable, display)
}

// sweep removes what rehearsals left that were killed. Its failures are told: they keep none from running.
func sweep(ctx context.Context, executable string, display *progress.Display) {
	leases, _ := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*", leaseFile)) // the pattern is ours
	for _, lease := range leases {
		root := filepath.Dir(lease)
		if info, err := os.Stat(lease); err != nil || time.Since(info.ModTime()) < time.Minute {
			continue // it may be about to be locked
		}
		if _, err := os.Stat(filepath.Join(root, keptFile)); err == nil {
			continue
		}
		s, err := take(root)
		if err != nil {
			continue // it runs, or is another user's
		}
		display.Say("Removing %s, which an interrupted rehearsal left", root)
		if err := s.remove(ctx, executable, nil); err != nil {
			display.Say("%s is left: %v", root, err)
		}
	}
}
