package flux

import (
	"context"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// kustomization has applied and attempted a commit.
func kustomization(name, applied, attempted, ready, reason string) *unstructured.Unstructured {
	o := object("Kustomization", "kustomize.toolkit.fluxcd.io/v1", name, 1, 1, map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"},
		map[string]any{"lastAppliedRevision": "main@sha1:" + applied, "lastAttemptedRevision": "main@sha1:" + attempted})
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	conditions = append(conditions, map[string]any{"type": "Healthy", "status": "Unknown", "message": "Running health checks for revision main@sha1:" + attempted + " with a timeout of 10m0s"})
	_ = unstructured.SetNestedSlice(o.Object, conditions, "status", "conditions") // of our own object
	return o
}

// suspended is one that Flux leaves alone.
func suspended(o *unstructured.Unstructured) *unstructured.Unstructured {
	_ = unstructured.SetNestedField(o.Object, true, "spec", "suspend")
	return o
}

func helmRelease(name, ready, reason string, more ...any) *unstructured.Unstructured {
	o := object("HelmRelease", "helm.toolkit.fluxcd.io/v2", name, 1, 1, map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"},
		map[string]any{"history": []any{map[string]any{"chartVersion": "1.2.3"}}})
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	_ = unstructured.SetNestedSlice(o.Object, append(conditions, more...), "status", "conditions")
	return o
}

func gitRepository(name, ready, reason string) *unstructured.Unstructured {
	return object("GitRepository", "source.toolkit.fluxcd.io/v1", name, 1, 1, map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"}, nil)
}

// unverified is a source whose commit has no signature that counts; Flux tries again.
func unverified(commit string) *unstructured.Unstructured {
	o := gitRepository(Root, "Unknown", "ProgressingWithRetry")
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	_ = unstructured.SetNestedSlice(o.Object, append(conditions, map[string]any{
		"type": "SourceVerified", "status": "False", "reason": "InvalidCommitSignature",
		"message": "signature verification of commit '" + commit + "' failed: unable to verify Git commit: no matching key",
	}), "status", "conditions") // of our own object
	return o
}

// newer is the commit "new" of a repository that has "newest" after it.
func newer() *Target {
	return &Target{Commit: "new", Contains: func(head, commit string) bool {
		return slices.Contains([]string{"newest", "fade"}, head) && commit == "new"
	}}
}

// look is at a cluster that has objects.
func look(t *testing.T, objects ...runtime.Object) *Look {
	t.Helper()
	l, err := fakeDynamic(objects...).Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestAppliedAndFailure(t *testing.T) {
	done := kustomization("a", "new", "new", "True", "Ok")
	for name, c := range map[string]struct {
		objects          []runtime.Object
		excused          func(Item) bool
		missing, failure string // empty: none
	}{
		"nothing yet":                         {missing: "not there yet"},
		"applied":                             {objects: []runtime.Object{done, kustomization("b", "new", "new", "True", "Ok")}},
		"a later commit, by Flux":             {objects: []runtime.Object{kustomization("a", "newest", "newest", "True", "Ok"), kustomization("b", "new", "new", "True", "Ok")}},
		"old commit":                          {objects: []runtime.Object{done, kustomization("b", "old", "old", "True", "Ok")}, missing: "Kustomization b"},
		"old commit that Flux leaves alone":   {objects: []runtime.Object{done, suspended(kustomization("b", "old", "old", "True", "Ok"))}},
		"waits":                               {objects: []runtime.Object{done, kustomization("b", "old", "new", "False", "DependencyNotReady")}, missing: "Kustomization b"},
		"failed":                              {objects: []runtime.Object{done, kustomization("b", "old", "new", "False", "BuildFailed")}, missing: "b: BuildFailed: because", failure: "b: BuildFailed: because"},
		"failed before":                       {objects: []runtime.Object{done, kustomization("b", "older", "old", "False", "BuildFailed")}, missing: "b: BuildFailed"},
		"failed, and somebody knows that not": {objects: []runtime.Object{done, kustomization("b", "old", "new", "False", "HealthCheckFailed")}, excused: func(i Item) bool { return i.Name == "b" }, missing: "b: HealthCheckFailed"},
		"a later commit failed": {
			objects: []runtime.Object{kustomization("a", "new", "newest", "False", "BuildFailed"), kustomization("b", "new", "new", "True", "Ok")},
			missing: "a: BuildFailed", failure: "a: BuildFailed: because",
		},
		"what failed is said before what waits": {
			objects: []runtime.Object{kustomization("a", "old", "old", "True", "Ok"), kustomization("b", "old", "new", "False", "BuildFailed")},
			missing: "Kustomization b: BuildFailed: because; Kustomization a", failure: "b: BuildFailed: because",
		},
		"the root failed": {
			objects: []runtime.Object{kustomization(Root, "old", "new", "False", "BuildFailed"), kustomization("apps", "old", "old", "True", "Ok")},
			missing: "flux-system: BuildFailed", failure: "flux-system: BuildFailed: because",
		},
		"a layer tried the commit before the root": {
			objects: []runtime.Object{kustomization(Root, "old", "old", "Unknown", "Progressing"), kustomization("apps", "old", "new", "False", "HealthCheckFailed")},
			missing: "apps: HealthCheckFailed",
		},
		"a chart is not ready": {objects: []runtime.Object{done, kustomization("b", "new", "new", "True", "Ok"), helmRelease("dns", "Unknown", "Progressing")}, missing: "HelmRelease dns"},
		"a chart is tried again": {
			objects: []runtime.Object{done, kustomization("b", "new", "new", "True", "Ok"), helmRelease("dns", "Unknown", "Progressing", map[string]any{"type": "Released", "status": "False", "reason": "UpgradeFailed", "message": "timeout"})},
			missing: "HelmRelease dns: UpgradeFailed: timeout",
		},
		"a source that cannot be read": {
			objects: []runtime.Object{kustomization("a", "old", "old", "True", "Ok"), kustomization("b", "old", "old", "True", "Ok"), gitRepository(Root, "False", "GitOperationFailed")},
			missing: "Kustomization a; Kustomization b", failure: "GitRepository flux-system: GitOperationFailed: because",
		},
		"a commit that is not signed": {
			objects: []runtime.Object{kustomization("a", "old", "old", "True", "Ok"), kustomization("b", "old", "old", "True", "Ok"), unverified("fade")},
			missing: "Kustomization a", failure: "GitRepository flux-system: InvalidCommitSignature: signature verification of commit 'fade' failed",
		},
		"the commit before is not signed, and keys are new": {
			objects: []runtime.Object{kustomization("a", "old", "old", "True", "Ok"), kustomization("b", "old", "old", "True", "Ok"), unverified("0bad")},
			missing: "Kustomization a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := look(t, c.objects...)
			for what, x := range map[string]struct {
				got  error
				want string
			}{"missing": {l.Applied(newer()), c.missing}, "failure": {l.Failure(newer(), c.excused), c.failure}} {
				if x.want == "" && x.got != nil || x.want != "" && (x.got == nil || !strings.Contains(x.got.Error(), x.want)) {
					t.Errorf("%s: got %v, want %q", what, x.got, x.want)
				}
			}
		})
	}
}

// A head is asked about once; one that no repository knows does not count.
func TestTarget(t *testing.T) {
	asked := 0
	target := &Target{Commit: "new", Contains: func(head, _ string) bool { asked++; return head == "newest" }}
	for revision, want := range map[string]bool{"main@sha1:new": true, "main@sha1:newest": true, "main@sha1:old": false, "": false} {
		for range 2 {
			if target.In(revision) != want {
				t.Errorf("%q is in the target: %t", revision, !want)
			}
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
	if (&Target{Commit: "new"}).In("main@sha1:newest") {
		t.Error("without a repository another commit counts")
	}
}

// The services' source is no part of the platform, and a chart's version is its revision.
func TestSourcesAndCharts(t *testing.T) {
	ours, theirs := gitRepository(Root, "True", "Succeeded"), gitRepository("npm", "True", "Succeeded")
	theirs.SetNamespace(ServicesNamespace)
	k := fakeDynamic(ours, theirs, helmRelease("dns", "True", "UpgradeSucceeded"))
	for kind, list := range map[string]func(context.Context) ([]Item, error){Root: k.GitRepositories, "dns": k.HelmReleases} {
		items, err := list(t.Context())
		if err != nil || len(items) != 1 || items[0].Name != kind || kind == "dns" && items[0].Revision != "1.2.3" {
			t.Errorf("%s: %+v, %v", kind, items, err)
		}
	}
}

// Image automation has no credentials until somebody stores them: a release does not wait for it, nor fail over it.
func TestAppliedWithoutWhatTheRootDoesNotWaitFor(t *testing.T) {
	const api = "kustomize.toolkit.fluxcd.io/v1"
	at := func(name, owner string, ready map[string]any) *unstructured.Unstructured {
		o := object("Kustomization", api, name, 1, 1, ready, map[string]any{"lastAppliedRevision": "main@sha1:new", "lastAttemptedRevision": "main@sha1:new"})
		o.SetLabels(map[string]string{"kustomize.toolkit.fluxcd.io/name": owner})
		return o
	}
	well := map[string]any{"type": "Ready", "status": "True"}
	ill := map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "message": "no credentials"}
	root := at(Root, Root, well)
	_ = unstructured.SetNestedSlice(root.Object, []any{map[string]any{"kind": "Kustomization", "name": "services"}}, "spec", "healthChecks")
	for name, c := range map[string]struct {
		automation, part map[string]any
		want             string
	}{
		"image automation waits":  {ill, well, ""},
		"a part of a layer fails": {well, ill, "Kustomization services-0"},
	} {
		t.Run(name, func(t *testing.T) {
			l := look(t, root, at("services", Root, well), at("services-0", "services", c.part), at("image-automation", Root, c.automation))
			missing, failed := l.Applied(&Target{Commit: "new"}), l.Failure(&Target{Commit: "new"}, nil)
			for _, err := range []error{missing, failed} {
				if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
		})
	}
}
