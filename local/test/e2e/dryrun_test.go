//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/local/system/layout"
)

// TestDryRun is the scenario's step alone, on the system whose state directory
// E2E_STATE names.
func TestDryRun(t *testing.T) {
	state := os.Getenv("E2E_STATE")
	if state == "" {
		t.Skip("E2E_STATE names no running system; the scenario has this step")
	}
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	s := &system{t: t, repo: root, dir: &layout.Dir{Root: state, Repo: root}}
	detail, err := s.dryRun(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Log(detail)
}

// dryRun sends everything that Flux would apply in each environment to the
// API server, as a server-side apply that is not stored: admission, defaults
// and the schemas of the installed definitions judge it.
func (s *system) dryRun(ctx context.Context) (detail string, err error) {
	d, err := newDryRun(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	environments, err := manifests.Environments(s.repo)
	if err != nil {
		return "", err
	}
	var all []rendered
	for _, environment := range environments {
		objects, err := renderAll(ctx, s.repo, environment)
		if err != nil {
			return "", err
		}
		all = append(all, objects...)
	}
	remove, err := d.namespaces(ctx, all)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, remove()) }()
	if err := d.canaries(ctx, all); err != nil {
		return "", err
	}
	for _, r := range all {
		d.try(ctx, r)
	}
	if len(d.refused) > 0 {
		return "", fmt.Errorf("%d of %d objects are refused: %s", len(d.refused), len(all), strings.Join(d.refused, "; "))
	}
	detail = fmt.Sprintf("%d objects of %s accepted", d.accepted, strings.Join(environments, ", "))
	for _, kind := range slices.Sorted(maps.Keys(d.skipped)) {
		detail += fmt.Sprintf("; skipped %s: %s", kind, d.skipped[kind])
	}
	return detail, nil
}

// rendered is an object of one environment.
type rendered struct {
	environment, from string
	object            *unstructured.Unstructured
}

func (r rendered) String() string {
	return fmt.Sprintf("%s, %s: %s %s/%s", r.environment, r.from, r.object.GetKind(), r.object.GetNamespace(), r.object.GetName())
}

