package flux

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var (
	helmReleases = schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}
	gitRepos     = schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
)

// Root is the Kustomization that applies the layers, and the source that they come from.
const Root = "flux-system"

// HelmReleases lists Flux's HelmReleases.
func (c *Cluster) HelmReleases(ctx context.Context) ([]Item, error) {
	return c.Items(ctx, helmReleases, func(o *unstructured.Unstructured, i *Item) {
		i.Attempted, _, _ = unstructured.NestedString(o.Object, "status", "lastAttemptedRevision")
		if reason, message, failed := Condition(o, "Released", "False"); failed && i.Ready == "Unknown" {
			i.Retrying, i.Reason, i.Message = true, reason, message
		}
		if h, _, _ := unstructured.NestedSlice(o.Object, "status", "history"); len(h) > 0 {
			if m, ok := h[0].(map[string]any); ok {
				i.Revision, _ = m["chartVersion"].(string)
			}
		}
	})
}

// refused is the commit that source-controller could not verify.
var refused = regexp.MustCompile(`^signature verification of commit '([0-9a-f]+)' failed`)

// GitRepositories lists the platform's Git sources. One whose last commit is not signed by a key that it knows says so, and
// Attempted is that commit.
func (c *Cluster) GitRepositories(ctx context.Context) ([]Item, error) {
	all, err := c.Items(ctx, gitRepos, func(o *unstructured.Unstructured, i *Item) {
		i.Revision, _, _ = unstructured.NestedString(o.Object, "status", "artifact", "revision")
		// Ready is Unknown while the fetch is tried again.
		if reason, message, failed := Condition(o, "SourceVerified", "False"); failed {
			i.Ready, i.Reason, i.Message = "False", reason, message
			if commit := refused.FindStringSubmatch(message); commit != nil {
				i.Attempted = "sha1:" + commit[1]
			}
		}
	})
	return slices.DeleteFunc(all, func(i Item) bool { return i.Namespace == ServicesNamespace }), err
}

// Target is a commit that Flux is to bring the cluster to.
type Target struct {
	Commit string
	// Contains reports whether a later commit holds it: Flux itself commits image tags at any time. Nil: only the commit itself counts.
	Contains func(head, commit string) bool

	known map[string]bool // heads that were asked for
}

// In reports whether a revision of Flux, "main@sha1:<commit>", holds the target.
func (t *Target) In(revision string) bool {
	head := revision[strings.LastIndex(revision, ":")+1:]
	if head == t.Commit || head == "" || t.Contains == nil {
		return head == t.Commit
	}
	holds, asked := t.known[head]
	if !asked {
		if holds = t.Contains(head, t.Commit); t.known == nil {
			t.known = map[string]bool{}
		}
		t.known[head] = holds
	}
	return holds
}

// Untried reports whether a Kustomization has not yet come to an end with the target.
func (t *Target) Untried(k Item) bool {
	return !k.Suspended && (k.Stale || !t.In(k.Attempted) || k.Ready != "True" && !k.Checking && !k.Failed())
}

// Look is what Flux says of the platform at one time.
type Look struct {
	Kustomizations, HelmReleases, GitRepositories []Item
}

// Look asks for everything once.
func (c *Cluster) Look(ctx context.Context) (*Look, error) {
	var l Look
	for _, kind := range []struct {
		list func(context.Context) ([]Item, error)
		into *[]Item
	}{{c.GitRepositories, &l.GitRepositories}, {c.Kustomizations, &l.Kustomizations}, {c.HelmReleases, &l.HelmReleases}} {
		var err error
		if *kind.into, err = kind.list(ctx); err != nil {
			return nil, err
		}
	}
	return &l, nil
}

// Applied returns nil when Flux has brought the cluster to the commit: every Kustomization that is not optional applied it and is
// ready, and so is every HelmRelease. The error says what is missing.
func (l *Look) Applied(t *Target) error {
	if len(l.Kustomizations) < 2 {
		return errors.New("the Kustomizations of the environment are not there yet")
	}
	var missing []string
	for _, k := range l.Kustomizations {
		if !k.Suspended && !k.Optional && (k.Ready != "True" || !t.In(k.Revision)) {
			missing = append(missing, k.Describe("Kustomization"))
		}
	}
	for _, r := range l.HelmReleases {
		if !r.Suspended && r.Ready != "True" {
			missing = append(missing, r.Describe("HelmRelease"))
		}
	}
	if len(missing) == 0 {
		return nil
	}
	// What failed tells more than what waits for it.
	slices.SortStableFunc(missing, func(a, b string) int { return strings.Count(b, ": ") - strings.Count(a, ": ") })
	return errors.New(strings.Join(missing, "; "))
}

// Describe names an item of a kind, and says why it failed if it did.
func (i Item) Describe(kind string) string {
	if i.Failed() {
		return fmt.Sprintf("%s %s: %s: %s", kind, i.Name, i.Reason, i.Message)
	}
	return kind + " " + i.Name
}

// Failure returns why the commit cannot be applied, or nil while it may be: a Kustomization that tried this commit and failed,
// or a source that cannot be read. What is left of an earlier commit does not count, nor does a failure that excused knows to
// be over; excused may be nil.
func (l *Look) Failure(t *Target, excused func(Item) bool) error {
	// The layers may have tried this commit before the root applied their own change, such as an image.
	if !slices.ContainsFunc(l.Kustomizations, func(k Item) bool { return k.Name == Root && t.Untried(k) }) {
		for _, k := range l.Kustomizations {
			if k.Failed() && !k.Optional && !t.Untried(k) && (excused == nil || !excused(k)) {
				return errors.New(k.Describe("Kustomization"))
			}
		}
	}
	for _, g := range l.GitRepositories {
		// Others may wait for credentials of their own. With new keys the commit before is refused until this one comes.
		if g.Failed() && g.Name == Root && (g.Attempted == "" || t.In(g.Attempted)) {
			return errors.New(g.Describe("GitRepository"))
		}
	}
	return nil
}

// Tried reports whether every Kustomization has begun with the target.
func (l *Look) Tried(t *Target) bool {
	return len(l.Kustomizations) > 1 && !slices.ContainsFunc(l.Kustomizations, func(k Item) bool { return !k.Suspended && !k.Optional && !t.In(k.Attempted) })
}
