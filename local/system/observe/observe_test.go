package observe

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"k8s-plus-aws-gitops/internal/flux"
)

func TestWarnings(t *testing.T) {
	event := func(name, kind, object string, age time.Duration) *corev1.Event {
		return &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: name, Namespace: "ghost"},
			InvolvedObject: corev1.ObjectReference{Kind: kind, Namespace: "ghost", Name: object},
			Type:           corev1.EventTypeWarning, Reason: "FailedBuildModel", Message: name, LastTimestamp: metav1.NewTime(time.Now().Add(-age)),
		}
	}
	c := &Cluster{Kube: fake.NewClientset(event("newest", "Ingress", "ghost", time.Second), event("older", "Ingress", "ghost", time.Minute),
		event("too old", "Ingress", "other", time.Hour), event("a pod", "Pod", "ghost", time.Second))}
	got, err := c.Warnings(t.Context(), time.Now().Add(-5*time.Minute))
	if err != nil || len(got) != 1 || got[0] != "Ingress ghost/ghost: FailedBuildModel: newest" {
		t.Errorf("got %q, %v", got, err)
	}
}

func fakeDynamic(objects ...runtime.Object) *Cluster {
	return &Cluster{Cluster: flux.Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		receivers: "ReceiverList",
	}, objects...)}}
}

func TestWebhookPath(t *testing.T) {
	r := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "notification.toolkit.fluxcd.io/v1", "kind": "Receiver",
		"metadata": map[string]any{"name": "github", "namespace": "flux-system"}, "status": map[string]any{"webhookPath": "/hook/x"},
	}}
	p, err := fakeDynamic(r).WebhookPath(t.Context(), "flux-system", "github")
	if err != nil || p != "/hook/x" {
		t.Errorf("got %q, %v", p, err)
	}
	if _, err := fakeDynamic().WebhookPath(t.Context(), "flux-system", "github"); err == nil {
		t.Error("no error for a missing Receiver")
	}
}

func deployment(ready, updated int32) *appsv1.Deployment {
	two := int32(2)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "ghost", Namespace: "ghost", Labels: map[string]string{"kustomize.toolkit.fluxcd.io/name": "apps"}},
		Spec:       appsv1.DeploymentSpec{Replicas: &two, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "ghost"}}},
		Status:     appsv1.DeploymentStatus{ReadyReplicas: ready, UpdatedReplicas: updated, Replicas: 2},
	}
}

// surge wants one replica: the new one does not come up, the old one serves.
func surge() *appsv1.Deployment {
	d, one := deployment(1, 1), int32(1)
	d.Spec.Replicas = &one
	return d
}

func pod(name string, age time.Duration, w *corev1.ContainerStateWaiting, restarts int32) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ghost", Labels: map[string]string{"app": "ghost"}, CreationTimestamp: metav1.NewTime(time.Now().Add(-age))},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{
			State: corev1.ContainerState{Waiting: w}, RestartCount: restarts,
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 7}},
		}}},
	}
}

func TestAppCause(t *testing.T) {
	for name, c := range map[string]struct {
		objects []runtime.Object
		healthy bool
		cause   string
		broken  bool
	}{
		"healthy":      {[]runtime.Object{deployment(2, 2)}, true, "", false},
		"rolling":      {[]runtime.Object{deployment(2, 1), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}, 0)}, false, "", false},
		"no image":     {[]runtime.Object{deployment(2, 1), pod("old", time.Hour, nil, 0), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no tag x"}, 0)}, false, "ImagePullBackOff: no tag x", true},
		"surge":        {[]runtime.Object{surge(), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}, 0)}, false, "ImagePullBackOff", true},
		"first pull":   {[]runtime.Object{deployment(2, 1), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "ErrImagePull"}, 0)}, false, "ErrImagePull", false},
		"crashes once": {[]runtime.Object{deployment(1, 2), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}, 1)}, false, "exit code 7", false},
		"crashes":      {[]runtime.Object{deployment(1, 2), pod("new", 0, &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}, 4)}, false, "exit code 7", true},
	} {
		t.Run(name, func(t *testing.T) {
			apps, err := (&Cluster{Kube: fake.NewClientset(c.objects...)}).Apps(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			a := apps[0]
			if a.Healthy() != c.healthy || a.Broken != c.broken || !strings.Contains(a.Cause, c.cause) || c.cause == "" && a.Cause != "" {
				t.Errorf("got %+v", a)
			}
		})
	}
}

func TestApplyConfigMap(t *testing.T) {
	c := &Cluster{Kube: fake.NewClientset()}
	for _, v := range []string{"1", "2"} {
		if err := c.ApplyConfigMap(t.Context(), "flux-system", "local-facts", map[string]string{"K": v}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := c.Kube.CoreV1().ConfigMaps("flux-system").Get(t.Context(), "local-facts", metav1.GetOptions{})
	if err != nil || m.Data["K"] != "2" {
		t.Errorf("got %v, %v", m, err)
	}
}

func TestFirstFailure(t *testing.T) {
	e := func(id, status, reason string) types.StackEvent {
		return types.StackEvent{LogicalResourceId: aws.String(id), ResourceType: aws.String("AWS::X::Y"), ResourceStatus: types.ResourceStatus(status), ResourceStatusReason: aws.String(reason)}
	}
	events := []types.StackEvent{ // newest first
		e("s", "UPDATE_ROLLBACK_COMPLETE", ""),
		e("s", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [db]."),
		e("net", "UPDATE_FAILED", "Resource update cancelled"),
		e("db", "UPDATE_FAILED", "db.x1.huge is not offered"),
		e("s", "UPDATE_IN_PROGRESS", "User Initiated"),
		e("old", "CREATE_FAILED", "an earlier operation"),
	}
	if got, want := firstFailure("s", events), "db (AWS::X::Y): db.x1.huge is not offered"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