// renderAll builds an environment with its facts, charts included.
func renderAll(ctx context.Context, root, environment string) ([]rendered, error) {
	got, err := manifests.Render(ctx, manifests.Options{Root: root}, environment)
	if err != nil {
		return nil, err
	}
	if len(got.Problems) > 0 {
		return nil, errors.New(strings.Join(got.Problems, "; "))
	}
	var all []rendered
	add := func(from, namespace string, o manifests.Object) error {
		u, err := plain(o.Values)
		if err == nil {
			if u.GetNamespace() == "" {
				u.SetNamespace(namespace) // as Helm does; taken off again where the kind has none
			}
			all = append(all, rendered{environment, from, u})
		}
		return err
	}
	for _, k := range got.Kustomizations {
		for _, o := range k.Objects {
			if err := add(k.Name, "", o); err != nil {
				return nil, err
			}
			if o.Release == nil {
				continue
			}
			charted, err := o.Release.Objects()
			if err != nil {
				return nil, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
			}
			u, err := plain(o.Values)
			if err != nil {
				return nil, err
			}
			target, _, _ := unstructured.NestedString(u.Object, "spec", "targetNamespace")
			if target == "" {
				target = o.Namespace
			}
			for _, c := range charted {
				if err := add("chart "+o.Release.Chart, target, c); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

// plain makes the values those of JSON, which is what the client takes.
func plain(values map[string]any) (*unstructured.Unstructured, error) {
	raw, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	return u, u.UnmarshalJSON(raw)
}

// dryRun counts what the API server says.
type dryRun struct {
	client   dynamic.Interface
	mapper   meta.RESTMapper
	accepted int
	skipped  map[string]string // kind to reason
	refused  []string
}

func newDryRun(kubeconfig string) (*dryRun, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	found, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	return &dryRun{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(found)), skipped: map[string]string{}}, nil
}

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// namespaces makes those that other environments have and this system has not:
// the API server judges nothing in a namespace that is not there. The returned
// function removes them.
func (d *dryRun) namespaces(ctx context.Context, all []rendered) (remove func() error, err error) {
	var made []string
	remove = func() error {
		var problems []error
		for _, name := range made {
			problems = append(problems, d.client.Resource(namespaces).Delete(context.WithoutCancel(ctx), name, metav1.DeleteOptions{}))
		}
		return errors.Join(append(problems, until(context.WithoutCancel(ctx), 5*time.Minute, "the namespaces of the dry-run to be gone", func() error {
			for _, name := range made {
				if _, err := d.client.Resource(namespaces).Get(ctx, name, metav1.GetOptions{}); !apierrors.IsNotFound(err) {
					return errors.Join(errors.New(name+" is there"), err)
				}
			}
			return nil
		}))...)
	}
	for _, r := range all {
		name := r.object.GetNamespace()
		if name == "" || slices.Contains(made, name) {
			continue
		}
		if _, err := d.client.Resource(namespaces).Get(ctx, name, metav1.GetOptions{}); err == nil {
			continue
		} else if !apierrors.IsNotFound(err) {
			return remove, err
		}
		u := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": name}}}
		if _, err := d.client.Resource(namespaces).Create(ctx, u, metav1.CreateOptions{}); err != nil {
			return remove, errors.Join(err, remove())
		}
		made = append(made, name)
	}
	return remove, nil
}

// absent are the groups of definitions that a local system may lack.
var absent = map[string]string{"image.toolkit.fluxcd.io": "the local FluxInstance is without the controllers of image automation"}

// canaries are mistakes that must be refused: otherwise the rest proves nothing.
func (d *dryRun) canaries(ctx context.Context, all []rendered) error {
	i := slices.IndexFunc(all, func(r rendered) bool { return r.object.GetKind() == "Deployment" && r.object.GetName() == "ghost" })
	if i < 0 {
		return errors.New("no environment has Ghost's Deployment")
	}
	for want, value := range map[string]map[string]any{
		".spec.replicas: expected numeric": {"replicas": "many"},
		".spec.replic: field not declared": {"replic": int64(1)},
	} {
		u := all[i].object.DeepCopy()
		maps.Copy(u.Object["spec"].(map[string]any), value)
		if _, err := d.apply(ctx, u); err == nil || !strings.Contains(err.Error(), want) {
			return errors.Join(fmt.Errorf("a Deployment with %v is not refused as such", value), err)
		}
	}
	return nil
}

// try applies an object and notes the verdict.
func (d *dryRun) try(ctx context.Context, r rendered) {
	known, err := d.apply(ctx, r.object)
	kind := r.object.GroupVersionKind().GroupKind()
	switch reason, optional := absent[kind.Group]; {
	case !known && optional:
		d.skipped[kind.String()] = reason
	case !known:
		d.refused = append(d.refused, fmt.Sprintf("%s: this system has no definition of %s", r, kind))
	case err != nil:
		d.refused = append(d.refused, fmt.Sprintf("%s: %v", r, err))
	default:
		d.accepted++
	}
}

// apply is kubectl apply --server-side --dry-run=server. known tells whether
// the server has the kind.
func (d *dryRun) apply(ctx context.Context, u *unstructured.Unstructured) (known bool, err error) {
	kind := u.GroupVersionKind()
	mapping, err := d.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	u = u.DeepCopy()
	var api dynamic.ResourceInterface = d.client.Resource(mapping.Resource)
	if mapping.Scope.Name() == meta.RESTScopeNameNamespace {
		if u.GetNamespace() == "" {
			return true, errors.New("has no namespace")
		}
		api = d.client.Resource(mapping.Resource).Namespace(u.GetNamespace())
	} else {
		u.SetNamespace("")
	}
	raw, err := u.MarshalJSON()
	if err != nil {
		return true, err
	}
	force := true
	_, err = api.Patch(ctx, u.GetName(), types.ApplyPatchType, raw, metav1.PatchOptions{
		DryRun: []string{metav1.DryRunAll}, FieldManager: "dry-run", Force: &force, FieldValidation: metav1.FieldValidationStrict,
	})
	return true, err
}
