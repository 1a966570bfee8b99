package deploy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/stack/layout"
	"k8s-plus-aws-gitops/local/stack/source"
)

// Queue deploys what was pushed, one commit at a time; while one is deployed
// only the newest of those that wait is kept. What waits or runs is written
// down, so that a killed process takes it up again.
type Queue struct {
	Deployer Deployer
	Log      *slog.Logger

	wake chan struct{}
}

// NewQueue makes a queue; Run works on it.
func NewQueue(d Deployer, log *slog.Logger) *Queue {
	return &Queue{Deployer: d, Log: log, wake: make(chan struct{}, 1)}
}

func wantedFile(d *layout.Dir) string { return d.Path("deployments", "wanted") }

// Pushed looks at a push to the branch and queues its commit when it touches
// the AWS half. It reports whether it did.
func (q *Queue) Pushed(ctx context.Context, before, after string) (bool, error) {
	dir := q.Deployer.Dir
	files, err := source.Changed(ctx, dir.Repository(), before, after)
	if err != nil {
		// A rewritten branch: deploy rather than miss a change.
		q.Log.Warn("the pushed range cannot be read, deploying", "error", err)
		files = []string{"cdk.json"}
	}
	for _, f := range files {
		if !source.TouchesAWS(f) {
			continue
		}
		if err := layout.WriteFile(wantedFile(dir), []byte(after+"\n"), 0o600); err != nil {
			return false, err
		}
		select {
		case q.wake <- struct{}{}:
		default:
		}
		return true, nil
	}
	return false, nil
}

// Run deploys until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	for {
		commit, err := q.next()
		switch {
		case err != nil:
			q.Log.Error("deployment queue", "error", err)
		case commit != "":
			q.one(ctx, commit)
			if ctx.Err() != nil {
				return
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-q.wake:
		case <-time.After(5 * time.Second):
		}
	}
}

func (q *Queue) next() (string, error) {
	raw, err := os.ReadFile(wantedFile(q.Deployer.Dir))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(raw)), err
}

func (q *Queue) one(ctx context.Context, commit string) {
	q.Log.Info("deploying", "commit", commit)
	r, err := q.Deployer.Deploy(ctx, commit, io.Discard)
	if err != nil {
		q.Log.Error("deployment failed", "commit", commit, "error", err, "log", r.Log)
	} else {
		q.Log.Info("deployed", "commit", commit, "took", r.Ended.Sub(r.Started).Round(time.Second))
	}
	if ctx.Err() != nil {
		return // taken up again at the next start
	}
	if newest, err := q.next(); err == nil && newest == commit {
		if err := os.Remove(wantedFile(q.Deployer.Dir)); err != nil {
			q.Log.Error("deployment queue", "error", err)
		}
	}
}

// Wait waits until the deployment of a commit ended, or that of a later one
// that replaced it in the queue.
func Wait(ctx context.Context, d *layout.Dir, commit string, since time.Time) (Result, error) {
	for {
		for _, r := range Results(d) {
			if !r.Ended.IsZero() && !r.Started.Before(since) && (r.Commit == commit || Superseded(ctx, d, commit, r.Commit)) {
				return r, nil
			}
		}
		select {
		case <-ctx.Done():
			return Result{}, fmt.Errorf("no deployment of %.8s ended: %w", commit, context.Cause(ctx))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// Superseded reports whether commit is an ancestor of the one deployed.
func Superseded(ctx context.Context, d *layout.Dir, commit, deployed string) bool {
	ok, err := source.Contains(ctx, d.Repository(), deployed, commit)
	return err == nil && ok
}
