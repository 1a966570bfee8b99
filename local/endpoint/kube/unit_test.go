package kube

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	ktesting "k8s.io/client-go/testing"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// fixedMapper is a mapper without discovery.
type fixedMapper struct{ *meta.DefaultRESTMapper }

func (fixedMapper) Reset() {}

func fakeCluster(objects ...runtime.Object) *cluster {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, meta.RESTScopeNamespace)
	mapper.Add(schema.GroupVersionKind{Version: "v1", Kind: "Namespace"}, meta.RESTScopeRoot)
	return &cluster{
		client: fake.NewSimpleDynamicClient(runtime.NewScheme(), objects...),
		mapper: fixedMapper{mapper}, expand: mapper,
	}
}

func request() *resources.Request {
	return &resources.Request{Services: &resources.Services{}, Name: func(int, bool) string { return "physical" }}
}

func TestCreateWithoutOverwriteRefusesWhatExists(t *testing.T) {
	c := fakeCluster()
	h := handlers{func(*resources.Request) (*cluster, error) { return c, nil }}
	p := manifest(t, nil, configMap("a", nil, nil))
	if _, err := h.createManifest(t.Context(), request(), p); err != nil {
		t.Fatal(err)
	}
	if _, err := h.createManifest(t.Context(), request(), p); !apierrors.IsAlreadyExists(err) {
		t.Errorf("second creation: %v", err)
	}
	if err := h.deleteManifest(t.Context(), request(), "", p); err != nil {
		t.Fatal(err)
	}
	_, err := c.client.Resource(configMaps).Namespace("default").Get(t.Context(), "a", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("after the deletion: %v", err)
	}
}

func TestDeletionOfAnUnknownKindIsDone(t *testing.T) {
	c := fakeCluster()
	h := handlers{func(*resources.Request) (*cluster, error) { return c, nil }}
	p := manifest(t, nil, map[string]any{"apiVersion": "example.com/v1", "kind": "Gone", "metadata": map[string]any{"name": "x"}})
	if err := h.deleteManifest(t.Context(), request(), "", p); err != nil {
		t.Error(err)
	}
}

