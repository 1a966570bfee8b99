package git

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// ErrSuperseded is the cause of an OnPush context that ended because the same ref was pushed again.
var ErrSuperseded = errors.New("superseded by a newer push to the same ref")

// seenFile, inside a bare repository, remembers the refs whose change was announced.
const seenFile = "announced.json"

// announcer calls OnPush, one call at a time per ref, the newest winning.
type announcer struct {
	ctx    context.Context
	root   string
	onPush func(context.Context, Push)
	log    *slog.Logger

	wg     sync.WaitGroup
	mu     sync.Mutex
	latest map[string]*call // repository and ref -> its newest call
	closed bool
}

type call struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

func newAnnouncer(ctx context.Context, root string, onPush func(context.Context, Push), log *slog.Logger) *announcer {
	return &announcer{ctx: ctx, root: root, onPush: onPush, log: log, latest: map[string]*call{}}
}

// push starts the call for p and cancels the one before it.
func (a *announcer) push(p Push) {
	if a.onPush == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return // the next start catches up
	}
	key := p.Repository + " " + p.Ref
	ctx, cancel := context.WithCancelCause(a.ctx)
	mine, older := &call{cancel: cancel, done: make(chan struct{})}, a.latest[key]
	a.latest[key] = mine
	a.wg.Go(func() {
		defer close(mine.done)
		defer cancel(nil)
		if older != nil {
			older.cancel(ErrSuperseded)
			<-older.done
		}
		if ctx.Err() == nil {
			a.onPush(ctx, p)
		}
		if ctx.Err() == nil {
			a.remember(p)
		}
	})
}

// close waits for the running calls; their context has ended, or is the caller's to end.
func (a *announcer) close() {
	a.mu.Lock()
	a.closed = true
	for _, c := range a.latest {
		c.cancel(context.Canceled)
	}
	a.mu.Unlock()
	a.wg.Wait()
}

// remember records that p was announced. A failure costs one repeated announcement at the next start.
func (a *announcer) remember(p Push) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dir := filepath.Join(a.root, p.Repository+".git")
	seen, err := readSeen(dir)
	if err == nil {
		if seen == nil {
			seen = map[string]string{}
		}
		if p.Deleted() {
			delete(seen, p.Ref)
		} else {
			seen[p.Ref] = p.After
		}
		err = writeSeen(dir, seen)
	}
	if err != nil {
		a.log.Warn("push announced but not recorded", "repository", p.Repository, "error", err)
	}
}

// catchUp announces what changed since the last announcement: pushes whose call was cut off, and commits that reached
// the repository by another way. A repository that was never announced has nothing to catch up with.
func (s *server) catchUp() error {
	entries, err := os.ReadDir(s.Repositories)
	if err != nil {
		return fmt.Errorf("git server: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".git")
		dir := filepath.Join(s.Repositories, e.Name())
		if !ok || !e.IsDir() {
			continue
		}
		seen, err := readSeen(dir)
		if err != nil {
			s.Log.Warn("pushes before the start are not announced", "repository", name, "error", err)
		}
		if seen == nil {
			continue
		}
		now, err := refs(s.announce.ctx, dir)
		if err != nil {
			return fmt.Errorf("git server: repository %s: %w; remove the directory to start anew", dir, err)
		}
		for _, p := range changes(name, seen, now) {
			s.Log.Info("push before the start", "repository", p.Repository, "ref", p.Ref, "after", p.After)
			s.received(p)
		}
	}
	return nil
}

// changes lists the refs that differ, by name.
func changes(repository string, before, after map[string]string) []Push {
	all := maps.Clone(before)
	maps.Copy(all, after)
	var out []Push
	for _, ref := range slices.Sorted(maps.Keys(all)) {
		p := Push{Repository: repository, Ref: ref, Before: before[ref], After: after[ref]}
		if p.Before == p.After {
			continue
		}
		if p.Before == "" {
			p.Before = zero
		}
		if p.After == "" {
			p.After = zero
		}
		out = append(out, p)
	}
	return out
}

// readSeen returns nil without an error when nothing was recorded yet.
func readSeen(dir string) (map[string]string, error) {
	b, err := os.ReadFile(filepath.Join(dir, seenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	seen := map[string]string{}
	return seen, json.Unmarshal(b, &seen)
}

func writeSeen(dir string, seen map[string]string) error {
	b, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, seenFile), b, 0o644)
}
