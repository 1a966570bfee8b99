package manifests

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/config"
)

// Rendered is what one environment gets, as it would arrive in a cluster.
type Rendered struct {
	Environment string
	// Kustomizations in the order of their declaration, after the entry point itself, whose Name is "flux-system".
	Kustomizations []Kustomization
	// Problems are objects that could not be rendered, one line each; `gitops manifests validate` explains them.
	Problems []string
}

// Kustomization is what one Flux Kustomization applies.
type Kustomization struct {
	Name string
	// Path is the folder that it builds, relative to the repository.
	Path    string
	Objects []Object
}

// Object is a rendered Kubernetes object.
type Object struct {
	APIVersion, Kind, Namespace, Name string
	// Values is the whole object.
	Values map[string]any
	// Release is set for a HelmRelease.
	Release *Release
}

// Release is what a HelmRelease installs.
type Release struct {
	Chart, Version string
	// Values for the chart.
	Values map[string]any

	read   release
	charts Charts
}

// Source is the folder of the chart's source: the same folder means the same content, since versions are exact.
func (r Release) Source() (string, error) { return r.charts(r.read.chart()) }

// Objects renders the chart with the release's values. What a chart makes up anew each time, such as a certificate, differs
// between two calls.
func (r Release) Objects() ([]Object, error) {
	rendered, err := render(r.read, r.charts)
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(rendered))
	for i, o := range rendered {
		objects[i] = export(o)
	}
	return objects, nil
}

// Render builds one environment as Flux does: kustomize, then substitution with the environment's facts. Charts of
// HelmReleases are not rendered, see Release.Objects. The error is one that prevented all of it.
func Render(ctx context.Context, options Options, environment string) (Rendered, error) {
	root := cmp.Or(options.Root, ".")
	charts := options.Charts
	if charts == nil {
		charts = ReleasedCharts(root, options.Notice)
	}
	rendered := Rendered{Environment: environment}
	c, err := config.LoadOld(root)
	if err != nil {
		return rendered, err
	}
	facts, err := factsOf(c, environment)
	if err != nil {
		return rendered, err
	}
	entry := "k8s/clusters/" + environment
	if err := folder(filepath.Join(root, entry)); err != nil {
		return rendered, fmt.Errorf("%s: %w", entry, err)
	}
	run := &check{ctx: ctx, root: root, environment: environment, entry: rootOverlay(root, c.Environments[environment]), facts: facts, charts: charts}
	run.enter(entry)
	declared := run.folder(entry, run.entry, facts[config.ClusterFactsName])
	rendered.Kustomizations = append(rendered.Kustomizations, Kustomization{Name: "flux-system", Path: entry, Objects: run.export(declared)})
	if err := run.nested(&rendered, declared, map[string]bool{}); err != nil {
		return rendered, err
	}
	for _, problem := range unique(run.problems) {
		rendered.Problems = append(rendered.Problems, problem.String())
	}
	return rendered, nil
}

// nested renders the Kustomizations among objects, and those that they apply in turn: the fleet comes in parts. One of
// another source leads out of this repository.
func (c *check) nested(rendered *Rendered, objects []object, seen map[string]bool) error {
	for _, o := range objects {
		if key(o) != fluxKustomization || text(o, "spec", "sourceRef", "name") != platformSource || seen[o.String()] {
			continue
		}
		seen[o.String()] = true
		if err := c.ctx.Err(); err != nil {
			return err
		}
		made, inside, err := c.kustomization(o)
		if err != nil {
			rendered.Problems = append(rendered.Problems, fmt.Sprintf("%s: %v", o, err))
			continue
		}
		rendered.Kustomizations = append(rendered.Kustomizations, made)
		if err := c.nested(rendered, inside, seen); err != nil {
			return err
		}
	}
	return nil
}

// kustomization renders what a Flux Kustomization applies.
func (c *check) kustomization(o object) (Kustomization, []object, error) {
	read, err := readStage(o)
	if err != nil {
		return Kustomization{}, nil, err
	}
	path := strings.TrimPrefix(filepath.ToSlash(filepath.Clean(read.Spec.Path)), "./")
	if err := folder(filepath.Join(c.root, path)); err != nil {
		return Kustomization{}, nil, fmt.Errorf("spec.path %q: %w", read.Spec.Path, err)
	}
	c.enter("k8s/clusters/" + c.environment)
	variables := c.variables(read)
	c.enter(path)
	objects := c.folder(path, read.Spec.overlay, variables)
	return Kustomization{Name: read.Metadata.Name, Path: path, Objects: c.export(objects)}, objects, nil
}

// export makes objects of the package's own ones, and notes releases.
func (c *check) export(objects []object) []Object {
	exported, addresses := make([]Object, len(objects)), sources(objects)
	for i, o := range objects {
		exported[i] = export(o)
		if key(o) != helmRelease {
			continue
		}
		read, err := readRelease(o, addresses)
		if err != nil {
			c.report(o, err.Error(), "pin one version, for example 1.2.3")
			continue
		}
		chart := read.Spec.Chart.Spec
		exported[i].Release = &Release{Chart: chart.Chart, Version: chart.Version, Values: read.Spec.Values, read: read, charts: c.charts}
	}
	return exported
}

func export(o object) Object {
	return Object{APIVersion: o.apiVersion(), Kind: o.kind(), Namespace: o.namespace(), Name: o.name(), Values: o}
}

// YAML writes the object as kubectl would.
func (o Object) YAML() string {
	text, err := yaml.Marshal(o.Values)
	if err != nil {
		return fmt.Sprintln(err)
	}
	return string(text)
}
