package status

import (
	"context"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
)

// trials are when Flux began with the commit, and with what was published of each service, as this process saw it.
type trials map[string]time.Time

// platform stands in trials for everything that is no service: a service cannot have this name.
const platform = ""

// note keeps the first time at which something was tried.
func (t trials) note(of string, tried bool) {
	if _, known := t[of]; tried && !known {
		t[of] = time.Now()
	}
}

// since is the time from which failures in a namespace count: some time after its trial, because the pods of the commit before are
// gone by then. It is zero where nothing was tried.
func (t trials) since(namespace string, services map[string]bool) time.Time {
	of := platform
	if services[namespace] {
		of = namespace
	}
	at, tried := t[of]
	if !tried {
		return time.Time{}
	}
	return at.Add(patience)
}

// pods looks for pods that no waiting helps, those of services that were not published left out: each is its owner's. Flux itself
// finds out when the time for their rollout is over.
func (s Source) pods(ctx context.Context, now *Status, look *flux.Look, tried trials) {
	if now.State != Applying || s.Failure != nil {
		return
	}
	tried.note(platform, look.Tried(s.target(ctx)))
	for _, k := range now.Services {
		tried.note(k.Service, k.in(k.Attempted))
	}
	if len(tried) == 0 {
		return
	}
	items, err := s.Cluster.Services(ctx)
	if err != nil {
		return // an API server that does not answer is no verdict
	}
	services := map[string]bool{}
	for _, i := range items {
		services[i.Name] = true
	}
	if cause := s.Cluster.PodFailure(ctx, func(namespace string) time.Time { return tried.since(namespace, services) }); cause != nil {
		now.worse(Failed, cause.Error())
	}
}
