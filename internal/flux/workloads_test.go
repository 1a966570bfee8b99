package flux

import (
	"reflect"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"sigs.k8s.io/yaml"
)

// workloads is a cluster with what an API server answers, as YAML.
func workloads(t *testing.T, documents ...string) *Cluster {
	t.Helper()
	var all []runtime.Object
	for _, text := range documents {
		var o unstructured.Unstructured
		content, err := yaml.YAMLToJSON([]byte(text))
		if err == nil {
			err = o.UnmarshalJSON(content) // with numbers as an API server's answer has them
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &o)
	}
	return &Cluster{Dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		appsv1.SchemeGroupVersion.WithResource("deployments"):  "DeploymentList",
		appsv1.SchemeGroupVersion.WithResource("statefulsets"): "StatefulSetList",
		appsv1.SchemeGroupVersion.WithResource("daemonsets"):   "DaemonSetList",
		corev1.SchemeGroupVersion.WithResource("pods"):         "PodList",
	}, all...)}
}

func TestWorkloads(t *testing.T) {
	c := workloads(t, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: orders, namespace: orders, labels: {kustomize.toolkit.fluxcd.io/name: orders, kustomize.toolkit.fluxcd.io/namespace: services}}
spec:
  replicas: 3
  template:
    spec:
      containers:
        - {name: a, image: "a:1", resources: {requests: {cpu: 50m, memory: 64Mi}}}
        - {name: b, image: "b:1", resources: {requests: {cpu: 100m, memory: 64Mi}}}
        - {name: c, image: "a:1"}
status:
  readyReplicas: 1
  conditions: [{type: Available, status: "False"}, {type: Progressing, status: "False", reason: ProgressDeadlineExceeded, message: timed out}]
`, `
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system, labels: {helm.toolkit.fluxcd.io/name: agent, helm.toolkit.fluxcd.io/namespace: kube-system}}
spec: {template: {spec: {containers: [{name: a, image: "agent:1"}]}}}
status: {numberReady: 2, desiredNumberScheduled: 2}
`, `
apiVersion: apps/v1
kind: Deployment
metadata: {name: by-hand, namespace: zoo}
spec: {template: {spec: {containers: [{name: a, image: "x:1"}]}}}
`)
	got, err := c.Workloads(t.Context())
	want := []Workload{
		{Kind: "DaemonSet", Namespace: "kube-system", Name: "agent", Images: []string{"agent:1"}, Ready: 2, Wanted: 2, By: "HelmRelease kube-system/agent"},
		{Kind: "Deployment", Namespace: "orders", Name: "orders", Images: []string{"a:1", "b:1"}, CPU: "150m", Memory: "128Mi", Ready: 1, Wanted: 3, By: "Kustomization services/orders", Cause: "ProgressDeadlineExceeded: timed out"},
		{Kind: "Deployment", Namespace: "zoo", Name: "by-hand", Images: []string{"x:1"}, Wanted: 1},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestPods(t *testing.T) {
	c := workloads(t, `
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: orders}
spec: {containers: [{name: a, image: "a:1"}]}
status:
  phase: Pending
  containerStatuses: [{name: a, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff, message: back-off 40s}}}]
  conditions: [{type: Ready, status: "False"}]
`, `
apiVersion: v1
kind: Pod
metadata: {name: b, namespace: orders}
spec: {containers: [{name: a, image: "a:1"}]}
status: {phase: Running, conditions: [{type: Ready, status: "True"}]}
`, `
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: orders}
spec: {containers: [{name: a, image: "a:1"}]}
status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", message: no node fits}]}
`, `
apiVersion: v1
kind: Pod
metadata: {name: d, namespace: another}
spec: {containers: []}
`)
	got, err := c.Pods(t.Context(), "orders")
	want := []Pod{
		{Name: "a", Phase: "Pending", Restarts: 4, Images: []string{"a:1"}, Cause: "CrashLoopBackOff: back-off 40s"},
		{Name: "b", Phase: "Running", Ready: true, Images: []string{"a:1"}},
		{Name: "c", Phase: "Pending", Images: []string{"a:1"}, Cause: "no node fits"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}
