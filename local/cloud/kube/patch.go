package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/cloud/resources"
)

// patchTypes are the values of PatchType, as in `kubectl patch --type`.
var patchTypes = map[string]types.PatchType{
	"":          types.StrategicMergePatchType,
	"strategic": types.StrategicMergePatchType,
	"merge":     types.MergePatchType,
	"json":      types.JSONPatchType,
}

func (h handlers) createPatch(ctx context.Context, r *resources.Request, p resources.Properties) (resources.Result, error) {
	return resources.Result{ID: r.Name(255, false)}, h.patch(ctx, r, p, "ApplyPatchJson")
}

func (h handlers) updatePatch(ctx context.Context, r *resources.Request, id string, _, updated resources.Properties) (resources.Result, error) {
	return resources.Result{ID: id}, h.patch(ctx, r, updated, "ApplyPatchJson")
}

// restorePatch undoes the patch; an object that is gone needs no undoing.
func (h handlers) restorePatch(ctx context.Context, r *resources.Request, _ string, p resources.Properties) error {
	err := h.patch(ctx, r, p, "RestorePatchJson")
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (h handlers) patch(ctx context.Context, r *resources.Request, p resources.Properties, key string) error {
	kind, object, err := splitResource(p.String("ResourceName"))
	if err != nil {
		return err
	}
	how, ok := patchTypes[p.String("PatchType")]
	if !ok {
		return fmt.Errorf("PatchType: got %q, want strategic, merge or json", p.String("PatchType"))
	}
	c, err := h.connect(r)
	if err != nil {
		return err
	}
	mapping, err := c.mappingFor(kind)
	if err != nil {
		return err
	}
	api := c.in(mapping, p.String("ResourceNamespace"))
	_, err = api.Patch(ctx, object, how, []byte(p.String(key)), metav1.PatchOptions{FieldManager: manager})
	if err != nil {
		return fmt.Errorf("%s: %w", p.String("ResourceName"), err)
	}
	return nil
}
