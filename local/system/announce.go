package system

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/local/git"
	"k8s-plus-aws-gitops/local/system/source"
)

// Names of the repositories of the Git server.
const (
	platformRepository  = "platform"
	manifestsRepository = "manifests"
)

// deliveries is how many events are on their way at once: a fleet's publication changes a thousand branches.
const deliveries = 8

// announcer tells Flux of pushes, as the webhooks of both repositories do at a Git host. Both go to the same Receiver,
// whose filter wakes the one source that a push is about.
func announcer(hook git.Webhook, log *slog.Logger) func(context.Context, git.Push) {
	slots := make(chan struct{}, deliveries)
	return func(ctx context.Context, push git.Push) {
		if !concernsFlux(push) {
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-ctx.Done():
			return
		}
		// Without a Receiver nobody follows the branches yet, and Flux will find them as they are.
		if _, err := hook.URL(ctx); push.Repository == manifestsRepository && apierrors.IsNotFound(err) {
			return
		}
		if err := hook.Send(ctx, push); err != nil {
			log.Error("Flux was not told of the push", "repository", push.Repository, "ref", push.Ref, "error", err)
		}
	}
}

// concernsFlux leaves out what no source follows: tags, branches that are gone, and of the platform all but the branch
// of the environment, whose first push is the one that Flux begins with, and the released one.
func concernsFlux(push git.Push) bool {
	switch push.Repository {
	case platformRepository:
		followed := push.Ref == "refs/heads/"+source.Branch || strings.HasPrefix(push.Ref, "refs/heads/"+config.ReleasedPrefix)
		return followed && !push.Created() && !push.Deleted()
	case manifestsRepository:
		return strings.HasPrefix(push.Ref, "refs/heads/") && !push.Deleted()
	}
	return false
}

// memory is how long an answer holds that many events ask for; shorter than the pauses in which one is tried again.
const memory = 2 * time.Second

// briefly remembers a good answer for a moment.
func briefly(ask func(context.Context) (string, error)) func(context.Context) (string, error) {
	var mu sync.Mutex
	var answer string
	var until time.Time
	return func(ctx context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if time.Now().Before(until) {
			return answer, nil
		}
		got, err := ask(ctx)
		if err == nil {
			answer, until = got, time.Now().Add(memory)
		}
		return got, err
	}
}
