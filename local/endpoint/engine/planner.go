package engine

import (
	"slices"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// planner compares one resource with what a new template says.
type planner struct {
	scope *scope
	id    string
	def   Definition
	typ   *resources.Type
	prev  *Resource
	old   *Template // the stack's template, nil for a new stack
	tags  bool      // the stack's tags change, and the resource carries tags
}

// change returns nil when nothing changes. It tells the scope which values
// become unknown.
func (p *planner) change() (*Change, error) {
	if p.prev != nil && p.prev.PhysicalID != "" && p.prev.Type != p.def.Type {
		return nil, invalid("Update of resource type is not permitted. The new template modifies resource type of the following resources: [%s]", p.id)
	}
	after, err := p.scope.properties(p.id)
	if err != nil {
		return nil, err
	}
	c := &Change{Action: "Add", LogicalID: p.id, Type: p.def.Type, After: contextJSON(after)}
	if p.prev == nil || p.prev.PhysicalID == "" {
		p.scope.unknown[p.id] = true
		return c, nil
	}
	before := p.prev.Properties
	c.Action, c.PhysicalID, c.Replacement, c.Before = "Modify", p.prev.PhysicalID, "False", contextJSON(before)
	c.Details = p.propertyDetails(before, after)
	if len(c.Details) > 0 {
		c.Scope = append(c.Scope, "Properties")
	}
	p.otherDetails(c)
	for _, d := range c.Details {
		switch {
		case d.Recreation == "Always":
			c.Replacement = "True"
		case d.Recreation == "Conditionally" && c.Replacement == "False":
			c.Replacement = "Conditional"
		}
	}
	if c.Replacement != "False" {
		p.scope.unknown[p.id] = true
		c.Policy = "ReplaceAnd" + policyAction(p.def.UpdateReplacePolicy)
	}
	if len(c.Details) == 0 {
		return nil, nil //nolint:nilnil // no change is no error
	}
	return c, nil
}

func (p *planner) propertyDetails(before, after map[string]any) []Detail {
	names := map[string]bool{}
	for k := range before {
		names[k] = true
	}
	for k := range after {
		names[k] = true
	}
	var out []Detail
	for _, name := range sortedKeys(names) {
		old, had := before[name]
		now, has := after[name]
		if had && has && equal(old, now) {
			continue
		}
		d := Detail{Attribute: "Properties", Name: name, Kind: "Modify", Recreation: p.recreation(name, before, after), Before: text(old), After: text(now)}
		if !had {
			d.Kind = "Add"
		} else if !has {
			d.Kind = "Remove"
		}
		d.Evaluation, d.Source = p.cause(name, now)
		out = append(out, d)
	}
	return out
}

func (p *planner) recreation(name string, before, after map[string]any) string {
	switch {
	case p.typ.Update != nil && !slices.Contains(changedImmutable(p.typ, before, after), name):
		return "Never"
	case isUnknown(after[name]):
		return "Conditionally"
	}
	return "Always"
}

// cause tells how a property came to change: by the template's text, a
// parameter, or another resource.
func (p *planner) cause(name string, now any) (evaluation, source string) {
	var old any
	if p.old != nil {
		old = p.old.Resources[p.id].Properties[name]
	}
	switch {
	case !equal(old, p.def.Properties[name]):
		source = "DirectModification"
	case isUnknown(now):
		source = "ResourceReference"
	default:
		source = "ParameterReference"
	}
	if isUnknown(now) {
		return "Dynamic", source
	}
	return "Static", source
}

func (p *planner) otherDetails(c *Change) {
	add := func(attribute string, old, now any) {
		if !equal(old, now) {
			c.Scope = append(c.Scope, attribute)
			c.Details = append(c.Details, Detail{
				Attribute: attribute, Evaluation: "Static", Source: "DirectModification", Kind: "Modify",
				Recreation: "Never", Before: text(old), After: text(now),
			})
		}
	}
	add("DeletionPolicy", p.prev.Deletion, p.def.DeletionPolicy)
	add("UpdateReplacePolicy", p.prev.Replaced, p.def.UpdateReplacePolicy)
	add("Metadata", p.prev.Metadata, p.def.Metadata)
	if p.tags {
		c.Scope = append(c.Scope, "Tags")
		c.Details = append(c.Details, Detail{Attribute: "Tags", Evaluation: "Static", Source: "DirectModification", Kind: "Modify", Recreation: "Never"})
	}
}
