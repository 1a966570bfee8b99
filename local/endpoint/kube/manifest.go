package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// manager owns the fields that a manifest sets, as kubectl's would.
const manager = "kubectl"

// deleteTimeout is how long a deletion waits for finalizers: the longest that
// the provider's Lambda function may run.
const deleteTimeout = 15 * time.Minute

// parse reads the Manifest property: a JSON list of objects.
func parse(p resources.Properties) ([]*unstructured.Unstructured, error) {
	var list []map[string]any
	if err := json.Unmarshal([]byte(p.String("Manifest")), &list); err != nil {
		return nil, fmt.Errorf("Manifest is no JSON list of objects: %w", err) //nolint:staticcheck // an error starts with the name of the property
	}
	var out []*unstructured.Unstructured
	for i, m := range list {
		o := &unstructured.Unstructured{Object: m}
		if o.GetKind() == "" || o.GetAPIVersion() == "" || o.GetName() == "" {
			return nil, fmt.Errorf("Manifest[%d]: kind, apiVersion and metadata.name are required", i) //nolint:staticcheck // an error starts with the name of the property
		}
		out = append(out, o)
	}
	return out, nil
}

func flag(p resources.Properties, key string) bool {
	b, _ := strconv.ParseBool(p.String(key))
	return b
}

// createManifest is `kubectl create`, or `kubectl apply` with Overwrite.
func (h handlers) createManifest(ctx context.Context, r *resources.Request, p resources.Properties) (resources.Result, error) {
	objects, err := parse(p)
	if err != nil {
		return resources.Result{}, err
	}
	c, err := h.connect(r)
	if err != nil {
		return resources.Result{}, err
	}
	result := resources.Result{ID: r.Name(255, false)}
	if flag(p, "Overwrite") {
		return result, c.apply(ctx, objects, manager, validation(p))
	}
	for _, o := range objects {
		api, err := c.resourceFor(o)
		if err != nil {
			return result, err
		}
		if _, err := api.Create(ctx, o, metav1.CreateOptions{FieldManager: manager, FieldValidation: validation(p)}); err != nil {
			return result, fmt.Errorf("%s: %w", name(o), err)
		}
	}
	return result, nil
}

// validation is how the server treats unknown fields: kubectl has them refused
// unless SkipValidation is set.
func validation(p resources.Properties) string {
	if flag(p, "SkipValidation") {
		return metav1.FieldValidationIgnore
	}
	return metav1.FieldValidationStrict
}

// updateManifest is `kubectl apply`, with `--prune` when there is a PruneLabel:
// objects that left the manifest are deleted. The label is on nothing but this
// resource's objects, so the old manifest tells which they are.
func (h handlers) updateManifest(ctx context.Context, r *resources.Request, id string, old, updated resources.Properties) (resources.Result, error) {
	objects, err := parse(updated)
	if err != nil {
		return resources.Result{}, err
	}
	c, err := h.connect(r)
	if err != nil {
		return resources.Result{}, err
	}
	if err := c.apply(ctx, objects, manager, validation(updated)); err != nil {
		return resources.Result{}, err
	}
	if updated.String("PruneLabel") == "" {
		return resources.Result{ID: id}, nil
	}
	before, err := parse(old)
	if err != nil {
		return resources.Result{}, err
	}
	return resources.Result{ID: id}, c.remove(ctx, missing(before, objects), deleteTimeout)
}

// missing returns the objects of before that after lacks.
func missing(before, after []*unstructured.Unstructured) []*unstructured.Unstructured {
	key := func(o *unstructured.Unstructured) string {
		return o.GroupVersionKind().GroupKind().String() + " " + o.GetNamespace() + "/" + o.GetName()
	}
	kept := map[string]bool{}
	for _, o := range after {
		kept[key(o)] = true
	}
	var out []*unstructured.Unstructured
	for _, o := range before {
		if !kept[key(o)] {
			out = append(out, o)
		}
	}
	return out
}

// deleteManifest is `kubectl delete`, which waits until the objects are gone:
// the deletion of a root Kustomization lasts until Flux has removed everything
// that it applied.
func (h handlers) deleteManifest(ctx context.Context, r *resources.Request, _ string, p resources.Properties) error {
	objects, err := parse(p)
	if err != nil {
		return nil //nolint:nilerr // what cannot be parsed was never applied
	}
	c, err := h.connect(r)
	if err != nil {
		return err
	}
	return c.remove(ctx, objects, deleteTimeout)
}

// apply writes objects in their order. Other managers' claims on a field give
// way, as they do to a client-side apply.
func (c *cluster) apply(ctx context.Context, objects []*unstructured.Unstructured, owner, validation string) error {
	force := true
	options := metav1.PatchOptions{FieldManager: owner, Force: &force, FieldValidation: validation}
	for _, o := range objects {
		data, err := json.Marshal(o)
		if err != nil {
			return fmt.Errorf("%s: %w", name(o), err)
		}
		err = patiently(ctx, func() error {
			api, err := c.resourceFor(o)
			if err != nil {
				return err
			}
			if _, err := api.Patch(ctx, o.GetName(), types.ApplyPatchType, data, options); err != nil {
				return fmt.Errorf("%s: %w", name(o), err)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// remove deletes objects, in their order, and waits until all are gone.
func (c *cluster) remove(ctx context.Context, objects []*unstructured.Unstructured, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("not gone after %s", timeout))
	defer cancel()
	for _, o := range objects {
		if err := patiently(ctx, func() error { return c.requestDeletion(ctx, o) }); err != nil {
			return err
		}
	}
	for _, o := range objects {
		if err := c.waitGone(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) requestDeletion(ctx context.Context, o *unstructured.Unstructured) error {
	api, err := c.resourceFor(o)
	if meta.IsNoMatchError(errors.Unwrap(err)) {
		return nil // its definition is gone, and with it every object
	}
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = api.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("%s: %w", name(o), err)
	}
	return nil
}

func (c *cluster) waitGone(ctx context.Context, o *unstructured.Unstructured) error {
	var last *unstructured.Unstructured
	gone := func() (bool, error) {
		api, err := c.resourceFor(o)
		if meta.IsNoMatchError(errors.Unwrap(err)) {
			return true, nil // the kind itself is gone
		}
		var current *unstructured.Unstructured
		if err == nil {
			current, err = api.Get(ctx, o.GetName(), metav1.GetOptions{})
		}
		switch {
		case apierrors.IsNotFound(err):
			return true, nil
		case unanswered(err):
			return false, nil // the server is being restarted; the context bounds the wait
		case err != nil:
			return false, fmt.Errorf("%s: %w", name(o), err)
		}
		// A new object of that name is not the one that was deleted.
		done := current.GetDeletionTimestamp() == nil && last != nil && current.GetUID() != last.GetUID()
		last = current
		return done, nil
	}
	if err := poll(ctx, 200*time.Millisecond, gone); err != nil {
		if ctx.Err() != nil && last != nil {
			return fmt.Errorf("%s: %w: finalizers %v%s", name(o), context.Cause(ctx), last.GetFinalizers(), conditions(last))
		}
		return err
	}
	return nil
}

// poll calls done until it is true, fails, or the context ends.
func poll(ctx context.Context, interval time.Duration, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(interval):
		}
	}
}

// conditions describes the status conditions that are not True, for messages.
func conditions(o *unstructured.Unstructured) string {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	var out string
	for _, item := range list {
		c, ok := item.(map[string]any)
		if ok && c["status"] != "True" {
			out += fmt.Sprintf("; %v: %v", c["type"], c["message"])
		}
	}
	return out
}
