package system

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/local/system/observe"
)

func kustomization(name, applied, attempted, ready, reason string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
		"metadata": map[string]any{"name": name, "namespace": "flux-system", "generation": int64(1)},
		"spec":     map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": flux.Root}},
		"status": map[string]any{
			"observedGeneration": int64(1), "lastAppliedRevision": "main@sha1:" + applied, "lastAttemptedRevision": "main@sha1:" + attempted,
			"conditions": []any{
				map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"},
				map[string]any{"type": "Healthy", "status": "Unknown", "message": "Running health checks for revision main@sha1:" + attempted + " with a timeout of 10m0s"},
			},
		},
	}}
}

func cluster(kube []runtime.Object, objects ...runtime.Object) *observe.Cluster {
	kinds := map[schema.GroupVersionResource]string{}
	for group, kind := range map[string]string{"kustomize.toolkit.fluxcd.io/v1/kustomizations": "KustomizationList", "helm.toolkit.fluxcd.io/v2/helmreleases": "HelmReleaseList", "source.toolkit.fluxcd.io/v1/gitrepositories": "GitRepositoryList", "/v1/events": "EventList"} {
		p := strings.Split(group, "/")
		kinds[schema.GroupVersionResource{Group: p[0], Version: p[1], Resource: p[2]}] = kind
	}
	return &observe.Cluster{Kube: fake.NewClientset(kube...), Cluster: flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds, objects...)}}
}

// because gives a condition of a Kustomization another message.
func because(k *unstructured.Unstructured, kind, message string) *unstructured.Unstructured {
	conditions, _, _ := unstructured.NestedSlice(k.Object, "status", "conditions")
	for _, c := range conditions {
		if m, ok := c.(map[string]any); ok && m["type"] == kind {
			m["message"] = message
		}
	}
	_ = unstructured.SetNestedSlice(k.Object, conditions, "status", "conditions")
	return k
}

// newer is the commit "new" of a repository that has "newest" after it.
func newer() *flux.Target {
	return &flux.Target{Commit: "new", Contains: func(head, commit string) bool { return head == "newest" && commit == "new" }}
}

func brokenApp() []runtime.Object {
	labels := map[string]string{"app": "ghost"}
	return []runtime.Object{
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "ghost", Namespace: "ghost"}, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}}},
		&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "ghost-1", Namespace: "ghost", Labels: labels}, Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no tag x"}},
		}}}},
	}
}

func TestAppliedAndFailure(t *testing.T) {
	for name, c := range map[string]struct {
		kube             []runtime.Object
		flux             []runtime.Object
		missing, failure string // empty: none
	}{
		"nothing yet": {missing: "not there yet"},
		"applied":     {flux: []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "new", "new", "True", "Ok")}},
		"a later commit, by Flux": {
			flux: []runtime.Object{kustomization("a", "newest", "newest", "True", "Ok"), kustomization("b", "new", "new", "True", "Ok")},
		},
		"a later commit failed": {
			flux:    []runtime.Object{kustomization("a", "new", "newest", "False", "BuildFailed"), kustomization("b", "new", "new", "True", "Ok")},
			missing: "a: BuildFailed", failure: "a: BuildFailed: because",
		},
		"old commit": {flux: []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "old", "old", "True", "Ok")}, missing: "Kustomization b"},
		"waits":      {flux: []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "old", "new", "False", "DependencyNotReady")}, missing: "Kustomization b"},
		"failed": {
			flux:    []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "old", "new", "False", "BuildFailed")},
			missing: "b: BuildFailed: because", failure: "b: BuildFailed: because",
		},
		"failed before": {
			flux:    []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "older", "old", "False", "BuildFailed")},
			missing: "b: BuildFailed",
		},
		"no image": {
			kube: brokenApp(), flux: []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "old", "new", "Unknown", "Progressing")},
			missing: "Kustomization b", failure: "app ghost/ghost: ImagePullBackOff: no tag x",
		},
		"a layer tried the commit with the image that it takes back": {
			kube:    brokenApp(),
			flux:    []runtime.Object{kustomization("flux-system", "old", "old", "Unknown", "Progressing"), kustomization("apps", "old", "new", "False", "HealthCheckFailed")},
			missing: "apps: HealthCheckFailed",
		},
		"a Deployment came up after Flux gave up": {
			flux:    []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), because(kustomization("b", "old", "new", "False", "HealthCheckFailed"), "Ready", "[Deployment/ghost/ghost status: 'Failed']")},
			missing: "b: HealthCheckFailed",
		},
		"no image, and the commit that takes it back is not applied yet": {
			kube:    brokenApp(),
			flux:    []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), because(kustomization("b", "old", "new", "Unknown", "Progressing"), "Healthy", "Running health checks for revision main@sha1:old with")},
			missing: "Kustomization b",
		},
		"the root failed": {
			flux:    []runtime.Object{kustomization("flux-system", "old", "new", "False", "BuildFailed"), kustomization("apps", "old", "old", "True", "Ok")},
			missing: "flux-system: BuildFailed", failure: "flux-system: BuildFailed: because",
		},
		"no image before, the revert is on its way": {
			kube: brokenApp(), flux: []runtime.Object{kustomization("a", "new", "new", "True", "Ok"), kustomization("b", "older", "old", "Unknown", "Progressing")},
			missing: "Kustomization b",
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := cluster(c.kube, c.flux...)
			look, err := k.Look(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for what, x := range map[string]struct {
				got  error
				want string
			}{"missing": {look.Applied(newer()), c.missing}, "failure": {failure(t.Context(), k, look, newer()), c.failure}} {
				if x.want == "" && x.got != nil || x.want != "" && (x.got == nil || !strings.Contains(x.got.Error(), x.want)) {
					t.Errorf("%s: got %v, want %q", what, x.got, x.want)
				}
			}
		})
	}
}
