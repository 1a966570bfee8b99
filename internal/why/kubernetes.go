package why

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/metadata"

	"k8s-plus-aws-gitops/internal/flux"
)

var (
	kustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}
	helmReleases   = schema.GroupVersionResource{Group: "helm.toolkit.fluxcd.io", Version: "v2", Resource: "helmreleases"}
)

// Kubernetes is what is asked of a cluster.
type Kubernetes struct {
	Cluster *flux.Cluster
	// Metadata reads Secrets, whose content nobody needs here.
	Metadata metadata.Interface
	// Kinds knows the kinds that the API server serves, under the names that kubectl takes.
	Kinds meta.RESTMapper
}

// Applied is the object of Flux that applied something.
type Applied struct {
	// By is "Kustomization flux-system/apps" or "HelmRelease flux-system/external-dns".
	By string `json:"by"`
	// Chart and its version, of a HelmRelease.
	Chart string `json:"chart,omitempty"`
	// Kustomization that applied it, or its HelmRelease.
	Kustomization string `json:"kustomization"`
	// Path in the repository that the Kustomization builds.
	Path string `json:"path"`
	// Source is the GitRepository that it follows.
	Source string `json:"source"`
	// Revision that was applied last, "released/dev@sha1:<commit>".
	Revision string `json:"revision"`

	overlay map[string]any
}

// Question names an object of Kubernetes.
type Question struct {
	// Kind as kubectl takes it: deployment, deploy, deployments.apps.
	Kind string
	Name string
	// Namespace; empty: the only one that has an object of the name.
	Namespace string
	// Field, for example spec.replicas; empty: none is asked about.
	Field string
}

// Object answers for an object of Kubernetes. Its error says that there is none.
func (s *Source) Object(ctx context.Context, q Question) (*Answer, error) {
	o, err := s.find(ctx, q)
	if err != nil {
		return nil, err
	}
	a := &Answer{Environment: s.Env.Name, Object: named(o)}
	top := s.climb(ctx, a, o)
	declared, err := s.applied(ctx, a, top)
	switch {
	case err != nil:
		a.unknown("Kustomization", "%s", reason(err))
	case a.Applied == nil:
		a.unknown("Kustomization", "no inventory of Flux has %s, and it has no label of a HelmRelease: somebody or a controller made it; its managers are %s", named(top), managers(top))
	default:
		s.declared(ctx, a, declared)
	}
	if q.Field != "" {
		s.field(ctx, a, o, q.Field)
	}
	s.delivery(ctx, a)
	s.images(ctx, a, top, o)
	return a, nil
}

// find returns an object. Of a Secret it reads the metadata alone.
func (s *Source) find(ctx context.Context, q Question) (*unstructured.Unstructured, error) {
	k := s.Kubernetes
	mapping, err := k.mapping(q.Kind)
	if err != nil {
		return nil, err
	}
	if q.Namespace != "" || mapping.Scope.Name() == meta.RESTScopeNameRoot {
		o, err := k.get(ctx, mapping, q.Namespace, q.Name)
		if apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("there is no %s %s; see what is missing with: gitops drift %s", mapping.GroupVersionKind.Kind, strings.TrimPrefix(q.Namespace+"/"+q.Name, "/"), s.Env.Name)
		}
		return o, err
	}
	list, err := k.Metadata.Resource(mapping.Resource).List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + q.Name})
	if err != nil {
		return nil, err
	}
	var in []string
	for _, o := range list.Items {
		if o.Name == q.Name { // a server may know no selector by field
			in = append(in, o.Namespace)
		}
	}
	switch len(in) {
	case 0:
		return nil, fmt.Errorf("no namespace has a %s %s; see what is missing with: gitops drift %s", mapping.GroupVersionKind.Kind, q.Name, s.Env.Name)
	case 1:
		return k.get(ctx, mapping, in[0], q.Name)
	}
	return nil, fmt.Errorf("the namespaces %s have a %s %s; name one with --namespace", strings.Join(in, ", "), mapping.GroupVersionKind.Kind, q.Name)
}

// mapping finds what the API server calls a kind.
func (k *Kubernetes) mapping(kind string) (*meta.RESTMapping, error) {
	asked := schema.ParseGroupResource(strings.ToLower(kind))
	resource, err := k.Kinds.ResourceFor(asked.WithVersion(""))
	if meta.IsNoMatchError(err) {
		return nil, fmt.Errorf("the cluster serves no kind %q; 'kubectl api-resources' lists them, and a stack's resource is STACK/LOGICALID", kind)
	}
	if err != nil {
		return nil, err
	}
	is, err := k.Kinds.KindFor(resource)
	if err != nil {
		return nil, err
	}
	return k.Kinds.RESTMapping(is.GroupKind(), is.Version)
}

