package engine

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Parameter is the declaration of one template parameter.
type Parameter struct {
	Type, Description     string
	Default               any
	AllowedValues         []any
	AllowedPattern        string
	ConstraintDescription string
	NoEcho                bool
	bounds                map[string]float64
}

// ParameterValue is a parameter's value in one version of a stack. Resolved
// is what Ref returns: the value, or what an SSM parameter held when the
// version was made.
type ParameterValue struct {
	Value    string `json:"value"`
	Resolved string `json:"resolved,omitempty"`
	NoEcho   bool   `json:"noEcho,omitempty"`
}

// givenParameter is a parameter as a request carries it.
type givenParameter struct {
	Value       string
	HasValue    bool
	UsePrevious bool
}

const ssmParameterType = "AWS::SSM::Parameter::Value<"

func (t *Template) readParameters(tree map[string]any) error {
	t.Parameters = map[string]Parameter{}
	for id, v := range section(tree, "Parameters") {
		m, ok := v.(map[string]any)
		if !ok {
			return invalid("Template format error: parameter %s must be an object", id)
		}
		p := Parameter{Default: m["Default"], bounds: map[string]float64{}}
		p.Type, _ = m["Type"].(string)
		if p.Type == "" {
			return invalid("Template format error: Every Parameters object must contain a Type member. (%s)", id)
		}
		p.Description, _ = m["Description"].(string)
		p.AllowedPattern, _ = m["AllowedPattern"].(string)
		p.ConstraintDescription, _ = m["ConstraintDescription"].(string)
		p.AllowedValues, _ = m["AllowedValues"].([]any)
		p.NoEcho = m["NoEcho"] != nil && text(m["NoEcho"]) == "true"
		for _, k := range []string{"MinLength", "MaxLength", "MinValue", "MaxValue"} {
			if v, there := m[k]; there {
				f, err := strconv.ParseFloat(text(v), 64)
				if err != nil {
					return invalid("Template format error: parameter %s: %s must be a number", id, k)
				}
				p.bounds[k] = f
			}
		}
		t.Parameters[id] = p
	}
	return nil
}

// resolveParameters gives every declared parameter its value: given, previous
// or default, and reads SSM parameters.
func (t *Template) resolveParameters(ctx context.Context, values Values, given map[string]givenParameter, previous map[string]ParameterValue) (map[string]ParameterValue, error) {
	for _, id := range sortedKeys(given) {
		if _, ok := t.Parameters[id]; !ok {
			return nil, invalid("Parameters: [%s] do not exist in the template", id)
		}
	}
	out := map[string]ParameterValue{}
	var missing []string
	for _, id := range sortedKeys(t.Parameters) {
		p, g := t.Parameters[id], given[id]
		old, hasOld := previous[id]
		value := ParameterValue{NoEcho: p.NoEcho}
		switch {
		case g.HasValue:
			value.Value = g.Value
		case g.UsePrevious && hasOld:
			value.Value = old.Value
		case p.Default != nil:
			value.Value = text(p.Default)
		default:
			missing = append(missing, id)
			continue
		}
		if err := p.check(id, value.Value); err != nil {
			return nil, err
		}
		if strings.HasPrefix(p.Type, ssmParameterType) {
			resolved, err := values.Parameter(ctx, value.Value)
			if err != nil {
				return nil, invalid("Unable to fetch parameters [%s] from parameter store for this account. (%v)", value.Value, err)
			}
			value.Resolved = resolved
		}
		out[id] = value
	}
	if len(missing) > 0 {
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return out, nil
}

func (p Parameter) check(id, value string) error {
	fail := func(why string) error {
		if p.ConstraintDescription != "" {
			why = p.ConstraintDescription
		}
		return invalid("Parameter '%s' must %s", id, why)
	}
	if len(p.AllowedValues) > 0 {
		allowed := make([]string, len(p.AllowedValues))
		found := false
		for i, a := range p.AllowedValues {
			allowed[i] = text(a)
			found = found || allowed[i] == value
		}
		if !found {
			return fail(fmt.Sprintf("be one of AllowedValues (%s)", strings.Join(allowed, ", ")))
		}
	}
	if p.AllowedPattern != "" {
		re, err := regexp.Compile(`^(?:` + p.AllowedPattern + `)$`)
		if err == nil && !re.MatchString(value) {
			return fail("match pattern " + p.AllowedPattern)
		}
	}
	if p.Type == "Number" {
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return fail("be a number")
		}
		if lo, ok := p.bounds["MinValue"]; ok && f < lo {
			return fail(fmt.Sprintf("be a number not less than %v", lo))
		}
		if hi, ok := p.bounds["MaxValue"]; ok && f > hi {
			return fail(fmt.Sprintf("be a number not greater than %v", hi))
		}
	}
	if lo, ok := p.bounds["MinLength"]; ok && float64(len(value)) < lo {
		return fail(fmt.Sprintf("contain at least %v characters", lo))
	}
	if hi, ok := p.bounds["MaxLength"]; ok && float64(len(value)) > hi {
		return fail(fmt.Sprintf("contain at most %v characters", hi))
	}
	return nil
}

// refValue is what Ref of the parameter returns: text, or a list for the list
// types.
func (p Parameter) refValue(v ParameterValue) any {
	s := v.Value
	if strings.HasPrefix(p.Type, ssmParameterType) {
		s = v.Resolved
	}
	if p.Type != "CommaDelimitedList" && !strings.Contains(p.Type, "List<") {
		return s
	}
	list := []any{}
	if s != "" {
		for _, e := range strings.Split(s, ",") {
			list = append(list, strings.TrimSpace(e))
		}
	}
	return list
}
