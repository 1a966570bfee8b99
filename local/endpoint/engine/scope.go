package engine

import (
	"encoding/json"
	"fmt"
	"strings"
)

// knownAfterApply stands for a value that exists only after a resource was
// made; change sets show it as the service does.
const knownAfterApply = "{{changeSet:KNOWN_AFTER_APPLY}}"

// noValue is what AWS::NoValue evaluates to: the property is absent.
type noValue struct{}

// functions are the intrinsic functions that the engine evaluates.
var functions = map[string]bool{
	"Fn::GetAtt": true, "Fn::Sub": true, "Fn::Join": true, "Fn::Select": true, "Fn::Split": true,
	"Fn::If": true, "Fn::Equals": true, "Fn::Not": true, "Fn::And": true, "Fn::Or": true,
	"Fn::FindInMap": true, "Fn::ImportValue": true, "Fn::GetAZs": true, "Fn::Base64": true, "Fn::Cidr": true,
}

// scope evaluates a template's values for one stack.
type scope struct {
	template   *Template
	parameters map[string]ParameterValue
	pseudo     map[string]any
	region     string
	// resource returns a made resource; in a plan, unknown says that its
	// values will change.
	resource func(id string) (*Resource, bool)
	unknown  map[string]bool
	export   func(name string) (string, bool)
	imports  map[string]bool // the export names that were read

	conditions map[string]bool
	evaluating map[string]bool
}

func (s *scope) active(id string) (bool, error) {
	d := s.template.Resources[id]
	if d.Condition == "" {
		return true, nil
	}
	return s.condition(d.Condition)
}

// order returns the logical IDs of the resources whose conditions hold, in
// dependency order.
func (s *scope) order() ([]string, error) {
	on := map[string]bool{}
	for id := range s.template.Resources {
		active, err := s.active(id)
		if err != nil {
			return nil, err
		}
		on[id] = active
	}
	return s.template.order(func(id string) bool { return on[id] })
}

func (s *scope) condition(name string) (bool, error) {
	if v, known := s.conditions[name]; known {
		return v, nil
	}
	expr, there := s.template.Conditions[name]
	if !there {
		return false, invalid("Template error: unresolved condition %s", name)
	}
	if s.evaluating[name] {
		return false, invalid("Template error: circular dependency between conditions: [%s]", name)
	}
	s.evaluating[name] = true
	v, err := s.truth(expr)
	delete(s.evaluating, name)
	if err != nil {
		return false, err
	}
	s.conditions[name] = v
	return v, nil
}

// truth evaluates a condition's expression, where {"Condition": name} refers
// to another condition.
func (s *scope) truth(expr any) (bool, error) {
	if m, ok := expr.(map[string]any); ok && len(m) == 1 {
		if name, ok := m["Condition"].(string); ok {
			return s.condition(name)
		}
	}
	v, err := s.eval(expr)
	if err != nil {
		return false, err
	}
	switch text(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, invalid("Template error: a condition must be a condition function, not %v", v)
}

// eval returns v with every intrinsic function evaluated.
func (s *scope) eval(v any) (any, error) {
	switch v := v.(type) {
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			r, err := s.eval(e)
			if err != nil {
				return nil, err
			}
			if _, absent := r.(noValue); !absent {
				out = append(out, r)
			}
		}
		return out, nil
	case map[string]any:
		if len(v) == 1 {
			for name, arg := range v {
				if name == "Ref" || strings.HasPrefix(name, "Fn::") {
					return s.call(name, arg)
				}
			}
		}
		return s.evalMap(v)
	}
	return v, nil
}

func (s *scope) evalMap(m map[string]any) (map[string]any, error) {
	out := make(map[string]any, len(m))
	for _, k := range sortedKeys(m) {
		if strings.HasPrefix(k, "Fn::") {
			return nil, invalid("Template error: %s must be the only key of its object", k)
		}
		r, err := s.eval(m[k])
		if err != nil {
			return nil, err
		}
		if _, absent := r.(noValue); !absent {
			out[k] = r
		}
	}
	return out, nil
}

// properties evaluates a resource's properties.
func (s *scope) properties(id string) (map[string]any, error) {
	m, err := s.evalMap(s.template.Resources[id].Properties)
	if err != nil {
		return nil, fmt.Errorf("resource %s: %w", id, err)
	}
	return m, nil
}

// evalText evaluates v and insists on text.
func (s *scope) evalText(v any) (string, error) {
	r, err := s.eval(v)
	if err != nil {
		return "", err
	}
	switch r.(type) {
	case string, bool, json.Number, float64, int:
		return text(r), nil
	}
	return "", invalid("Template error: expected text, not %s", kind(r))
}

func (s *scope) ref(name string) (any, error) {
	if name == "AWS::NoValue" {
		return noValue{}, nil
	}
	if v, ok := s.pseudo[name]; ok {
		return v, nil
	}
	if p, ok := s.template.Parameters[name]; ok {
		return p.refValue(s.parameters[name]), nil
	}
	r, made := s.resource(name)
	if s.unknown[name] {
		return knownAfterApply, nil
	}
	if !made || r.PhysicalID == "" {
		return nil, invalid("Template error: resource %s does not exist (its condition is false, or it was not made yet)", name)
	}
	return r.PhysicalID, nil
}

func (s *scope) attribute(id, name string) (any, error) {
	if s.unknown[id] {
		return knownAfterApply, nil
	}
	r, made := s.resource(id)
	if !made {
		return nil, invalid("Template error: resource %s does not exist (its condition is false, or it was not made yet)", id)
	}
	if v, ok := r.Attributes[name]; ok {
		return v, nil
	}
	var v any = r.Attributes
	for _, part := range strings.Split(name, ".") {
		m, ok := v.(map[string]any)
		if !ok || m[part] == nil {
			return nil, invalid("Template error: resource %s does not support attribute type %s in Fn::GetAtt (the local handler of %s does not return it)", id, name, r.Type)
		}
		v = m[part]
	}
	return v, nil
}

// text renders a scalar as CloudFormation does.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "true"
		}
		return "false"
	case json.Number:
		return v.String()
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

func kind(v any) string {
	switch v.(type) {
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	case noValue:
		return "AWS::NoValue"
	}
	return text(v)
}

// isUnknown reports whether a value, or a part of it, is known only after the
// change.
func isUnknown(v any) bool {
	switch v := v.(type) {
	case string:
		return strings.Contains(v, knownAfterApply)
	case []any:
		for _, e := range v {
			if isUnknown(e) {
				return true
			}
		}
	case map[string]any:
		for _, e := range v {
			if isUnknown(e) {
				return true
			}
		}
	}
	return false
}

// equal compares two evaluated values. Scalars compare by their text: 5 and
// "5", true and "true" are the same to CloudFormation.
func equal(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		m, ok := b.(map[string]any)
		if !ok || len(a) != len(m) {
			return false
		}
		for k, v := range a {
			w, there := m[k]
			if !there || !equal(v, w) {
				return false
			}
		}
		return true
	case []any:
		l, ok := b.([]any)
		if !ok || len(a) != len(l) {
			return false
		}
		for i := range a {
			if !equal(a[i], l[i]) {
				return false
			}
		}
		return true
	}
	switch b.(type) {
	case map[string]any, []any:
		return false
	}
	return text(a) == text(b)
}
