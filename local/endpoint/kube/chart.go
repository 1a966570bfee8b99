package kube

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// The one chart that the stand-in installs. Registries of OCI charts are out of
// reach of a machine without network, so it applies the install manifests that
// the same release of flux-operator carries in its Go module: the same
// definitions, roles, Deployment and Service as the chart's, with its defaults.
const (
	operatorChart = "oci://ghcr.io/controlplaneio-fluxcd/charts/flux-operator"
	operatorImage = "ghcr.io/controlplaneio-fluxcd/flux-operator"
)

// helmManager owns the fields of a release, as Helm 4's server-side apply does.
const helmManager = "helm"

// installChart is `helm upgrade --install`.
func (h handlers) installChart(ctx context.Context, r *resources.Request, p resources.Properties) (resources.Result, error) {
	id := r.Name(255, false)
	return resources.Result{ID: id}, h.release(ctx, r, p)
}

func (h handlers) upgradeChart(ctx context.Context, r *resources.Request, id string, _, updated resources.Properties) (resources.Result, error) {
	return resources.Result{ID: id}, h.release(ctx, r, updated)
}

func (h handlers) release(ctx context.Context, r *resources.Request, p resources.Properties) error {
	objects, err := render(r.FluxOperator, p)
	if err != nil {
		return err
	}
	timeout, err := releaseTimeout(p)
	if err != nil {
		return err
	}
	c, err := h.connect(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("release %s is not ready after %s", p.String("Release"), timeout))
	defer cancel()
	definitions, others := split(objects)
	if err := c.apply(ctx, definitions, helmManager, metav1.FieldValidationStrict); err != nil {
		return err
	}
	for _, o := range definitions {
		if err := c.waitFor(ctx, o, established); err != nil {
			return err
		}
	}
	if err := c.apply(ctx, others, helmManager, metav1.FieldValidationStrict); err != nil {
		return err
	}
	if !flag(p, "Wait") && !flag(p, "Atomic") {
		return nil
	}
	for _, o := range others {
		if o.GetKind() == "Deployment" {
			if err := c.waitFor(ctx, o, available); err != nil {
				return err
			}
		}
	}
	return nil
}

// releaseTimeout is the Timeout property; Helm's default is five minutes.
func releaseTimeout(p resources.Properties) (time.Duration, error) {
	s := p.String("Timeout")
	if s == "" {
		return 5 * time.Minute, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("Timeout: got %q, want a duration such as 300s", s) //nolint:staticcheck // an error starts with the name of the property
	}
	return d, nil
}

// uninstallChart is `helm uninstall`: definitions stay, as the chart's
// annotation helm.sh/resource-policy: keep has it, and so does the namespace.
func (h handlers) uninstallChart(ctx context.Context, r *resources.Request, _ string, p resources.Properties) error {
	objects, err := render(r.FluxOperator, p)
	if err != nil {
		return nil //nolint:nilerr // what cannot be rendered was never installed
	}
	timeout, err := releaseTimeout(p)
	if err != nil {
		timeout = 5 * time.Minute
	}
	c, err := h.connect(r)
	if err != nil {
		return err
	}
	_, others := split(objects)
	others = without(others, "Namespace")
	// In the reverse order of the installation: the Deployment before its roles.
	for i, j := 0, len(others)-1; i < j; i, j = i+1, j-1 {
		others[i], others[j] = others[j], others[i]
	}
	return c.remove(ctx, others, timeout)
}

