package engine

import (
	"sort"
	"strings"
)

// Template is a parsed template. Values hold intrinsic functions as written.
type Template struct {
	Description string
	Parameters  map[string]Parameter
	Mappings    map[string]any
	Conditions  map[string]any
	Resources   map[string]Definition
	Outputs     map[string]OutputDefinition

	tree map[string]any
}

// Definition is one entry of the template's Resources.
type Definition struct {
	Type                                string
	Properties                          map[string]any
	DependsOn                           []string
	Condition                           string
	DeletionPolicy, UpdateReplacePolicy string
	Metadata                            any
}

// OutputDefinition is one entry of the template's Outputs.
type OutputDefinition struct {
	Description, Condition string
	Value                  any
	ExportName             any // nil without an export
}

// The parts of a template that the engine reads or may leave aside.
var sections = map[string]bool{
	"AWSTemplateFormatVersion": true, "Description": true, "Metadata": true, "Parameters": true,
	"Rules":    true, // assertions on parameters: the CDK's bootstrap version check, which the CLI makes itself
	"Mappings": true, "Conditions": true, "Resources": true, "Outputs": true,
}

var resourceKeys = map[string]bool{
	"Type": true, "Properties": true, "DependsOn": true, "Condition": true,
	"DeletionPolicy": true, "UpdateReplacePolicy": true, "Metadata": true,
}

var policies = map[string]bool{"": true, "Delete": true, "Retain": true, "RetainExceptOnCreate": true, "Snapshot": true}

// ParseTemplate reads a template body, JSON or YAML, and checks its shape and
// its references. It does not look at resource types.
func ParseTemplate(body string) (*Template, error) {
	tree, err := parseTree(body)
	if err != nil {
		return nil, err
	}
	t := &Template{tree: tree, Mappings: section(tree, "Mappings"), Conditions: section(tree, "Conditions")}
	t.Description, _ = tree["Description"].(string)
	for k := range tree {
		if !sections[k] {
			return nil, invalid("Template format error: %s is not supported by the local CloudFormation stand-in", k)
		}
		if _, isText := tree[k].(string); k != "AWSTemplateFormatVersion" && k != "Description" && isText {
			return nil, invalid("Template format error: %s must be an object", k)
		}
	}
	for _, read := range []func(map[string]any) error{t.readParameters, t.readResources, t.readOutputs} {
		if err := read(tree); err != nil {
			return nil, err
		}
	}
	return t, t.checkReferences()
}

func section(tree map[string]any, name string) map[string]any {
	m, _ := tree[name].(map[string]any)
	return m
}

func (t *Template) readResources(tree map[string]any) error {
	t.Resources = map[string]Definition{}
	all := section(tree, "Resources")
	if len(all) == 0 {
		return invalid("Template format error: At least one Resources member must be defined.")
	}
	for _, id := range sortedKeys(all) {
		m, ok := all[id].(map[string]any)
		if !ok {
			return invalid("Template format error: resource %s must be an object", id)
		}
		d, err := readDefinition(id, m)
		if err != nil {
			return err
		}
		t.Resources[id] = d
	}
	return nil
}

func readDefinition(id string, m map[string]any) (Definition, error) {
	var d Definition
	for k := range m {
		if !resourceKeys[k] {
			return d, invalid("Template format error: resource %s: attribute %s is not supported by the local CloudFormation stand-in", id, k)
		}
	}
	d.Type, _ = m["Type"].(string)
	if d.Type == "" {
		return d, invalid("Template format error: [/Resources/%s] Every Resources object must contain a Type member.", id)
	}
	if p, there := m["Properties"]; there {
		props, ok := p.(map[string]any)
		if !ok {
			return d, invalid("Template format error: resource %s: Properties must be an object", id)
		}
		if path := nullAt(props); path != "" {
			return d, invalid("Template format error: [/Resources/%s/Properties%s] 'null' values are not allowed in templates", id, path)
		}
		d.Properties = props
	}
	d.Metadata = m["Metadata"]
	for key, to := range map[string]*string{"Condition": &d.Condition, "DeletionPolicy": &d.DeletionPolicy, "UpdateReplacePolicy": &d.UpdateReplacePolicy} {
		if v, there := m[key]; there {
			s, ok := v.(string)
			if !ok {
				return d, invalid("Template format error: resource %s: %s must be text", id, key)
			}
			*to = s
		}
	}
	if !policies[d.DeletionPolicy] || !policies[d.UpdateReplacePolicy] || d.UpdateReplacePolicy == "RetainExceptOnCreate" {
		return d, invalid("Template format error: resource %s: unrecognized DeletionPolicy %q or UpdateReplacePolicy %q", id, d.DeletionPolicy, d.UpdateReplacePolicy)
	}
	var err error
	d.DependsOn, err = readDependsOn(id, m["DependsOn"])
	return d, err
}

