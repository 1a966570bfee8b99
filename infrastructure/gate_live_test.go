package infrastructure

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/config"
)

// Resources that the test applies.
var (
	liveSources        = schema.GroupVersionResource{Group: "source.toolkit.fluxcd.io", Version: "v1", Resource: "gitrepositories"}
	liveKustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	liveDefinitions    = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}
	liveNamespaces     = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	livePolicies       = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicies"}
	liveBindings       = schema.GroupVersionResource{Group: "admissionregistration.k8s.io", Version: "v1", Resource: "validatingadmissionpolicybindings"}
)

// TestLiveGate holds the gate against a real API server, whose kubeconfig is TEST_KUBECONFIG; the end-to-end test runs it.
func TestLiveGate(t *testing.T) {
	l := newLive(t)
	env := config.Environment{
		Name: "dev", Region: "eu-west-1", RepositoryURL: "https://github.com/my-company/platform.git", Branch: "main", GitCredentials: config.CredentialsBasic,
	}
	l.definitions()
	l.apply(liveNamespaces, object("v1", "Namespace", "", fluxNamespace, nil))
	gate := gateObjects(env)
	l.apply(livePolicies, gate[0])
	l.apply(liveBindings, gate[1])
	l.apply(liveSources, gitRepository(env, nil))

	// A failed source refuses the root, with Flux's reason and the remedy. Until the server knows the policy it refuses nothing.
	l.status("False", `secrets "flux-git" not found`)
	root := kustomization(env)
	var refused error
	for range 60 {
		if refused = l.try(liveKustomizations, root, true); refused != nil && strings.Contains(refused.Error(), "Flux cannot read") {
			break
		}
		time.Sleep(time.Second)
	}
	for _, want := range []string{
		"Flux cannot read https://github.com/my-company/platform.git, branch main", `secrets "flux-git" not found`,
		"aws secretsmanager create-secret --region eu-west-1 --name /dev/flux/git-read --secret-string file://git-read.json",
	} {
		if refused == nil || !strings.Contains(refused.Error(), want) {
			t.Fatalf("the refusal lacks %q: %v", want, refused)
		}
	}
	// A source that was read lets it pass, and so does one that is being read.
	for _, state := range []string{"True", "Unknown"} {
		l.status(state, "stored artifact")
		l.eventually("a source that is "+state, func() error { return l.try(liveKustomizations, root, true) })
	}
	l.apply(liveKustomizations, root)

	// From now on only another source is held against the gate.
	l.status("False", "authentication required")
	moved := env
	moved.Branch = "moved"
	l.eventually("a refusal of another branch", func() error {
		if err := l.try(liveKustomizations, kustomization(moved), true); err == nil || !strings.Contains(err.Error(), "authentication required") {
			return fmt.Errorf("got %w", err)
		}
		return nil
	})
	if err := l.try(liveKustomizations, root, true); err != nil {
		t.Errorf("an apply without a change: %v", err)
	}
	if err := l.annotate("reconcile.fluxcd.io/requestedAt"); err != nil {
		t.Errorf("a request to reconcile: %v", err)
	}
	// The source may go first.
	if err := l.client.Resource(liveSources).Namespace(fluxNamespace).Delete(t.Context(), fluxNamespace, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	l.eventually("a change without a source", func() error { return l.annotate("finalizer") })
}

// live is a test against an API server.
type live struct {
	*testing.T
	client dynamic.Interface
}

func newLive(t *testing.T) live {
	t.Helper()
	kubeconfig := os.Getenv("TEST_KUBECONFIG")
	if kubeconfig == "" {
		t.Skip("TEST_KUBECONFIG is not set; the end-to-end test sets it")
	}
	settings, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := dynamic.NewForConfig(settings)
	if err != nil {
		t.Fatal(err)
	}
	return live{t, client}
}

// definitions makes the two kinds of Flux, without their schemas: the gate reads fields by name.
func (l live) definitions() {
	l.Helper()
	for resource, kind := range map[schema.GroupVersionResource]string{liveSources: "GitRepository", liveKustomizations: "Kustomization"} {
		open := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
		l.apply(liveDefinitions, object("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", resource.Resource+"."+resource.Group, map[string]any{
			"group": resource.Group, "scope": "Namespaced",
			"names": map[string]any{"kind": kind, "plural": resource.Resource, "singular": strings.ToLower(kind)},
			"versions": []any{map[string]any{
				"name": resource.Version, "served": true, "storage": true, "subresources": map[string]any{"status": map[string]any{}},
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object", "properties": map[string]any{"spec": open, "status": open}}},
			}},
		}))
		l.eventually(kind+" to be served", func() error {
			_, err := l.client.Resource(resource).Namespace(fluxNamespace).List(l.Context(), metav1.ListOptions{})
			return err
		})
	}
}

// try applies an object, or asks whether it might.
func (l live) try(resource schema.GroupVersionResource, o map[string]any, dryRun bool) error {
	raw, err := json.Marshal(o)
	if err != nil {
		return err
	}
	force := true
	options := metav1.PatchOptions{FieldManager: "kubectl", Force: &force}
	if dryRun {
		options.DryRun = []string{metav1.DryRunAll}
	}
	u := unstructured.Unstructured{Object: o}
	_, err = l.at(resource, u.GetNamespace()).Patch(l.Context(), u.GetName(), types.ApplyPatchType, raw, options)
	return err
}

func (l live) at(resource schema.GroupVersionResource, namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return l.client.Resource(resource)
	}
	return l.client.Resource(resource).Namespace(namespace)
}

// apply applies an object until the test ends: other tests use the same server.
func (l live) apply(resource schema.GroupVersionResource, o map[string]any) {
	l.Helper()
	if err := l.try(resource, o, false); err != nil {
		l.Fatal(err)
	}
	u := unstructured.Unstructured{Object: o}
	l.Cleanup(func() {
		ctx, at := context.Background(), l.at(resource, u.GetNamespace()) // the test's own context has ended
		for range 60 {
			if err := at.Delete(ctx, u.GetName(), metav1.DeleteOptions{}); apierrors.IsNotFound(err) {
				return
			}
			time.Sleep(time.Second)
		}
		l.Errorf("%s %s is still there after a minute", u.GetKind(), u.GetName())
	})
}

// status sets the source's condition Ready, as source-controller does.
func (l live) status(state, message string) {
	l.Helper()
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"conditions": []any{
		map[string]any{"type": "Reconciling", "status": "True", "reason": "ProgressingWithRetry", "message": "again"},
		map[string]any{"type": "Ready", "status": state, "reason": "Any", "message": message},
	}}})
	if err != nil {
		l.Fatal(err)
	}
	_, err = l.at(liveSources, fluxNamespace).Patch(l.Context(), fluxNamespace, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	if err != nil {
		l.Fatal(err)
	}
}

// annotate changes the root Kustomization as others do.
func (l live) annotate(name string) error {
	patch := []byte(`{"metadata":{"annotations":{"` + name + `":"now"}}}`)
	_, err := l.at(liveKustomizations, fluxNamespace).Patch(l.Context(), fluxNamespace, types.MergePatchType, patch, metav1.PatchOptions{})
	return err
}

// eventually gives the server's caches a minute.
func (l live) eventually(what string, ask func() error) {
	l.Helper()
	var last error
	for range 60 {
		if last = ask(); last == nil {
			return
		}
		time.Sleep(time.Second)
	}
	l.Fatalf("waited for %s: %v", what, last)
}
