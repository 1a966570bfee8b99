package system

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/local/system/observe"
)

// target is a commit that Flux is to bring the cluster to.
func (s *System) target(ctx context.Context, commit string) *flux.Target {
	return &flux.Target{Commit: commit, Contains: func(head, commit string) bool { return contains(ctx, s, head, commit) }}
}

// failure returns why the commit cannot be applied, or nil while it may be: pods that no waiting helps, or what Flux says.
// What is left of an earlier commit does not count, as a Kustomization that has not applied this one yet.
func failure(ctx context.Context, c *observe.Cluster, look *flux.Look, t *flux.Target) error {
	apps, err := c.Apps(ctx)
	if err != nil {
		return nil //nolint:nilerr // an API server that does not answer is no verdict
	}
	all := look.Kustomizations
	root := func(k flux.Item) bool { return k.Name == flux.Root && t.Untried(k) }
	for _, a := range apps {
		before := func(k flux.Item) bool { return t.Untried(k) && (a.Layer == "" || a.Layer == k.Name) }
		if a.Broken && !slices.ContainsFunc(all, root) && !slices.ContainsFunc(all, before) {
			return fmt.Errorf("app %s/%s: %s", a.Namespace, a.Name, a.Cause)
		}
	}
	return look.Failure(t, func(k flux.Item) bool { return over(k, apps) })
}

// over reports whether a Kustomization failed over a Deployment that has come
// up since. The Deployment's conditions are of its earlier template for a
// moment, and Flux gives up at once and looks again later.
func over(k flux.Item, apps []observe.App) bool {
	if k.Reason != "HealthCheckFailed" || !strings.Contains(k.Message, "[Deployment/") {
		return false
	}
	return !slices.ContainsFunc(apps, func(a observe.App) bool { return (a.Layer == "" || a.Layer == k.Name) && !a.Healthy() })
}
