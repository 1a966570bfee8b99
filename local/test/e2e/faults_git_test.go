//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	commitstatus "k8s-plus-aws-gitops/internal/status"
	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// decoded is the status that a command wrote, whatever its exit code.
func decoded(out string, err error) (*commitstatus.Status, error) {
	now := &commitstatus.Status{}
	if jerr := json.Unmarshal([]byte(out), now); jerr != nil {
		return nil, errors.Join(err, jerr)
	}
	return now, err
}

// gitGone stops the Git server while a commit is being planned. At first it takes connections and says nothing, then it takes
// none. All that serves goes on, and afterwards both halves of the commit arrive.
func (s *system) gitGone(ctx context.Context) (string, error) {
	gone, _, err := outage()
	if err != nil {
		return "", err
	}
	sets, days, err := s.moreOfBoth()
	if err != nil {
		return "", err
	}
	commit, err := s.sent(ctx, "On its way when Git goes")
	if err == nil {
		err = s.atStage(ctx, commit, "Plan")
	}
	if err != nil {
		return "", err
	}
	load, began := s.startLoad(ctx), time.Now()
	said, err := s.withoutGit(ctx, gone)
	took, back := time.Since(began), time.Now()
	if err == nil {
		err = s.arrives(ctx, commit, sets, days, "does not answer", &said)
	}
	healed := time.Since(back)
	total, failed := load()
	if err == nil && (len(failed) > 0 || total == 0) {
		err = fmt.Errorf("%d of %d requests failed: %v", len(failed), total, failed)
	}
	return fmt.Sprintf("gone for %.0f s: %s; both halves %.0f s after it was back; %d requests, %d failed", took.Seconds(), said, healed.Seconds(), total, len(failed)), err
}

// arrives waits until both halves of a commit are there: by themselves, or, where the deployment failed meanwhile with the
// cause, by the command that status names. It appends which to what was said.
func (s *system) arrives(ctx context.Context, commit string, sets, days int, cause string, said *string) error {
	e, err := s.ended(ctx, commit)
	if err != nil {
		return err
	}
	how := "by itself"
	if e.Status == pipelines.Failed {
		log := ""
		for _, x := range pipelines.WithTails([]*pipelines.Execution{e}) {
			log = strings.Join(x.LogTail, "\n")
		}
		if !containsAny(e.Reason+log, cause) {
			return fmt.Errorf("stage %s failed without naming %q: %s", e.Stage, cause, lastText(e.Reason+"\n"+log))
		}
		if how, err = s.again(ctx, commit); err != nil {
			return err
		}
		how = fmt.Sprintf("%s failed (%.120s); by `%s`", e.Stage, e.Reason, how)
	}
	*said += "; " + how
	if _, err := s.settled(ctx); err != nil {
		return err
	}
	return s.hasBoth(ctx, sets, days)
}

// containsAny reports whether a text has one of some words, which a bar parts.
func containsAny(text, words string) bool {
	return slices.ContainsFunc(strings.Split(words, "|"), func(w string) bool { return strings.Contains(text, w) })
}

// withoutGit takes Git away for a while, and returns what status said.
func (s *system) withoutGit(ctx context.Context, gone time.Duration) (said string, err error) {
	end := time.Now().Add(gone)
	pids := map[string]int{}
	for _, name := range []string{"git", "supervisor", "watchdog"} {
		if pids[name], err = s.pid(ctx, name); err != nil {
			return "", err
		}
	}
	signal := func(sig syscall.Signal, names ...string) error {
		var all []error
		for _, name := range names {
			all = append(all, syscall.Kill(pids[name], sig))
		}
		return errors.Join(all...)
	}
	// One that was killed in between is gone already.
	defer func() {
		if cerr := signal(syscall.SIGCONT, "supervisor", "watchdog"); err == nil {
			err = cerr
		}
		_ = signal(syscall.SIGCONT, "git")
	}()
	if err := signal(syscall.SIGSTOP, "git"); err != nil {
		return "", err
	}
	silent, err := s.seesGitGone(ctx)
	if err != nil {
		return "", fmt.Errorf("a Git server that says nothing: %w", err)
	}
	// Whoever would start it again must not.
	if err := errors.Join(signal(syscall.SIGSTOP, "watchdog", "supervisor"), signal(syscall.SIGKILL, "git")); err != nil {
		return "", err
	}
	refused, err := s.seesGitGone(ctx)
	if err != nil {
		return "", fmt.Errorf("a Git server that takes no connection: %w", err)
	}
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case <-time.After(time.Until(end)):
	}
	return fmt.Sprintf("status and Flux say it after %.0f s, and %.0f s when connections are refused", silent, refused), nil
}

// seesGitGone asks Flux to fetch, and returns after how many seconds both Flux and status have said what is wrong.
func (s *system) seesGitGone(ctx context.Context) (float64, error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := patch(ctx, c, sources, "flux-system", map[string]any{"metadata": map[string]any{"annotations": map[string]any{
		"reconcile.fluxcd.io/requestedAt": began.Format(time.RFC3339Nano)}}}); err != nil {
		return 0, err
	}
	err = until(ctx, 5*time.Minute, "Flux and status to say that Git is gone", func() error {
		now, err := s.where(ctx, "")
		if err == nil || !strings.Contains(err.Error(), "the host does not answer: what runs goes on as it is; try again when it does") {
			return fmt.Errorf("status has no remedy: %w", errors.Join(err, errors.New("it succeeded")))
		}
		if now == nil {
			return err
		}
		for _, o := range now.Objects {
			if o.Kind == "GitRepository" && o.Name == "flux-system" && o.Ready != "True" && o.Message != "" && o.Failed() {
				return nil
			}
		}
		return fmt.Errorf("of Flux's source, status says %+v", now.Objects)
	})
	return time.Since(began).Seconds(), err
}
