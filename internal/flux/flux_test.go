package flux

import (
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
)

func object(kind, api, name string, generation, seen int64, cond map[string]any, status map[string]any) *unstructured.Unstructured {
	if status == nil {
		status = map[string]any{}
	}
	status["observedGeneration"] = seen
	status["conditions"] = []any{cond}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": api, "kind": kind,
		"metadata": map[string]any{"name": name, "namespace": "flux-system", "generation": generation},
		"spec":     map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": Root}},
		"status":   status,
	}}
}

func fakeDynamic(objects ...runtime.Object) *Cluster {
	return &Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		kustomizations: "KustomizationList", helmReleases: "HelmReleaseList", gitRepos: "GitRepositoryList", events: "EventList", namespaces: "NamespaceList",
	}, objects...)}
}

func TestKustomizations(t *testing.T) {
	const api = "kustomize.toolkit.fluxcd.io/v1"
	c := fakeDynamic(
		object("Kustomization", api, "ok", 2, 2, map[string]any{"type": "Ready", "status": "True"}, map[string]any{"lastAppliedRevision": "main@sha1:abc"}),
		object("Kustomization", api, "stale", 3, 2, map[string]any{"type": "Ready", "status": "True"}, nil),
		object("Kustomization", api, "waits", 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "DependencyNotReady"}, nil),
		object("Kustomization", api, "newer", 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckCanceled"}, nil),
		object("Kustomization", api, "changed", 3, 2, map[string]any{"type": "Ready", "status": "False", "reason": "HealthCheckFailed", "observedGeneration": int64(2)}, nil),
		object("Kustomization", api, "broken", 1, 1, map[string]any{"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such file"}, nil),
	)
	items, err := c.Kustomizations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]Item{}
	for _, i := range items {
		got[i.Name] = i
	}
	if got["ok"].Ready != "True" || got["ok"].Revision != "main@sha1:abc" {
		t.Errorf("ok: %+v", got["ok"])
	}
	if got["stale"].Ready != "Unknown" {
		t.Errorf("stale: %+v", got["stale"])
	}
	if !got["changed"].Stale || got["broken"].Stale || got["newer"].Failed() {
		t.Errorf("changed: %+v, newer: %+v", got["changed"], got["newer"])
	}
	if got["waits"].Failed() || !got["broken"].Failed() {
		t.Errorf("failed: waits %v, broken %v", got["waits"].Failed(), got["broken"].Failed())
	}
}

// A team's own, which follow another source, never come to the platform's commit; they may have the layers' names.
func TestKustomizationsOfOthers(t *testing.T) {
	const api = "kustomize.toolkit.fluxcd.io/v1"
	ready := map[string]any{"type": "Ready", "status": "True"}
	root, apps := object("Kustomization", api, Root, 1, 1, ready, nil), object("Kustomization", api, "apps", 1, 1, ready, nil)
	theirs, elsewhere := object("Kustomization", api, "apps", 1, 1, ready, nil), object("Kustomization", api, "other", 1, 1, ready, nil)
	theirs.SetNamespace("team") // follows flux-system of its own namespace
	elsewhere.Object["spec"] = map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": "team"}}
	abroad := object("Kustomization", api, "abroad", 1, 1, ready, nil)
	abroad.SetNamespace("team")
	abroad.Object["spec"] = map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": Root, "namespace": Root}}
	items, err := fakeDynamic(root, apps, theirs, elsewhere, abroad).Kustomizations(t.Context())
	var got []string
	for _, i := range items {
		got = append(got, i.Namespace+"/"+i.Name)
	}
	if want := []string{"flux-system/apps", "flux-system/flux-system", "team/abroad"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("the platform's are %v, %v; want %v", got, err, want)
	}
}

func TestARetriedKustomizationTellsWhy(t *testing.T) {
	const api = "kustomize.toolkit.fluxcd.io/v1"
	retrying := func(name string) *unstructured.Unstructured {
		return object("Kustomization", api, name, 1, 1, map[string]any{"type": "Ready", "status": "Unknown", "reason": "Progressing"},
			map[string]any{"lastAppliedRevision": "main@sha1:old", "lastAttemptedRevision": "main@sha1:new"})
	}
	event := func(name, object, revision string, change ...func(*corev1.Event)) *unstructured.Unstructured {
		e := &corev1.Event{
			TypeMeta:       metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
			ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: "flux-system", Annotations: map[string]string{revisionAnnotation: revision}},
			InvolvedObject: corev1.ObjectReference{Kind: "Kustomization", Namespace: "flux-system", Name: object},
			Type:           corev1.EventTypeWarning, Reason: "ReconciliationFailed", Message: name,
		}
		for _, f := range change {
			f(e)
		}
		o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(e)
		if err != nil {
			t.Fatal(err)
		}
		return &unstructured.Unstructured{Object: o}
	}
	now := metav1.NewTime(time.Now())
	changed := retrying("taken-back")
	changed.SetManagedFields([]metav1.ManagedFieldsEntry{{Manager: "kustomize-controller", Operation: metav1.ManagedFieldsOperationApply, Time: &now}})
	before := event("before the change", "taken-back", "main@sha1:new", func(e *corev1.Event) { e.LastTimestamp = metav1.NewTime(now.Add(-10 * time.Second)) })
	c := fakeDynamic(retrying("broken"), retrying("first-try"), changed,
		event("the cause", "broken", "main@sha1:new"), event("an older cause", "first-try", "main@sha1:old"), before)
	items, err := c.Kustomizations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := items[0]; !i.Failed() || i.Message != "the cause" {
		t.Errorf("broken: %+v", i)
	}
	if i := items[1]; i.Failed() {
		t.Errorf("first-try: %+v", i)
	}
	if i := items[2]; i.Failed() {
		t.Errorf("taken-back: %+v", i)
	}
}

// A service is gone when neither its Kustomization nor its namespace is there.
func TestLeft(t *testing.T) {
	k := object("Kustomization", "kustomize.toolkit.fluxcd.io/v1", "npm", 1, 1, map[string]any{"type": "Ready", "status": "True"}, nil)
	k.SetNamespace(ServicesNamespace)
	n := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "npm"}}}
	for want, there := range map[string][]runtime.Object{"Kustomization services/npm": {k, n}, "namespace npm": {n}, "": nil} {
		if got, err := fakeDynamic(there...).Left(t.Context(), "npm"); err != nil || got != want {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
}
