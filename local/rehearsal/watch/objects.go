package watch

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/flux"
)

var kustomizations = schema.GroupVersionResource{Group: "kustomize.toolkit.fluxcd.io", Version: "v1", Resource: "kustomizations"}

// fluxManager is the name under which Flux applies what a Kustomization holds.
const fluxManager = "kustomize-controller"

// lasting are kinds of which objects stay when what made them has gone, whoever made them. They are compared by name.
var lasting = []schema.GroupVersionKind{
	{Version: "v1", Kind: "Namespace"}, {Version: "v1", Kind: "PersistentVolumeClaim"}, {Version: "v1", Kind: "PersistentVolume"},
	{Group: "apiextensions.k8s.io", Version: "v1", Kind: "CustomResourceDefinition"},
}

// unmanaged stands for an object that Flux has not applied: that it is there is all that is compared.
const unmanaged = "there"

// objects lists what Flux applies by "<namespace>/<kind>/<name>", with what it applied, and what of the known ones is still there,
// though Flux no longer says that it is its own.
func (w *Watch) objects(ctx context.Context, known map[string]bool) (map[string]string, error) {
	applied := map[schema.GroupVersionKind]map[string]bool{}
	_, err := w.flux.Items(ctx, kustomizations, func(o *unstructured.Unstructured, _ *flux.Item) {
		for _, e := range flux.Inventory(o) {
			if applied[e.Kind] == nil {
				applied[e.Kind] = map[string]bool{}
			}
			applied[e.Kind][objectName(e.Kind.Kind, e.Namespace, e.Name)] = true
		}
	})
	if err != nil {
		return nil, err
	}
	images, err := w.images(ctx)
	if err != nil {
		return nil, err
	}
	w.kinds(applied)
	all := map[string]string{}
	for kind, names := range applied {
		err := w.kind(ctx, kind, func(name string, o *unstructured.Unstructured) error {
			var err error
			switch {
			case names[name] || known[name]:
				all[name], err = fingerprints(managed(o), images)
			case slices.Contains(lasting, kind):
				all[name] = unmanaged
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kind.Kind, err)
		}
	}
	return all, nil
}

// kinds adds the kinds that are looked at in any case, and remembers those of this look for the next.
func (w *Watch) kinds(applied map[schema.GroupVersionKind]map[string]bool) {
	for _, kind := range append(w.looks.kinds, lasting...) {
		if applied[kind] == nil {
			applied[kind] = map[string]bool{}
		}
	}
	w.looks.kinds = w.looks.kinds[:0]
	for kind := range applied {
		w.looks.kinds = append(w.looks.kinds, kind)
	}
}

// kind reads the objects of a kind. One that the API server no longer serves has none.
func (w *Watch) kind(ctx context.Context, kind schema.GroupVersionKind, each func(name string, o *unstructured.Unstructured) error) error {
	resource, err := w.resource(kind)
	if meta.IsNoMatchError(err) {
		return nil
	}
	if err != nil {
		return err
	}
	list, err := w.flux.Dynamic.Resource(resource).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for n := range list.Items {
		o := &list.Items[n]
		if err := each(objectName(kind.Kind, o.GetNamespace(), o.GetName()), o); err != nil {
			return err
		}
	}
	return nil
}

func objectName(kind, namespace, name string) string {
	return strings.TrimPrefix(namespace+"/"+kind+"/"+name, "/")
}

// managed is what Flux applied of an object: the rest is others', such as the replicas that an autoscaler chooses. Who applied what
// is in managedFields: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
func managed(o *unstructured.Unstructured) any {
	for _, f := range o.GetManagedFields() {
		var fields map[string]any
		if f.Manager != fluxManager || f.Operation != metav1.ManagedFieldsOperationApply || f.FieldsV1 == nil || json.Unmarshal(f.FieldsV1.GetRawBytes(), &fields) != nil {
			continue
		}
		picked := pick(o.Object, fields)
		forgetOrigin(picked)
		return picked
	}
	return nil
}

// origin begins the annotations in which a published service says of which commit it is, and whose. A revert is a commit of its own.
// https://github.com/opencontainers/image-spec/blob/main/annotations.md
const origin = "org.opencontainers.image."

func forgetOrigin(object any) {
	o, _ := object.(map[string]any)
	metadata, _ := o["metadata"].(map[string]any)
	annotations, _ := metadata["annotations"].(map[string]any)
	maps.DeleteFunc(annotations, func(key string, _ any) bool { return strings.HasPrefix(key, origin) })
}

var imagePolicies = schema.GroupVersionResource{Group: "image.toolkit.fluxcd.io", Version: "v1", Resource: "imagepolicies"}

// images are those whose tags Flux chooses.
func (w *Watch) images(ctx context.Context) ([]string, error) {
	list, err := w.flux.Dynamic.Resource(imagePolicies).List(ctx, metav1.ListOptions{})
	if apierrors.IsNotFound(err) { // no environment has to have them
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the image policies: %w", err)
	}
	var names []string
	for _, o := range list.Items {
		if name, _, _ := unstructured.NestedString(o.Object, "status", "latestRef", "name"); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// fingerprints are two: of an object without the tags that Flux chooses, and of all of it. A revert builds an image anew, with
// another tag.
func fingerprints(object any, images []string) (string, error) {
	all, err := fingerprint(object)
	if err != nil {
		return "", err
	}
	steady, err := fingerprint(tagless(object, images))
	return steady + " " + all, err
}

// steady leaves the first of each two fingerprints.
func steady(look map[string]string) map[string]string {
	some := maps.Clone(look)
	for name, value := range some {
		some[name], _, _ = strings.Cut(value, " ")
	}
	return some
}

// tagless copies a value without tag and digest of images.
func tagless(value any, images []string) any {
	switch v := value.(type) {
	case map[string]any:
		copied := make(map[string]any, len(v))
		for key, inner := range v {
			copied[key] = tagless(inner, images)
		}
		return copied
	case []any:
		copied := make([]any, len(v))
		for i, inner := range v {
			copied[i] = tagless(inner, images)
		}
		return copied
	case string:
		for _, image := range images {
			if rest, ok := strings.CutPrefix(v, image); ok && strings.IndexAny(rest, ":@") == 0 {
				return image
			}
		}
	}
	return value
}

// pick takes the fields of a set out of a value: "f:" is a field, "k:" an item of a list by its keys, "v:" an item by its value.
func pick(value any, fields map[string]any) any {
	if len(fields) == 0 {
		return value
	}
	switch v := value.(type) {
	case map[string]any:
		picked := map[string]any{}
		for key, inner := range fields {
			if name, ok := strings.CutPrefix(key, "f:"); ok {
				more, _ := inner.(map[string]any)
				picked[name] = pick(v[name], more)
			}
		}
		return picked
	case []any:
		picked := map[string]any{} // by its keys: whose order in the list it is, is another's
		for key, inner := range fields {
			if item := itemOf(v, key); item != nil {
				more, _ := inner.(map[string]any)
				picked[key] = pick(item, more)
			}
		}
		return picked
	default:
		return value
	}
}

// itemOf finds the item of a list that a key means.
func itemOf(list []any, key string) any {
	if value, ok := strings.CutPrefix(key, "v:"); ok {
		return value
	}
	text, ok := strings.CutPrefix(key, "k:")
	var keys map[string]any
	if !ok || json.Unmarshal([]byte(text), &keys) != nil {
		return nil
	}
next:
	for _, item := range list {
		fields, _ := item.(map[string]any)
		for name, want := range keys {
			if fmt.Sprint(fields[name]) != fmt.Sprint(want) {
				continue next
			}
		}
		return item
	}
	return nil
}
