package manifests

import (
	"cmp"
	"context"
	"fmt"
	"maps"

	"k8s-plus-aws-gitops/internal/admission"
)

// arrival is an object as it arrives in the cluster: one of the repository, or one of a release's chart.
type arrival struct {
	object
	release object // nil for one of the repository
	// Where a problem of it belongs.
	path  string
	files map[string]string
}

// in is the namespace that the object arrives in.
func (a arrival) in() string {
	if a.release == nil {
		return a.namespace()
	}
	return cmp.Or(a.namespace(), text(a.release, "spec", "targetNamespace"), a.release.namespace())
}

// reportOf adds a problem of what arrives; one of a chart's object is its release's.
func (c *check) reportOf(a arrival, message, remedy string) {
	c.path, c.files = a.path, a.files
	if a.release != nil {
		c.report(a.release, fmt.Sprintf("the chart's %s: %s", a.object, message), "correct spec.values")
		return
	}
	c.report(a.object, message, remedy)
}

// admission holds everything that arrives to the policies that arrive with it.
func (c *check) admission() {
	all := make([]object, len(c.arrived))
	for i, a := range c.arrived {
		all[i] = a.object
	}
	policies, err := newPolicies(all)
	if err != nil {
		c.problems = append(c.problems, Problem{Environment: c.environment, File: "k8s", Message: err.Error(), Remedy: "correct the policy"})
		return
	}
	for _, a := range c.arrived {
		refused, err := policies.refused(c.ctx, a.object, a.release)
		if err != nil {
			refused = []string{err.Error()}
		}
		for _, message := range refused {
			c.reportOf(a, message, "correct the field")
		}
	}
}

// Policies are a cluster's, with the namespaces that they ask about.
type Policies struct {
	all        *admission.Policies
	namespaces map[string]map[string]any
}

func newPolicies(all []object) (*Policies, error) {
	p := &Policies{namespaces: map[string]map[string]any{}}
	plain := make([]map[string]any, len(all))
	for i, o := range all {
		if plain[i] = o; key(o) == "v1/Namespace" {
			p.namespaces[o.name()] = arriving(o)
		}
	}
	var err error
	p.all, err = admission.Load(plain)
	return p, err
}

// arriving is a namespace as it is in the cluster, with the labels of the API server and of Flux.
func arriving(o object) map[string]any {
	labels, _ := value(o, "metadata", "labels").(map[string]any)
	labels = maps.Clone(labels)
	if labels == nil {
		labels = map[string]any{}
	}
	labels["kubernetes.io/metadata.name"] = o.name()
	labels["kustomize.toolkit.fluxcd.io/name"] = "any"
	meta := maps.Clone(value(o, "metadata").(map[string]any))
	meta["labels"] = labels
	made := maps.Clone(o)
	made["metadata"] = meta
	return made
}

// refused says what the policies refuse of an object, or of one of a release's chart.
func (p *Policies) refused(ctx context.Context, o, release object) ([]string, error) {
	if key(o) == "v1/Namespace" {
		made := arriving(o)
		return p.all.Refused(ctx, made, made)
	}
	name := o.namespace()
	if release != nil {
		name = cmp.Or(name, text(release, "spec", "targetNamespace"), release.namespace())
	}
	in, known := p.namespaces[name]
	if !known { // one that the repository does not make
		in = map[string]any{"metadata": map[string]any{"name": name, "labels": map[string]any{"kubernetes.io/metadata.name": name}}}
	}
	return p.all.Refused(ctx, o, in)
}

// PoliciesOf renders an environment and returns the policies that it brings.
func PoliciesOf(ctx context.Context, root, environment string) (*Policies, error) {
	none := func(Chart) (string, error) { return "", fmt.Errorf("no chart is rendered here") }
	rendered, err := Render(ctx, Options{Root: root, Charts: none}, environment)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, k := range rendered.Kustomizations {
		for _, o := range k.Objects {
			all = append(all, o.Values)
		}
	}
	return newPolicies(all)
}

// Documents holds YAML documents to the policies, if there are any. file names them in problems.
func (p *Policies) Documents(ctx context.Context, file string, content []byte) ([]Problem, error) {
	if p == nil {
		return nil, nil
	}
	objects, err := ParseObjects(content)
	if err != nil {
		return nil, nil //nolint:nilerr // what is no YAML is the schemas' to report
	}
	var problems []Problem
	for _, o := range objects {
		refused, err := p.refused(ctx, o.Values, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for _, message := range refused {
			problems = append(problems, Problem{File: file, Object: object(o.Values).String(), Message: message, Remedy: "correct the service's file or its hatch"})
		}
	}
	return problems, nil
}
