package flux

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// warning is an event about a pod, some seconds after the release.
func warning(t *testing.T, kind, namespace, message string, after time.Duration) *unstructured.Unstructured {
	t.Helper()
	at := metav1.NewTime(released.Add(after))
	o, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&corev1.Event{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Event"},
		ObjectMeta: metav1.ObjectMeta{Name: strings.ToLower(kind) + "-event", Namespace: namespace}, InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: namespace, Name: "ghost-1"},
		Type: corev1.EventTypeWarning, Reason: "Failed", Message: message, LastTimestamp: at,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: o}
}

var released = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// since is a time for every namespace but that of npm.
func since(at time.Time) func(string) time.Time {
	return func(namespace string) time.Time {
		if namespace == "npm" {
			return time.Time{}
		}
		return at
	}
}

func TestPodFailure(t *testing.T) {
	const image = `Failed to pull image "ghost:0": not found`
	for name, c := range map[string]struct {
		event *unstructured.Unstructured
		want  string
	}{
		"an image that is not there":       {warning(t, "Pod", "ghost", image, 20*time.Second), "pod ghost/ghost-1: Failed: " + image},
		"of the release before":            {warning(t, "Pod", "ghost", image, 2*time.Second), ""},
		"a probe, which may pass yet":      {warning(t, "Pod", "ghost", "Readiness probe failed: connection refused", 20*time.Second), ""},
		"of a service, which has its own":  {warning(t, "Pod", ServicesNamespace, image, 20*time.Second), ""},
		"of a namespace that is left out":  {warning(t, "Pod", "npm", image, 20*time.Second), ""},
		"of something else than a pod":     {warning(t, "Ingress", "ghost", image, 20*time.Second), ""},
		"a Secret that may yet be made":    {warning(t, "Pod", "ghost", `Error: secret "ghost-database" not found`, 20*time.Second), ""},
		"an image's name that is no image": {warning(t, "Pod", "ghost", "Error: InvalidImageName", 20*time.Second), "InvalidImageName"},
	} {
		t.Run(name, func(t *testing.T) {
			err := fakeDynamic(c.event).PodFailure(t.Context(), since(released.Add(10*time.Second)))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// Of what a kubelet says in one second, the image and the cause are told, in whatever order they come.
func TestPodFailureNamesTheImage(t *testing.T) {
	const image = `Failed to pull image "ghost:0": not found`
	for _, names := range [][2]string{{"a", "b"}, {"b", "a"}} {
		told, vague := warning(t, "Pod", "ghost", image, 20*time.Second), warning(t, "Pod", "ghost", "Error: ErrImagePull", 20*time.Second)
		told.SetName(names[0])
		vague.SetName(names[1])
		if err := fakeDynamic(told, vague).PodFailure(t.Context(), since(released)); err == nil || !strings.Contains(err.Error(), image) {
			t.Errorf("got %v, want %q", err, image)
		}
	}
}

// A registry that answered at the second try.
func TestPodFailureThatIsOver(t *testing.T) {
	started := warning(t, "Pod", "ghost", "Started container ghost", 30*time.Second)
	started.SetName("later")
	started.Object["type"], started.Object["reason"] = corev1.EventTypeNormal, "Started"
	failed := warning(t, "Pod", "ghost", `Failed to pull image "ghost:1": timeout`, 20*time.Second)
	if err := fakeDynamic(failed, started).PodFailure(t.Context(), since(released)); err != nil {
		t.Error(err)
	}
}

func TestTried(t *testing.T) {
	const api = "kustomize.toolkit.fluxcd.io/v1"
	ready := map[string]any{"type": "Ready", "status": "Unknown"}
	at := func(name, commit string) *unstructured.Unstructured {
		return object("Kustomization", api, name, 1, 1, ready, map[string]any{"lastAttemptedRevision": "released/dev@sha1:" + commit})
	}
	for name, c := range map[string]struct {
		objects []runtime.Object
		want    bool
	}{
		"all":               {[]runtime.Object{at("flux-system", "new"), at("apps", "new")}, true},
		"not the layer yet": {[]runtime.Object{at("flux-system", "new"), at("apps", "old")}, false},
		"nothing there yet": {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := look(t, c.objects...).Tried(&Target{Commit: "new"}); got != c.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
