package kube

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// The tests of this file need a control plane: they run when
// TEST_KUBECONFIG names its kubeconfig, as `make e2e` does.
func live(t *testing.T) (*resources.Request, *cluster) {
	t.Helper()
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" {
		t.Skip("TEST_KUBECONFIG is not set")
	}
	r := &resources.Request{
		Services:  &resources.Services{Kubeconfig: path, FluxOperator: os.Getenv("TEST_FLUX_OPERATOR"), Log: slog.New(slog.DiscardHandler)},
		LogicalID: "Manifest", Name: func(int, bool) string { return "physical" },
	}
	c, err := connect(r)
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

func lookup(t *testing.T, kind string) *resources.Type {
	t.Helper()
	typ, ok := resources.Lookup(kind)
	if !ok {
		t.Fatalf("%s is not registered", kind)
	}
	return typ
}

func manifest(t *testing.T, extra resources.Properties, objects ...any) resources.Properties {
	t.Helper()
	data, err := json.Marshal(objects)
	if err != nil {
		t.Fatal(err)
	}
	p := resources.Properties{"ServiceToken": "arn", "ClusterName": "local", "Manifest": string(data)}
	for k, v := range extra {
		p[k] = v
	}
	return p
}

func configMap(name string, data map[string]any, labels map[string]any) map[string]any {
	return map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "default", "labels": labels}, "data": data}
}

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

func TestLiveManifest(t *testing.T) {
	r, c := live(t)
	typ, ctx := lookup(t, "Custom::AWSCDK-EKS-KubernetesResource"), t.Context()
	prune := resources.Properties{"Overwrite": true, "PruneLabel": "aws.cdk.eks/prune-1"}
	old := manifest(t, prune, configMap("c2-kept", map[string]any{"a": "1", "b": "2"}, nil), configMap("c2-pruned", nil, nil))
	result, err := typ.Create(ctx, r, old)
	if err != nil || result.ID != "physical" {
		t.Fatalf("create: %+v, %v", result, err)
	}
	updated := manifest(t, prune, configMap("c2-kept", map[string]any{"a": "3"}, nil))
	if _, err := typ.Update(ctx, r, result.ID, old, updated); err != nil {
		t.Fatal(err)
	}
	api := c.client.Resource(configMaps).Namespace("default")
	kept, err := api.Get(ctx, "c2-kept", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if data, _, _ := unstructured.NestedStringMap(kept.Object, "data"); len(data) != 1 || data["a"] != "3" {
		t.Errorf("data after the update: %v", data)
	}
	if _, err := api.Get(ctx, "c2-pruned", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the object that left the manifest: %v", err)
	}
	for range 2 { // a second deletion finds nothing and is content
		if err := typ.Delete(ctx, r, result.ID, updated); err != nil {
			t.Fatal(err)
		}
	}
	bad := manifest(t, prune, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "c2-bad"}, "dta": map[string]any{}})
	if _, err := typ.Create(ctx, r, bad); err == nil || !strings.Contains(err.Error(), "dta") {
		t.Errorf("an unknown field: %v", err)
	}
}

func TestLiveDeletionWaitsForFinalizers(t *testing.T) {
	r, c := live(t)
	typ, ctx := lookup(t, "Custom::AWSCDK-EKS-KubernetesResource"), t.Context()
	p := manifest(t, nil, map[string]any{"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"name": "c2-finalizer", "namespace": "default", "finalizers": []any{"example.com/hold"}}})
	if _, err := typ.Create(ctx, r, p); err != nil {
		t.Fatal(err)
	}
	released := make(chan error, 1)
	go func() {
		time.Sleep(time.Second)
		_, err := c.client.Resource(configMaps).Namespace("default").Patch(context.Background(), "c2-finalizer", types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		released <- err
	}()
	start := time.Now()
	if err := typ.Delete(ctx, r, "", p); err != nil {
		t.Fatal(err)
	}
	if err := <-released; err != nil {
		t.Fatal(err)
	}
	if waited := time.Since(start); waited < time.Second {
		t.Errorf("the deletion returned after %s, before the finalizer was gone", waited)
	}
}

func TestLiveValue(t *testing.T) {
	r, _ := live(t)
	ctx := t.Context()
	value := lookup(t, "Custom::AWSCDK-EKS-KubernetesObjectValue")
	result, err := value.Create(ctx, r, resources.Properties{
		"ObjectType": "service", "ObjectName": "kubernetes", "ObjectNamespace": "default", "JsonPath": ".spec.clusterIP", "TimeoutSeconds": 120,
	})
	if err != nil || result.Attributes["Value"] != "172.20.0.1" {
		t.Errorf("value: %+v, %v", result, err)
	}
	_, err = value.Create(ctx, r, resources.Properties{
		"ObjectType": "fluxinstances.fluxcd.controlplane.io", "ObjectName": "flux", "ObjectNamespace": "x", "JsonPath": ".status.a", "TimeoutSeconds": "1",
	})
	if err == nil || !strings.Contains(err.Error(), "has no .status.a after 1s") {
		t.Errorf("a kind that does not exist: %v", err)
	}
}

func TestLiveChart(t *testing.T) {
	r, c := live(t)
	if r.FluxOperator == "" {
		t.Skip("TEST_FLUX_OPERATOR is not set")
	}
	typ, ctx := lookup(t, "Custom::AWSCDK-EKS-HelmChart"), t.Context()
	p := resources.Properties{
		"Release": "flux-operator", "Chart": "flux-operator", "Repository": operatorChart, "Version": "0.58.1", "Namespace": "flux-system",
		"CreateNamespace": true, "Wait": false, "Timeout": "60s",
	}
	for range 2 { // install, upgrade
		if _, err := typ.Create(ctx, r, p); err != nil {
			t.Fatal(err)
		}
	}
	deployments := c.client.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace("flux-system")
	o, err := deployments.Get(ctx, "flux-operator", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data, _ := json.Marshal(o.Object)
	if !strings.Contains(string(data), operatorImage+":v0.58.1") {
		t.Errorf("image: %s", data)
	}
	wait := resources.Properties{"Wait": "true"}
	for k, v := range p {
		if k != "Wait" && k != "Timeout" {
			wait[k] = v
		}
	}
	wait["Timeout"] = "2s"
	if _, err := typ.Update(ctx, r, "", p, wait); err == nil || !strings.Contains(err.Error(), "not ready after 2s") {
		t.Errorf("no node runs the Deployment, yet: %v", err)
	}
	if err := typ.Delete(ctx, r, "", p); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Get(ctx, "flux-operator", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("after the removal: %v", err)
	}
	definitions := c.client.Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	if _, err := definitions.Get(ctx, "fluxinstances.fluxcd.controlplane.io", metav1.GetOptions{}); err != nil {
		t.Errorf("the definitions stay: %v", err)
	}
}
