package manifests

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"sigs.k8s.io/yaml"
)

// release is what is read of a HelmRelease.
type release struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Chart struct {
			Spec struct {
				Chart     string `json:"chart"`
				Version   string `json:"version"`
				SourceRef struct {
					Kind      string `json:"kind"`
					Name      string `json:"name"`
					Namespace string `json:"namespace"`
				} `json:"sourceRef"`
			} `json:"spec"`
		} `json:"chart"`
		ReleaseName     string         `json:"releaseName"`
		TargetNamespace string         `json:"targetNamespace"`
		Values          map[string]any `json:"values"`
	} `json:"spec"`

	// repository is the address of the source.
	repository string
}

// source names the object that the chart comes from.
func (r release) source() string {
	ref := r.Spec.Chart.Spec.SourceRef
	return ref.Kind + "/" + cmp.Or(ref.Namespace, r.Metadata.Namespace) + "/" + ref.Name
}

// sources maps objects, named as a release's source is, to their address, if they have any.
func sources(objects []object) map[string]string {
	found := map[string]string{}
	for _, o := range objects {
		found[o.kind()+"/"+o.namespace()+"/"+o.name()] = text(o, "spec", "url")
	}
	return found
}

// readRelease reads a HelmRelease, and its source among the addresses, and refuses what this package cannot follow.
func readRelease(o object, addresses map[string]string) (release, error) {
	content, err := yaml.Marshal(o)
	if err != nil {
		return release{}, err
	}
	var read release
	if err := yaml.Unmarshal(content, &read); err != nil {
		return release{}, err
	}
	if read.Spec.Chart.Spec.Chart == "" {
		return release{}, fmt.Errorf("spec.chart.spec.chart is missing")
	}
	if !exactVersion.MatchString(read.Spec.Chart.Spec.Version) {
		return release{}, fmt.Errorf("spec.chart.spec.version must be one version, got %q", read.Spec.Chart.Spec.Version)
	}
	read.repository = addresses[read.source()]
	return read, nil
}

// chart is what the release asks for.
func (r release) chart() Chart {
	return Chart{Name: r.Spec.Chart.Spec.Chart, Version: r.Spec.Chart.Spec.Version, Repository: r.repository}
}

// render returns the objects of a release: CustomResourceDefinitions of the crds folder, then
// templates. Values are checked against the chart's own schema.
func render(r release, charts Charts) ([]object, error) {
	wanted := r.Spec.Chart.Spec
	dir, err := charts(r.chart())
	if err != nil {
		return nil, err
	}
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", wanted.Chart, err)
	}
	if err := unknownValues(loaded, r.Spec.Values); err != nil {
		return nil, err
	}
	rendered, err := r.templates(dir, r.Spec.Values)
	if err != nil {
		return nil, err
	}
	if err := r.ignoredValues(dir, loaded, rendered); err != nil {
		return nil, err
	}
	return objectsOf(loaded, rendered)
}

// templates are what a chart's templates make of some values, by their files.
func (r release) templates(dir string, values map[string]any) (map[string]string, error) {
	wanted := r.Spec.Chart.Spec
	loaded, err := loader.LoadDir(dir) // anew: dependencies that the values switch off are taken out of it
	if err != nil {
		return nil, fmt.Errorf("chart %s: %w", wanted.Chart, err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(loaded, values); err != nil {
		return nil, fmt.Errorf("chart %s: %w", wanted.Chart, err)
	}
	options := chartutil.ReleaseOptions{
		Name: cmp.Or(r.Spec.ReleaseName, r.Metadata.Name), Namespace: cmp.Or(r.Spec.TargetNamespace, r.Metadata.Namespace), IsInstall: true, Revision: 1,
	}
	capabilities := chartutil.DefaultCapabilities.Copy()
	capabilities.KubeVersion = chartutil.KubeVersion{Version: "v1.36.0", Major: "1", Minor: "36"}
	context, err := chartutil.ToRenderValues(loaded, values, options, capabilities)
	if err != nil {
		return nil, fmt.Errorf("values: %w", err)
	}
	rendered, err := engine.Render(loaded, context)
	if err != nil {
		return nil, fmt.Errorf("chart %s %s: %w", wanted.Chart, wanted.Version, err)
	}
	return rendered, nil
}

// unknownValues refuses a value that the chart does not have: Helm would ignore it. Only the first level
// is compared; below it a chart's default may be an empty map that takes anything.
func unknownValues(loaded *chart.Chart, values map[string]any) error {
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, known := loaded.Values[name]; !known && name != chartutil.GlobalKey {
			return fmt.Errorf("values: chart %s has no value %q", loaded.Name(), name)
		}
	}
	return nil
}

// objectsOf parses rendered templates and the chart's CRDs.
func objectsOf(loaded *chart.Chart, rendered map[string]string) ([]object, error) {
	var documents []string
	for _, crd := range loaded.CRDObjects() {
		for _, document := range bytes.Split(crd.File.Data, []byte("\n---")) {
			documents = append(documents, string(document))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if path.Ext(name) == ".yaml" && !strings.HasPrefix(path.Base(name), "_") {
			split := releaseutil.SplitManifests(rendered[name])
			for _, key := range slices.Sorted(maps.Keys(split)) {
				documents = append(documents, split[key])
			}
		}
	}
	var objects []object
	for _, document := range documents {
		parsed, err := parse([]byte(document))
		if err != nil {
			return nil, fmt.Errorf("chart %s: a template must make YAML: %w", loaded.Name(), err)
		}
		objects = append(objects, flatten(parsed)...)
	}
	return objects, nil
}

// flatten returns the items of a List, or the object itself; nothing for an empty document.
func flatten(o object) []object {
	if len(o) == 0 {
		return nil
	}
	items, isList := o["items"].([]any)
	if o.kind() != "List" || !isList {
		return []object{o}
	}
	var objects []object
	for _, item := range items {
		if child, ok := item.(map[string]any); ok {
			objects = append(objects, flatten(child)...)
		}
	}
	return objects
}