func TestDeletionTimeoutNamesTheFinalizer(t *testing.T) {
	held := &unstructured.Unstructured{Object: configMap("held", nil, nil)}
	held.SetFinalizers([]string{"finalizers.fluxcd.io"})
	c := fakeCluster(held)
	// The fake deletes at once; the wait is what is tested.
	ctx := t.Context()
	if err := c.remove(ctx, []*unstructured.Unstructured{{Object: configMap("held", nil, nil)}}, time.Second); err != nil {
		t.Fatal(err)
	}
	again := fakeCluster(held)
	deadline, cancel := contextWithCause(t, 300*time.Millisecond)
	defer cancel()
	err := again.waitGone(deadline, held)
	if err == nil || !strings.Contains(err.Error(), "configmap/held in default") || !strings.Contains(err.Error(), "finalizers.fluxcd.io") {
		t.Errorf("got %v", err)
	}
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{"kind":"x"}`: "no JSON list",
		`[{"kind":"ConfigMap","apiVersion":"v1","metadata":{}}]`: "Manifest[0]: kind, apiVersion and metadata.name",
		`[{"apiVersion":"v1","metadata":{"name":"a"}}]`:          "Manifest[0]",
	} {
		if _, err := parse(resources.Properties{"Manifest": text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
	}
}

func TestMissing(t *testing.T) {
	a, b := &unstructured.Unstructured{Object: configMap("a", nil, nil)}, &unstructured.Unstructured{Object: configMap("b", nil, nil)}
	got := missing([]*unstructured.Unstructured{a, b}, []*unstructured.Unstructured{b})
	if len(got) != 1 || got[0].GetName() != "a" {
		t.Errorf("got %v", got)
	}
}

// operatorModule is a small stand-in for the module's config directory.
func operatorModule(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "flux-operator@v0.58.1")
	for path, content := range map[string]string{
		"config/default/kustomization.yaml": "namespace: flux-system\nresources: [namespace.yaml, ../crd, ../manager]\n",
		"config/default/namespace.yaml":     "apiVersion: v1\nkind: Namespace\nmetadata: {name: flux-system}\n",
		"config/crd/kustomization.yaml":     "resources: [crd.yaml]\n",
		"config/crd/crd.yaml":               "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.example.com}\n",
		"config/manager/kustomization.yaml": "resources: [deployment.yaml]\nimages: [{name: flux-operator, newName: " + operatorImage + ", newTag: v0.0.1}]\n",
		"config/manager/deployment.yaml":    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: flux-operator}\nspec: {template: {spec: {containers: [{name: manager, image: flux-operator:latest}]}}}\n",
	} {
		file := filepath.Join(root, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// The image is the one that is built here, whatever version the template names.
func TestRender(t *testing.T) {
	p := resources.Properties{"Repository": operatorChart, "Version": "0.61.0", "Namespace": "platform"}
	objects, err := render(operatorModule(t), p)
	if err != nil {
		t.Fatal(err)
	}
	definitions, others := split(objects)
	if len(definitions) != 1 || len(others) != 1 {
		t.Fatalf("%d definitions, %d others: %v", len(definitions), len(others), objects)
	}
	containers, _, _ := unstructured.NestedSlice(others[0].Object, "spec", "template", "spec", "containers")
	if image := containers[0].(map[string]any)["image"]; image != operatorImage+":v0.58.1" || others[0].GetNamespace() != "platform" {
		t.Errorf("image %v in %s", image, others[0].GetNamespace())
	}
}

func TestRenderRefuses(t *testing.T) {
	module := operatorModule(t)
	base := func(k string, v any) resources.Properties {
		p := resources.Properties{"Repository": operatorChart, "Version": "0.58.1", "Namespace": "flux-system"}
		p[k] = v
		return p
	}
	for name, c := range map[string]struct {
		p      resources.Properties
		module string
		want   string
	}{
		"another chart": {base("Repository", "oci://example.com/chart"), module, "only " + operatorChart},
		"values":        {base("Values", `{"a":1}`), module, "Values"},
		"no module":     {base("Version", "0.58.1"), "", "not configured"},
		"wrong module":  {base("Version", "0.58.1"), t.TempDir(), "install manifests"},
		"empty module":  {base("Version", "0.58.1"), t.TempDir() + "@v0.58.1", "install manifests"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := render(c.module, c.p); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReleaseTimeout(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 5 * time.Minute, "600s": 10 * time.Minute, "1m30s": 90 * time.Second} {
		if got, err := releaseTimeout(resources.Properties{"Timeout": text}); err != nil || got != want {
			t.Errorf("%q: %s, %v", text, got, err)
		}
	}
	if _, err := releaseTimeout(resources.Properties{"Timeout": "ten"}); err == nil {
		t.Error("ten is no duration")
	}
}

func TestAvailable(t *testing.T) {
	deployment := func(generation, observed, updated, available int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": generation}, "spec": map[string]any{"replicas": int64(2)},
			"status": map[string]any{"observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available},
		}}
	}
	for name, c := range map[string]struct {
		o    *unstructured.Unstructured
		want bool
	}{
		"ready":        {deployment(2, 2, 2, 2), true},
		"not observed": {deployment(2, 1, 2, 2), false},
		"old replicas": {deployment(2, 2, 1, 2), false},
		"starting":     {deployment(2, 2, 2, 1), false},
	} {
		if got := available(c.o); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func contextWithCause(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeoutCause(t.Context(), d, errors.New("not gone in time"))
}

func TestARestartingServerIsWaitedFor(t *testing.T) {
	c := fakeCluster(&unstructured.Unstructured{Object: configMap("a", nil, nil)})
	refusals := 2
	c.client.(*fake.FakeDynamicClient).PrependReactor("*", "configmaps", func(ktesting.Action) (bool, runtime.Object, error) {
		if refusals == 0 {
			return false, nil, nil
		}
		refusals--
		return true, nil, &url.Error{Op: "Get", URL: "https://127.0.0.1", Err: syscall.ECONNREFUSED}
	})
	if err := c.remove(t.Context(), []*unstructured.Unstructured{{Object: configMap("a", nil, nil)}}, time.Minute); err != nil {
		t.Error(err)
	}
	other := errors.New("forbidden")
	if err := patiently(t.Context(), func() error { return other }); !errors.Is(err, other) {
		t.Errorf("another error: %v", err)
	}
}