func (k *Kubernetes) get(ctx context.Context, mapping *meta.RESTMapping, namespace, name string) (*unstructured.Unstructured, error) {
	if mapping.Resource.GroupResource() != (schema.GroupResource{Resource: "secrets"}) {
		return k.Cluster.Dynamic.Resource(mapping.Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	}
	o, err := k.Metadata.Resource(mapping.Resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{Object: content}
	out.SetGroupVersionKind(mapping.GroupVersionKind)
	return out, nil
}

// most is how many owners are followed: a CronJob's pod has two.
const most = 8

// climb follows who made an object, and returns the last that could be read.
func (s *Source) climb(ctx context.Context, a *Answer, o *unstructured.Unstructured) *unstructured.Unstructured {
	for range most {
		by := metav1.GetControllerOf(o)
		if by == nil {
			return o
		}
		group, err := schema.ParseGroupVersion(by.APIVersion)
		if err != nil {
			return o
		}
		mapping, err := s.Kubernetes.Kinds.RESTMapping(group.WithKind(by.Kind).GroupKind(), group.Version)
		var owner *unstructured.Unstructured
		if err == nil {
			owner, err = s.Kubernetes.get(ctx, mapping, o.GetNamespace(), by.Name)
		}
		if err != nil {
			a.unknown("owner", "%s %s: %s", by.Kind, by.Name, reason(err))
			return o
		}
		o = owner
		a.Made = append(a.Made, named(o))
	}
	return o
}

// applied finds the object of Flux that applied another one, and what the repository declares of both: the object itself, or the
// HelmRelease that it comes from.
func (s *Source) applied(ctx context.Context, a *Answer, o *unstructured.Unstructured) (flux.Entry, error) {
	is := flux.Entry{Kind: o.GroupVersionKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
	of, err := s.kustomization(ctx, is)
	if err != nil || of != nil {
		a.Applied = of
		return is, err
	}
	labels := o.GetLabels()
	name := labels["helm.toolkit.fluxcd.io/name"]
	if name == "" {
		return is, nil
	}
	release, err := s.Kubernetes.Cluster.Dynamic.Resource(helmReleases).Namespace(labels["helm.toolkit.fluxcd.io/namespace"]).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return is, err
	}
	is = flux.Entry{Kind: release.GroupVersionKind(), Namespace: release.GetNamespace(), Name: name}
	if of, err = s.kustomization(ctx, is); err != nil || of == nil {
		return is, err
	}
	of.By, of.Chart = named(release), chart(release)
	a.Applied = of
	return is, nil
}

// kustomization finds the Kustomization whose inventory has an object; nil where none has.
func (s *Source) kustomization(ctx context.Context, is flux.Entry) (*Applied, error) {
	var found *Applied
	_, err := s.Kubernetes.Cluster.Items(ctx, kustomizations, func(o *unstructured.Unstructured, _ *flux.Item) {
		for _, e := range flux.Inventory(o) {
			if e.Kind.GroupKind() != is.Kind.GroupKind() || e.Namespace != is.Namespace || e.Name != is.Name {
				continue
			}
			found = &Applied{By: named(o), Kustomization: o.GetNamespace() + "/" + o.GetName(), overlay: map[string]any{}}
			found.Path, _, _ = unstructured.NestedString(o.Object, "spec", "path")
			found.Source, _, _ = unstructured.NestedString(o.Object, "spec", "sourceRef", "name")
			found.Revision, _, _ = unstructured.NestedString(o.Object, "status", "lastAppliedRevision")
			for _, field := range []string{"components", "patches"} {
				if list, there, _ := unstructured.NestedSlice(o.Object, "spec", field); there {
					found.overlay[field] = list
				}
			}
		}
	})
	return found, err
}

// chart is what a HelmRelease installed last.
func chart(release *unstructured.Unstructured) string {
	history, _, _ := unstructured.NestedSlice(release.Object, "status", "history")
	if len(history) == 0 {
		return ""
	}
	last, _ := history[0].(map[string]any)
	return fmt.Sprintf("%v %v", last["chartName"], last["chartVersion"])
}

// named is "Kind namespace/name".
func named(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + strings.TrimPrefix(o.GetNamespace()+"/"+o.GetName(), "/")
}

// managers are who wrote an object.
func managers(o *unstructured.Unstructured) string {
	var all []string
	seen := map[string]bool{}
	for _, m := range o.GetManagedFields() {
		if !seen[m.Manager] {
			all, seen[m.Manager] = append(all, m.Manager), true
		}
	}
	if len(all) == 0 {
		return "not told"
	}
	return strings.Join(all, ", ")
}
