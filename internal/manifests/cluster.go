package manifests

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/config"
)

// Kinds of Flux that this package follows.
const (
	fluxKustomization = "kustomize.toolkit.fluxcd.io/v1/Kustomization"
	helmRelease       = "helm.toolkit.fluxcd.io/v2/HelmRelease"
)

// platformSource is the GitRepository of this repository.
const platformSource = "flux-system"

// check collects the problems of one environment.
type check struct {
	ctx          context.Context
	root         string
	environment  string
	settings     config.Environment // the environment's own
	environments []config.Environment
	entry        overlay // what the root Kustomization adds
	facts        map[string]map[string]string
	charts       Charts
	validator    *schemaValidator
	problems     []Problem
	arrived      []arrival

	// Where a problem belongs: the files of the folder that is being checked, and its path.
	files map[string]string
	path  string
}

// stage is what is read of a Flux Kustomization.
type stage struct {
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Path string `json:"path"`
		overlay
		DependsOn []struct {
			Name string `json:"name"`
		} `json:"dependsOn"`
		PostBuild struct {
			Substitute     map[string]string `json:"substitute"`
			SubstituteFrom []struct {
				Kind     string `json:"kind"`
				Name     string `json:"name"`
				Optional bool   `json:"optional"`
			} `json:"substituteFrom"`
		} `json:"postBuild"`
		SourceRef struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"sourceRef"`
	} `json:"spec"`
}

// report adds a problem of an object.
func (c *check) report(o object, message, remedy string) {
	problem := Problem{Environment: c.environment, File: c.path, Message: message, Remedy: remedy}
	if o != nil {
		problem.Object = o.String()
		if file := c.files[o.kind()+"/"+o.name()]; file != "" {
			problem.File = file
		}
	}
	c.problems = append(c.problems, problem)
}

// enter makes a folder the one that problems belong to.
func (c *check) enter(path string) {
	c.path = path
	c.files = files(c.root, filepath.Join(c.root, path))
	if strings.HasPrefix(path, "k8s/clusters/") {
		// The objects are declared in the shared base.
		for key, file := range files(c.root, filepath.Join(c.root, "k8s/clusters/base")) {
			c.files[key] = file
		}
	}
}

// cluster checks the environment's entry point and everything that it leads to.
func (c *check) cluster() {
	c.enter("k8s/clusters/" + c.environment)
	var stages []stage
	for _, o := range c.folder(c.path, c.entry, c.facts[config.ClusterFactsName]) {
		c.validate(o)
		if key(o) != fluxKustomization {
			continue
		}
		read, err := readStage(o)
		if err != nil {
			c.report(o, err.Error(), "correct the field")
			continue
		}
		stages = append(stages, read)
	}
	if len(stages) == 0 {
		c.report(nil, "leads to no Flux Kustomization", "list ../base under resources")
		return
	}
	c.order(stages)
	c.follow("k8s/clusters/"+c.environment, stages, nil)
}

// follow checks what Kustomizations of a folder lead to, those that they apply among it. A Kustomization of another source
// leads out of this repository. Above are the names of those that apply the folder.
func (c *check) follow(from string, stages []stage, above []string) {
	for _, s := range stages {
		c.enter(from)
		variables := c.variables(s)
		path := strings.TrimPrefix(filepath.ToSlash(filepath.Clean(s.Spec.Path)), "./")
		if err := folder(filepath.Join(c.root, path)); err != nil {
			c.report(stageObject(s), fmt.Sprintf("spec.path %q: %v", s.Spec.Path, err), "correct the path, or make the folder")
			continue
		}
		c.enter(path)
		objects := c.folder(path, s.Spec.overlay, variables)
		c.content(objects)
		var inner []stage
		outer := append(slices.Clone(above), s.Metadata.Name)
		for _, o := range objects {
			if key(o) != fluxKustomization || text(o, "spec", "sourceRef", "name") != platformSource {
				continue
			}
			read, err := readStage(o)
			switch {
			case err != nil:
				c.report(o, "is not readable: "+err.Error(), "correct the field")
				continue
			case slices.Contains(outer, read.Metadata.Name):
				c.report(o, "applies itself, by way of "+strings.Join(outer, ", "), "correct its path, or remove it there")
				continue
			}
			inner = append(inner, read)
		}
		c.follow(path, inner, outer)
	}
}

// folder builds a folder with what a Flux Kustomization adds, and substitutes variables.
func (c *check) folder(path string, added overlay, variables map[string]string) []object {
	built, err := build(filepath.Join(c.root, path), added)
	if err != nil {
		c.report(nil, "kustomize: "+shorten(err, c.root), "correct what it names")
		return nil
	}
	var objects []object
	for _, r := range built {
		plain := object{"kind": r.GetKind(), "metadata": map[string]any{"name": r.GetName(), "namespace": r.GetNamespace()}}
		substituted, err := substitute(r, variables)
		var unknown unknownVariableError
		switch {
		case errors.As(err, &unknown):
			c.report(plain, err.Error(), fmt.Sprintf("use one of %s, or give a default: ${%s:=value}",
				strings.Join(slices.Sorted(maps.Keys(variables)), ", "), unknown.name))
		case err != nil:
			c.report(plain, err.Error(), "quote the value, or annotate the object with "+substituteKey+": disabled")
		default:
			objects = append(objects, substituted)
		}
	}
	return objects
}

// content validates the objects of a stage and renders its releases.
func (c *check) content(objects []object) {
	addresses := sources(objects)
	for _, o := range objects {
		if c.ctx.Err() != nil {
			return
		}
		c.validate(o)
		c.arrived = append(c.arrived, arrival{o, nil, c.path, c.files})
		if key(o) == helmRelease {
			c.release(o, addresses)
		}
	}
}

// release renders a HelmRelease and validates what comes out.
func (c *check) release(o object, addresses map[string]string) {
	read, err := readRelease(o, addresses)
	if err != nil {
		c.report(o, err.Error(), "pin one version, for example 1.2.3")
		return
	}
	if _, declared := addresses[read.source()]; !declared {
		c.report(o, "spec.chart.spec.sourceRef: there is no "+read.source(), "declare it in the same file")
	}
	rendered, err := render(read, c.charts)
	if err != nil {
		c.report(o, err.Error(), "correct spec.values or spec.chart; `go mod download` fetches a missing module")
		return
	}
	for _, child := range rendered {
		c.arrived = append(c.arrived, arrival{child, o, c.path, c.files})
		findings, err := c.validator.validate(child)
		if err != nil {
			findings = []string{err.Error()}
		}
		for _, finding := range findings {
			c.report(o, fmt.Sprintf("the chart's %s: %s", child, finding), "correct spec.values")
		}
	}
}

// validate reports what the schema refuses.
func (c *check) validate(o object) {
	findings, err := c.validator.validate(o)
	for _, finding := range findings {
		c.report(o, finding, "correct the field")
	}
	var unknown unknownKindError
	switch {
	case err == nil:
	case errors.As(err, &unknown):
		c.report(o, err.Error(), "correct apiVersion and kind, or add the kind in internal/manifests/cmd/schemas and run go generate")
	default:
		c.report(o, err.Error(), "every object has apiVersion, kind and metadata.name")
	}
}

// variables merges what a stage substitutes: later sources win over earlier ones, inline values over all.
func (c *check) variables(s stage) map[string]string {
	variables := map[string]string{}
	for _, source := range s.Spec.PostBuild.SubstituteFrom {
		values, known := c.facts[source.Name]
		if (source.Kind != "ConfigMap" || !known) && !source.Optional {
			c.report(stageObject(s), fmt.Sprintf("spec.postBuild.substituteFrom: nothing writes %s %s", source.Kind, source.Name),
				"use ConfigMap "+config.ClusterFactsName+", which the bootstrap writes")
		}
		maps.Copy(variables, values)
	}
	maps.Copy(variables, s.Spec.PostBuild.Substitute)
	return variables
}

// order reports dependencies that do not exist or that form a circle: Flux would wait for ever.
func (c *check) order(stages []stage) {
	depends := map[string][]string{}
	for _, s := range stages {
		depends[s.Metadata.Name] = nil
		for _, dependency := range s.Spec.DependsOn {
			depends[s.Metadata.Name] = append(depends[s.Metadata.Name], dependency.Name)
		}
	}
	for _, s := range stages {
		for _, name := range depends[s.Metadata.Name] {
			if _, known := depends[name]; !known {
				c.report(stageObject(s), fmt.Sprintf("spec.dependsOn: there is no Kustomization %q", name),
					"name one of "+strings.Join(slices.Sorted(maps.Keys(depends)), ", "))
			}
		}
		if circular(s.Metadata.Name, s.Metadata.Name, depends, map[string]bool{}) {
			c.report(stageObject(s), "spec.dependsOn: waits for itself", "remove one dependency of the circle")
		}
	}
}

// circular reports whether target is reached from name.
func circular(target, name string, depends map[string][]string, seen map[string]bool) bool {
	for _, next := range depends[name] {
		if next == target {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if circular(target, next, depends, seen) {
				return true
			}
		}
	}
	return false
}

// readStage reads a Flux Kustomization.
func readStage(o object) (stage, error) {
	content, err := yaml.Marshal(o)
	if err != nil {
		return stage{}, err
	}
	var read stage
	if err := yaml.Unmarshal(content, &read); err != nil {
		return stage{}, err
	}
	return read, nil
}

// stageObject names a stage in a problem.
func stageObject(s stage) object {
	return object{"kind": "Kustomization", "metadata": map[string]any{"name": s.Metadata.Name, "namespace": s.Metadata.Namespace}}
}

// key names an object's kind with its group and version.
func key(o object) string { return o.apiVersion() + "/" + o.kind() }
