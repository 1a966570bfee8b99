package stack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/stack/observe"
)

// applied returns nil when Flux has brought the cluster to the commit: every
// Kustomization applied it and is ready, and so is every HelmRelease. The
// error says what is missing.
func applied(ctx context.Context, c *observe.Cluster, commit string) error {
	all, err := c.Kustomizations(ctx)
	if err != nil {
		return err
	}
	if len(all) < 2 {
		return errors.New("the Kustomizations of the environment are not there yet")
	}
	var missing []string
	for _, k := range all {
		if !k.Suspended && (k.Ready != "True" || !strings.HasSuffix(k.Revision, commit)) {
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
// failed. What is left of an earlier commit does not count.
func failure(ctx context.Context, c *observe.Cluster, commit string) error {
	all, err := c.Kustomizations(ctx)
	if err != nil {
		return nil //nolint:nilerr // an apiserver that does not answer is no verdict
	}
	untried := func(k observe.Item) bool { return !k.Suspended && !strings.HasSuffix(k.Attempted, commit) }
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
		if k.Failed() && !untried(k) {
			return errors.New(describe("Kustomization", k))
		}
	}
	sources, err := c.GitRepositories(ctx)
	if err != nil {
		return nil //nolint:nilerr // see above
	}
	for _, g := range sources {
		if g.Failed() {
			return errors.New(describe("GitRepository", g))
		}
	}
	return nil
}
