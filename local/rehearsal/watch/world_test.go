package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apitypes "k8s.io/apimachinery/pkg/types"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"k8s-plus-aws-gitops/internal/flux"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/alb"
	"k8s-plus-aws-gitops/local/endpoint/permissions"
)

// world is a system of fakes, whose hosts one server serves.
type world struct {
	t       *testing.T
	kube    *fake.Clientset
	dynamic *dynamicfake.FakeDynamicClient
	server  *httptest.Server
	cloud   *cloud

	mu    sync.Mutex
	serve map[string]http.HandlerFunc // by host
	lines map[string]string           // logs by pod
	calls []permissions.Call
	waits float64 // for a lock
}

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	plurals    = map[string]string{
		"Kustomization": "kustomizations", "ConfigMap": "configmaps", "Namespace": "namespaces", "PersistentVolumeClaim": "persistentvolumeclaims",
		"PersistentVolume": "persistentvolumes", "CustomResourceDefinition": "customresourcedefinitions",
	}
)

func newWorld(t *testing.T) *world {
	kinds := map[schema.GroupVersionResource]string{kustomizations: "KustomizationList", configMaps: "ConfigMapList", bindings: "TargetGroupBindingList", imagePolicies: "ImagePolicyList"}
	for _, kind := range lasting {
		kinds[kind.GroupVersion().WithResource(plurals[kind.Kind])] = kind.Kind + "List"
	}
	w := &world{
		t: t, kube: fake.NewClientset(), dynamic: dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), kinds),
		serve: map[string]http.HandlerFunc{}, lines: map[string]string{}, cloud: &cloud{templates: map[string]string{}, events: map[string][]types.StackEvent{}},
	}
	w.server = httptest.NewServer(w)
	t.Cleanup(w.server.Close)
	return w
}

// ServeHTTP answers as the load balancer does: a host without a rule is not found.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	w.mu.Lock()
	handler := w.serve[host]
	w.mu.Unlock()
	if handler == nil {
		out.Header().Set("Server", "awselb/2.0")
		http.Error(out, "no rule", http.StatusNotFound)
		return
	}
	handler(out, r)
}

func (w *world) sources() sources {
	return sources{
		kube: w.kube, flux: &flux.Cluster{Dynamic: w.dynamic}, stacks: w.cloud,
		resource: func(k schema.GroupVersionKind) (schema.GroupVersionResource, error) {
			return k.GroupVersion().WithResource(plurals[k.Kind]), nil
		},
		logs: func(ctx context.Context, p *corev1.Pod, _ string) (io.ReadCloser, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.lines[p.Name] == "" {
				ended, end := io.Pipe() // a log that goes on until nobody reads it
				context.AfterFunc(ctx, func() { _ = end.Close() })
				return ended, nil
			}
			return io.NopCloser(strings.NewReader(w.lines[p.Name])), nil
		},
		client: func() (*http.Client, error) {
			transport := w.server.Client().Transport.(*http.Transport).Clone()
			transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, w.server.Listener.Addr().String())
			}
			return &http.Client{Transport: transport, Timeout: 5 * time.Second}, nil
		},
		address: func(_ bool, host string) string { return strings.Replace(w.server.URL, "127.0.0.1", host, 1) },
		calls: func(context.Context) ([]permissions.Call, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.calls, nil
		},
		grants: func(context.Context) ([]permissions.Grant, error) {
			return []permissions.Grant{{ServiceAccount: "orders/orders", Role: "role"}}, nil
		},
		waits: func(context.Context) (float64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.waits, nil
		},
		balancer: func(context.Context) (alb.State, error) { return alb.State{}, nil },
		every:    5 * time.Millisecond, pause: 2 * time.Millisecond,
	}
}