func readDependsOn(id string, v any) ([]string, error) {
	malformed := invalid("Template format error: resource %s: DependsOn must name resources", id)
	switch v := v.(type) {
	case nil:
		return nil, nil
	case string:
		return []string{v}, nil
	case []any:
		var out []string
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, malformed
			}
			out = append(out, s)
		}
		return out, nil
	}
	return nil, malformed
}

// nullAt returns the path of the first null, "" without one.
func nullAt(v any) string {
	switch v := v.(type) {
	case nil:
		return "/"
	case map[string]any:
		for _, k := range sortedKeys(v) {
			if p := nullAt(v[k]); p != "" {
				return "/" + k + strings.TrimSuffix(p, "/")
			}
		}
	case []any:
		for _, e := range v {
			if p := nullAt(e); p != "" {
				return p
			}
		}
	}
	return ""
}

func (t *Template) readOutputs(tree map[string]any) error {
	t.Outputs = map[string]OutputDefinition{}
	for id, v := range section(tree, "Outputs") {
		m, ok := v.(map[string]any)
		if !ok || m["Value"] == nil {
			return invalid("Template format error: Output %s is malformed. The Value field of every Outputs member must be specified", id)
		}
		o := OutputDefinition{Value: m["Value"]}
		o.Description, _ = m["Description"].(string)
		o.Condition, _ = m["Condition"].(string)
		if e, there := m["Export"]; there {
			export, ok := e.(map[string]any)
			if !ok || export["Name"] == nil {
				return invalid("Template format error: Output %s: Export needs a Name", id)
			}
			o.ExportName = export["Name"]
		}
		t.Outputs[id] = o
	}
	return nil
}

// checkReferences finds names that do not exist and dependency cycles.
func (t *Template) checkReferences() error {
	known := func(where string, refs map[string]bool) error {
		var missing []string
		for name := range refs {
			_, isParameter := t.Parameters[name]
			_, isResource := t.Resources[name]
			if !isParameter && !isResource && !strings.HasPrefix(name, "AWS::") {
				missing = append(missing, name)
			}
		}
		if len(missing) == 0 {
			return nil
		}
		sort.Strings(missing)
		return invalid("Template format error: Unresolved resource dependencies [%s] in the %s block of the template", strings.Join(missing, ", "), where)
	}
	for _, id := range sortedKeys(t.Resources) {
		d := t.Resources[id]
		refs := references(d.Properties)
		for _, dep := range d.DependsOn {
			if _, ok := t.Resources[dep]; !ok {
				return invalid("Template format error: Unresolved resource dependencies [%s] in the Resources block of the template", dep)
			}
		}
		if err := known("Resources", refs); err != nil {
			return err
		}
		if d.Condition != "" && t.Conditions[d.Condition] == nil {
			return invalid("Template format error: resource %s: Unresolved condition %s", id, d.Condition)
		}
	}
	for id, o := range t.Outputs {
		if err := known("Outputs", references([]any{o.Value, o.ExportName})); err != nil {
			return err
		}
		if o.Condition != "" && t.Conditions[o.Condition] == nil {
			return invalid("Template format error: output %s: Unresolved condition %s", id, o.Condition)
		}
	}
	_, err := t.order(func(string) bool { return true })
	return err
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
