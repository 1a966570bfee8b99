package admission

import (
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// objects reads YAML documents.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	for document := range strings.SplitSeq(text, "---\n") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(document), &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

const bound = `
kind: ValidatingAdmissionPolicyBinding
metadata: {name: a}
spec: {policyName: a, validationActions: [Deny]}
---
kind: ValidatingAdmissionPolicy
metadata: {name: a}
spec:
  matchConditions: [{name: one, expression: "object.metadata.name != 'spared'"}]
  matchConstraints:
    namespaceSelector: {matchLabels: {team: a}}
    objectSelector: {matchExpressions: [{key: skip, operator: DoesNotExist}]}
    resourceRules:
      - {apiGroups: [networking.k8s.io], apiVersions: ["*"], operations: [CREATE, UPDATE], resources: [networkpolicies]}
      - {apiGroups: [""], apiVersions: [v1], operations: [UPDATE], resources: [services]}
  variables: [{name: types, expression: object.spec.policyTypes}]
  validations:
    - {expression: "size(variables.types) > 0", messageExpression: "object.metadata.name + ' must have types in ' + namespaceObject.metadata.name"}
    - {expression: "variables.types[0] == 'Ingress'", message: must begin with Ingress}
    - {expression: "size(variables.types) < 3"}
`

// A policy is about what its rules, its selectors and its conditions choose, and says what is wrong.
func TestRefused(t *testing.T) {
	p, err := Load(objects(t, bound))
	if err != nil {
		t.Fatal(err)
	}
	const policy = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: x, namespace: a}\nspec: {policyTypes: [Ingress]}"
	for name, c := range map[string]struct {
		change []string
		want   []string
	}{
		"admitted":             {nil, nil},
		"a text":               {[]string{"[Ingress]", "[Egress]"}, []string{"policy a: must begin with Ingress"}},
		"an expression's text": {[]string{"[Ingress]", "[]"}, []string{"policy a: x must have types in a", "index out of bounds: 0"}},
		"no text":              {[]string{"[Ingress]", "[Ingress, a, b]"}, []string{"policy a: must be true: size(variables.types) < 3"}},
		"a field is missing":   {[]string{"spec: {policyTypes: [Ingress]}", "spec: {}"}, []string{"no such key", "no such key", "no such key"}},
		"a condition":          {[]string{"[Ingress]", "[]", "name: x", "name: spared"}, nil},
		"its own label":        {[]string{"[Ingress]", "[]", "name: x", "labels: {skip: a}, name: x"}, nil},
		"another namespace":    {[]string{"[Ingress]", "[]", "namespace: a", "namespace: b"}, nil},
		"another kind":         {[]string{"[Ingress]", "[]", "NetworkPolicy", "Ingress"}, nil},
		"another group":        {[]string{"[Ingress]", "[]", "networking.k8s.io/v1", "example.com/v1"}, nil},
		"another operation":    {[]string{"[Ingress]", "[]", "networking.k8s.io/v1", "v1", "NetworkPolicy", "Service"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			o := objects(t, strings.NewReplacer(c.change...).Replace(policy))[0]
			in := objects(t, `{metadata: {name: a, labels: {team: a}}}`)[0]
			if o["metadata"].(map[string]any)["namespace"] == "b" {
				in = objects(t, `{metadata: {name: b}}`)[0]
			}
			got, err := p.Refused(t.Context(), o, in)
			if err != nil || len(got) != len(c.want) {
				t.Fatalf("%q, %v; want %q", got, err, c.want)
			}
			for i := range got {
				if !strings.Contains(got[i], c.want[i]) {
					t.Errorf("%q, want %q", got, c.want)
				}
			}
		})
	}
}

// A policy that an API server would refuse, or that would do nothing, is refused.
func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		old, new, want string
	}{
		"unbound":                 {"policyName: a", "policyName: b", "ValidatingAdmissionPolicy a: must have a ValidatingAdmissionPolicyBinding"},
		"with parameters":         {"  variables:", "  paramKind: {kind: ConfigMap}\n  variables:", "spec.paramKind must be left out"},
		"bound with parameters":   {"policyName: a", "policyName: a, paramRef: {name: a}", "spec must have neither paramRef nor matchResources"},
		"bound to others":         {"policyName: a", "policyName: a, matchResources: {}", "spec must have neither paramRef nor matchResources"},
		"a wrong selector":        {"operator: DoesNotExist", "operator: Is", "spec.matchConstraints"},
		"a wrong field":           {"variables: [", "variables: a #", "ValidatingAdmissionPolicy a"},
		"a wrong variable":        {"object.spec.policyTypes", "object.", "spec.variables, types"},
		"an unknown variable":     {"variables.types[0]", "variables.type[0]", "undefined field 'type'"},
		"no boolean":              {"size(variables.types) < 3", "size(variables.types)", "must evaluate to bool"},
		"a wrong message":         {"object.metadata.name + '", "1 + '", "spec: "},
		"a condition's variables": {"object.metadata.name != 'spared'", "size(variables.types) > 0", "spec: "},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(bound, c.old, c.new, 1)
			if text == bound {
				t.Fatal("the case changes nothing")
			}
			if _, err := Load(objects(t, text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
		})
	}
	if p, err := Load(objects(t, "kind: ConfigMap")); err != nil || slices.ContainsFunc(p.all, func(*policy) bool { return true }) {
		t.Errorf("without policies: %v", err)
	}
}