// render returns the objects of the release in the order of installation.
func render(module string, p resources.Properties) ([]*unstructured.Unstructured, error) {
	chart := p.String("Repository")
	if chart != operatorChart {
		return nil, fmt.Errorf("chart %s %s is not supported by the local stand-in, only %s: let Flux install it, from k8s/platform/controllers",
			chart, p.String("Chart"), operatorChart)
	}
	if p.Has("Values") && p.String("Values") != "{}" {
		return nil, errors.New("Values: the local stand-in installs flux-operator with its defaults only") //nolint:staticcheck // an error starts with the name of the property
	}
	if module == "" {
		return nil, errors.New("the directory of flux-operator's install manifests is not configured")
	}
	// The version of the template is production's; here runs the one that is built here (docs/versions.md).
	_, version, found := strings.Cut(filepath.Base(module), "@")
	if !found {
		return nil, fmt.Errorf("flux-operator's install manifests in %s: must be the folder of a Go module, flux-operator@<version>", module)
	}
	objects, err := build(module, p.String("Namespace"), version)
	if err != nil {
		return nil, fmt.Errorf("flux-operator's install manifests in %s: %w", module, err)
	}
	if !flag(p, "CreateNamespace") {
		objects = without(objects, "Namespace")
	}
	return objects, nil
}

// build runs kustomize in memory over a copy of the module's config/default
// and what it refers to, with the namespace and image of the release on top.
func build(module, namespace, version string) ([]*unstructured.Unstructured, error) {
	if namespace == "" {
		namespace = "default"
	}
	files := filesys.MakeFsInMemory()
	for _, dir := range []string{"default", "crd", "manager"} {
		if err := copyDir(files, filepath.Join(module, "config"), dir); err != nil {
			return nil, err
		}
	}
	overlay, err := yaml.Marshal(map[string]any{
		"namespace": namespace,
		"resources": []string{"../default"},
		"images":    []map[string]string{{"name": operatorImage, "newTag": version}},
	})
	if err != nil {
		return nil, err
	}
	if err := files.WriteFile("/config/release/kustomization.yaml", overlay); err != nil {
		return nil, err
	}
	result, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/config/release")
	if err != nil {
		return nil, err
	}
	var out []*unstructured.Unstructured
	for _, item := range result.Resources() {
		m, err := item.Map()
		if err != nil {
			return nil, err
		}
		out = append(out, &unstructured.Unstructured{Object: m})
	}
	return out, nil
}

func copyDir(to filesys.FileSystem, root, dir string) error {
	return fs.WalkDir(os.DirFS(root), dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
		if err != nil {
			return err
		}
		return to.WriteFile("/config/"+path, data)
	})
}

// split separates custom resource definitions, which come first, from the rest.
func split(objects []*unstructured.Unstructured) (definitions, others []*unstructured.Unstructured) {
	for _, o := range objects {
		if o.GetKind() == "CustomResourceDefinition" {
			definitions = append(definitions, o)
		} else {
			others = append(others, o)
		}
	}
	return definitions, others
}

func without(objects []*unstructured.Unstructured, kind string) []*unstructured.Unstructured {
	var out []*unstructured.Unstructured
	for _, o := range objects {
		if o.GetKind() != kind {
			out = append(out, o)
		}
	}
	return out
}

// waitFor polls an object until ready holds.
func (c *cluster) waitFor(ctx context.Context, o *unstructured.Unstructured, ready func(*unstructured.Unstructured) bool) error {
	api, err := c.resourceFor(o)
	if err != nil {
		return err
	}
	var last *unstructured.Unstructured
	err = poll(ctx, 200*time.Millisecond, func() (bool, error) {
		current, err := api.Get(ctx, o.GetName(), metav1.GetOptions{})
		if unanswered(err) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		last = current
		return ready(current), nil
	})
	if err != nil && last != nil {
		return fmt.Errorf("%s: %w%s", name(o), err, conditions(last))
	}
	return err
}

func established(o *unstructured.Unstructured) bool { return conditionTrue(o, "Established") }

// available is a Deployment whose latest version has all its replicas.
func available(o *unstructured.Unstructured) bool {
	want, found, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	if !found {
		want = 1
	}
	count := func(field string) int64 {
		n, _, _ := unstructured.NestedInt64(o.Object, "status", field)
		return n
	}
	return count("observedGeneration") >= o.GetGeneration() && count("updatedReplicas") >= want && count("availableReplicas") >= want
}

func conditionTrue(o *unstructured.Unstructured, kind string) bool {
	list, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range list {
		if c, ok := item.(map[string]any); ok && c["type"] == kind && c["status"] == "True" {
			return true
		}
	}
	return false
}
