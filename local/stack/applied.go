package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/stack/observe"
)

// target is a commit that Flux is to bring the cluster to. A later one holds
// it: Flux itself commits image tags at any time.
type target struct {
	commit string
	// contains asks the repository; nil where there is none.
	contains func(head, commit string) bool
	known    map[string]bool // revisions that were asked for
}

func (s *Stack) target(ctx context.Context, commit string) *target {
	return &target{commit: commit, contains: func(head, commit string) bool { return contains(ctx, s, head, commit) }}
}

// in reports whether a revision of Flux, "main@sha1:<commit>", holds the
// target.
func (t *target) in(revision string) bool {
	head := revision[strings.LastIndex(revision, ":")+1:]
	if head == t.commit || head == "" || t.contains == nil {
		return head == t.commit
	}
	holds, asked := t.known[head]
	if !asked {
		if holds = t.contains(head, t.commit); t.known == nil {
			t.known = map[string]bool{}
		}
		t.known[head] = holds
	}
	return holds
}

// applied returns nil when Flux has brought the cluster to the commit: every
// Kustomization applied it and is ready, and so is every HelmRelease. The
// error says what is missing.
func applied(ctx context.Context, c *observe.Cluster, t *target) error {
	all, err := c.Kustomizations(ctx)
	if err != nil {
		return err
	}
	if len(all) < 2 {
		return errors.New("the Kustomizations of the environment are not there yet")
	}
	var missing []string
	for _, k := range all {
		if !k.Suspended && (k.Ready != "True" || !t.in(k.Revision)) {
			missing = append(missing, describe("Kustomization", k))
		}
	}
	releases, err := c.HelmReleases(ctx)
	if err != nil {
		return err
	}
	for _, r := range releases {
		if !r.Suspended && r.Ready != "True" {
			missing = append(missing, describe("HelmRelease", r))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// What failed tells more than what waits for it.
	slices.SortStableFunc(missing, func(a, b string) int { return strings.Count(b, ": ") - strings.Count(a, ": ") })
	return errors.New(strings.Join(missing, "; "))
}

func describe(kind string, i observe.Item) string {
	if i.Failed() {
		return fmt.Sprintf("%s %s: %s: %s", kind, i.Name, i.Reason, i.Message)
	}
	return kind + " " + i.Name
}

// failure returns why the commit cannot be applied, or nil while it may be:
// pods that no waiting helps, or a Kustomization that tried this commit and
// failed. What is left of an earlier commit does not count: what a Kustomization
// has not applied yet, and a layer that tried this commit before the root
// applied the layer's own change, such as an image.
func failure(ctx context.Context, c *observe.Cluster, t *target) error {
	all, err := c.Kustomizations(ctx)
	if err != nil {
		return nil //nolint:nilerr // an apiserver that does not answer is no verdict
	}
	untried := func(k observe.Item) bool {
		return !k.Suspended && (k.Stale || !t.in(k.Attempted) || k.Ready != "True" && !k.Checking && !k.Failed())
	}
	if slices.ContainsFunc(all, func(k observe.Item) bool { return k.Name == rootKustomization && untried(k) }) {
		return failedSource(ctx, c)
	}
	apps, err := c.Apps(ctx)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	for _, a := range apps {
		before := func(k observe.Item) bool { return untried(k) && (a.Layer == "" || a.Layer == k.Name) }
		if a.Broken && !slices.ContainsFunc(all, before) {
			return fmt.Errorf("app %s/%s: %s", a.Namespace, a.Name, a.Cause)
		}
	}
	for _, k := range all {
		if k.Failed() && !untried(k) && !over(k, apps) {
			return errors.New(describe("Kustomization", k))
		}
	}
	return failedSource(ctx, c)
}

// over reports whether a Kustomization failed over a Deployment that has come
// up since. The Deployment's conditions are of its earlier template for a
// moment, and Flux gives up at once and looks again later.
func over(k observe.Item, apps []observe.App) bool {
	if k.Reason != "HealthCheckFailed" || !strings.Contains(k.Message, "[Deployment/") {
		return false
	}
	return !slices.ContainsFunc(apps, func(a observe.App) bool { return (a.Layer == "" || a.Layer == k.Name) && !a.Healthy() })
}

// rootKustomization applies the layers.
const rootKustomization = "flux-system"

func failedSource(ctx context.Context, c *observe.Cluster) error {
	sources, err := c.GitRepositories(ctx)
	if err != nil {
		return nil //nolint:nilerr // an apiserver that does not answer is no verdict
	}
	for _, g := range sources {
		if g.Failed() {
			return errors.New(describe("GitRepository", g))
		}
	}
	return nil
}