// start watches the world as its base.
func (w *world) start() *Watch {
	w.t.Helper()
	s, err := start(w.t.Context(), w.sources())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// set changes the world.
func (w *world) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

// host names a host by an Ingress; without a handler the load balancer has no rule for it.
func (w *world) host(name string, handler http.HandlerFunc) {
	w.t.Helper()
	w.set(func() { w.serve[name] = handler })
	i := &networkingv1.Ingress{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name},
		Spec: networkingv1.IngressSpec{Rules: []networkingv1.IngressRule{{Host: name, IngressRuleValue: networkingv1.IngressRuleValue{
			HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{Path: "/"}}},
		}}}},
	}
	if _, err := w.kube.NetworkingV1().Ingresses("n").Create(w.t.Context(), i, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// unname removes the host's Ingress.
func (w *world) unname(name string) {
	if err := w.kube.NetworkingV1().Ingresses("n").Delete(w.t.Context(), name, metav1.DeleteOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// pod makes or changes one of Deployment orders/orders.
func (w *world) pod(name string, restarts int32, how *corev1.ContainerStateTerminated) {
	w.t.Helper()
	yes := true
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "orders", Name: name, UID: apitypes.UID(name), Labels: map[string]string{"pod-template-hash": "5fb8858795"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "orders-5fb8858795", Controller: &yes}},
		},
		Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
			Name: "orders", RestartCount: restarts, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}, LastTerminationState: corev1.ContainerState{Terminated: how},
		}}},
	}
	client := w.kube.CoreV1().Pods("orders")
	if _, err := client.Update(w.t.Context(), p, metav1.UpdateOptions{}); err == nil {
		return
	}
	if _, err := client.Create(w.t.Context(), p, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// warn says a warning, so often.
func (w *world) warn(uid string, about corev1.ObjectReference, reason, message string, count int32) {
	w.t.Helper()
	now := metav1.Now()
	e := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: about.Namespace, Name: uid, UID: apitypes.UID(uid)},
		InvolvedObject: about, Type: corev1.EventTypeWarning, Reason: reason, Message: message, Count: count, FirstTimestamp: now, LastTimestamp: now,
	}
	if _, err := w.kube.CoreV1().Events(about.Namespace).Create(w.t.Context(), e, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// applied makes a ConfigMap that Flux applied with a value; others add to it.
func (w *world) applied(names map[string]string) {
	w.t.Helper()
	var entries []any
	for name, value := range names {
		entries = append(entries, map[string]any{"id": "n_" + name + "__ConfigMap", "v": "v1"})
		w.dynamicObject(configMaps, map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "data": map[string]any{"of": value, "others": fmt.Sprint(time.Now().UnixNano())},
			"metadata": map[string]any{
				"namespace": "n", "name": name, "annotations": map[string]any{origin + "revision": fmt.Sprint(time.Now().UnixNano())},
				"managedFields": []any{map[string]any{
					"manager": "kustomize-controller", "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": map[string]any{
						"f:data": map[string]any{"f:of": map[string]any{}}, "f:metadata": map[string]any{"f:annotations": map[string]any{"f:" + origin + "revision": map[string]any{}}},
					},
				}},
			},
		})
	}
	w.dynamicObject(kustomizations, map[string]any{
		"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": map[string]any{"namespace": "flux-system", "name": "apps"},
		"status": map[string]any{"inventory": map[string]any{"entries": entries}},
	})
}

func (w *world) dynamicObject(what schema.GroupVersionResource, object map[string]any) {
	w.t.Helper()
	o := &unstructured.Unstructured{Object: object}
	// The fake keeps what it is given.
	raw, _ := json.Marshal(object)
	_ = json.Unmarshal(raw, &o.Object)
	client := w.dynamic.Resource(what).Namespace(o.GetNamespace())
	if _, err := client.Update(w.t.Context(), o, metav1.UpdateOptions{}); err == nil {
		return
	}
	if _, err := client.Create(w.t.Context(), o, metav1.CreateOptions{}); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for something to be seen.
func until(t *testing.T, what string, seen func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !seen(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not seen: %s", what)
		}
	}
}

// requests are how many samples a host has in a phase.
func (w *Watch) requests(name string, phase rehearsal.Phase) int {
	for _, h := range w.hosts.result(&w.times) {
		if h.Name == name {
			return h.Period(phase).Requests
		}
	}
	return 0
}

// cloud is CloudFormation with stacks "local-<name>" by their templates.
type cloud struct {
	mu        sync.Mutex
	templates map[string]string
	events    map[string][]types.StackEvent
}

func (c *cloud) set(stack, template string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.templates[stack] = template
}

func (c *cloud) DescribeStacks(context.Context, *cloudformation.DescribeStacksInput, ...func(*cloudformation.Options)) (*cloudformation.DescribeStacksOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := &cloudformation.DescribeStacksOutput{}
	for _, name := range sorted(c.templates) {
		out.Stacks = append(out.Stacks, types.Stack{
			StackName: aws.String(name), StackId: aws.String(name), Tags: []types.Tag{{Key: aws.String("environment"), Value: aws.String("local")}},
		})
	}
	return out, nil
}

func (c *cloud) GetTemplate(_ context.Context, in *cloudformation.GetTemplateInput, _ ...func(*cloudformation.Options)) (*cloudformation.GetTemplateOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &cloudformation.GetTemplateOutput{TemplateBody: aws.String(c.templates[*in.StackName])}, nil
}

// ListStackResources has the physical id from the template's own "id".
func (c *cloud) ListStackResources(_ context.Context, in *cloudformation.ListStackResourcesInput, _ ...func(*cloudformation.Options)) (*cloudformation.ListStackResourcesOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var template struct {
		Resources map[string]struct{ Type, ID string }
	}
	if err := json.Unmarshal([]byte(c.templates[*in.StackName]), &template); err != nil {
		return nil, err
	}
	out := &cloudformation.ListStackResourcesOutput{}
	for _, name := range sorted(template.Resources) {
		r := template.Resources[name]
		out.StackResourceSummaries = append(out.StackResourceSummaries, types.StackResourceSummary{
			LogicalResourceId: aws.String(name), ResourceType: aws.String(r.Type), PhysicalResourceId: aws.String(r.ID),
		})
	}
	return out, nil
}

func (c *cloud) DescribeStackEvents(_ context.Context, in *cloudformation.DescribeStackEventsInput, _ ...func(*cloudformation.Options)) (*cloudformation.DescribeStackEventsOutput, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &cloudformation.DescribeStackEventsOutput{StackEvents: c.events[*in.StackName]}, nil
}
