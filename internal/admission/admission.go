// Package admission holds manifests to ValidatingAdmissionPolicies as an API server does, with its own CEL environment, so that
// what a cluster would refuse is refused before it is merged. Policies with parameters are not of this package.
package admission

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	celtypes "github.com/google/cel-go/common/types"
	admissionregistration "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	plugin "k8s.io/apiserver/pkg/admission/plugin/cel"
	budget "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/cel/environment"
)

// Policies are those of a cluster.
type Policies struct{ all []*policy }

// policy is one that is bound, compiled.
type policy struct {
	name       string
	rules      []admissionregistration.NamedRuleWithOperations
	namespaces labels.Selector
	objects    labels.Selector
	conditions plugin.ConditionEvaluator
	checks     plugin.ConditionEvaluator
	messages   plugin.ConditionEvaluator
	texts      []string // the messages that are no expressions
}

// expression is one of CEL.
type expression struct {
	name, text string
	returns    []*cel.Type
}

func (e expression) GetName() string          { return e.name }
func (e expression) GetExpression() string    { return e.text }
func (e expression) ReturnTypes() []*cel.Type { return e.returns }

// Load compiles the policies among the objects of a cluster. One that nothing binds is refused: it would do nothing.
func Load(objects []map[string]any) (*Policies, error) {
	bound := map[string]bool{}
	var found []admissionregistration.ValidatingAdmissionPolicy
	for _, o := range objects {
		switch o["kind"] {
		case "ValidatingAdmissionPolicyBinding":
			var b admissionregistration.ValidatingAdmissionPolicyBinding
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &b); err != nil {
				return nil, fmt.Errorf("%s: %w", name(o), err)
			}
			if b.Spec.ParamRef != nil || b.Spec.MatchResources != nil {
				return nil, fmt.Errorf("%s: spec must have neither paramRef nor matchResources: say it in the policy", name(o))
			}
			bound[b.Spec.PolicyName] = true
		case "ValidatingAdmissionPolicy":
			var p admissionregistration.ValidatingAdmissionPolicy
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o, &p); err != nil {
				return nil, fmt.Errorf("%s: %w", name(o), err)
			}
			found = append(found, p)
		}
	}
	loaded := &Policies{}
	for _, p := range found {
		if !bound[p.Name] {
			return nil, fmt.Errorf("ValidatingAdmissionPolicy %s: must have a ValidatingAdmissionPolicyBinding, or it does nothing", p.Name)
		}
		compiled, err := compile(p)
		if err != nil {
			return nil, fmt.Errorf("ValidatingAdmissionPolicy %s: %w", p.Name, err)
		}
		loaded.all = append(loaded.all, compiled)
	}
	return loaded, nil
}

// base is the environment that an API server has for expressions, made once: it takes a while.
var base = sync.OnceValue(func() *environment.EnvSet {
	return environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion())
})

// compile compiles a policy's expressions in the environment that an API server has for new ones.
func compile(p admissionregistration.ValidatingAdmissionPolicy) (*policy, error) {
	out := &policy{name: p.Name, namespaces: labels.Everything(), objects: labels.Everything()}
	if m := p.Spec.MatchConstraints; m != nil {
		out.rules = m.ResourceRules
		for selector, into := range map[*metav1.LabelSelector]*labels.Selector{m.NamespaceSelector: &out.namespaces, m.ObjectSelector: &out.objects} {
			if selector == nil {
				continue
			}
			read, err := metav1.LabelSelectorAsSelector(selector)
			if err != nil {
				return nil, fmt.Errorf("spec.matchConstraints: %w", err)
			}
			*into = read
		}
	}
	if p.Spec.ParamKind != nil {
		return nil, fmt.Errorf("spec.paramKind must be left out: what it names is not among the manifests")
	}
	compiler, err := plugin.NewCompositedCompiler(base())
	if err != nil {
		return nil, err
	}
	declared := plugin.OptionalVariableDeclarations{}
	var conditions, checks, messages []plugin.ExpressionAccessor
	for _, c := range p.Spec.MatchConditions {
		conditions = append(conditions, expression{text: c.Expression, returns: []*cel.Type{cel.BoolType}})
	}
	// Conditions come before variables, which they cannot use.
	out.conditions = compiler.CompileCondition(conditions, declared, environment.NewExpressions)
	for _, v := range p.Spec.Variables {
		made := compiler.CompileAndStoreVariable(expression{v.Name, v.Expression, []*cel.Type{cel.AnyType, cel.DynType}}, declared, environment.NewExpressions)
		if made.Error != nil {
			return nil, fmt.Errorf("spec.variables, %s: %w", v.Name, made.Error)
		}
	}
	for _, v := range p.Spec.Validations {
		checks = append(checks, expression{text: v.Expression, returns: []*cel.Type{cel.BoolType}})
		text := v.MessageExpression
		if text == "" {
			text = "''"
		}
		messages = append(messages, expression{text: text, returns: []*cel.Type{cel.StringType}})
		out.texts = append(out.texts, v.Message)
	}
	out.checks = compiler.CompileCondition(checks, declared, environment.NewExpressions)
	out.messages = compiler.CompileCondition(messages, declared, environment.NewExpressions)
	for _, part := range []plugin.ConditionEvaluator{out.conditions, out.checks, out.messages} {
		if errs := part.CompilationErrors(); len(errs) > 0 {
			return nil, fmt.Errorf("spec: %w", errs[0])
		}
	}
	return out, nil
}

// Refused says what the policies refuse of an object when it is made, each with the policy's name. Labels are those of its
// namespace; of a namespace its own count.
func (p *Policies) Refused(ctx context.Context, o map[string]any, namespace map[string]any) ([]string, error) {
	var all []string
	for _, one := range p.all {
		refused, err := one.refused(ctx, &unstructured.Unstructured{Object: o}, namespace)
		if err != nil {
			return nil, fmt.Errorf("ValidatingAdmissionPolicy %s: %w", one.name, err)
		}
		all = append(all, refused...)
	}
	return all, nil
}

func (p *policy) refused(ctx context.Context, o *unstructured.Unstructured, namespace map[string]any) ([]string, error) {
	in := &corev1.Namespace{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(namespace, in); err != nil {
		return nil, err
	}
	kind := o.GroupVersionKind()
	// The names of Kubernetes' own kinds, and of those that are here, follow from the kind.
	resource, _ := meta.UnsafeGuessKindToResource(kind)
	if !p.about(resource, o, in) {
		return nil, nil
	}
	attributes := &admission.VersionedAttributes{
		Attributes:    admission.NewAttributesRecord(o, nil, kind, o.GetNamespace(), o.GetName(), resource, "", admission.Create, nil, false, &user.DefaultInfo{}),
		VersionedKind: kind, VersionedObject: o,
	}
	request := plugin.CreateAdmissionRequest(attributes.Attributes, metav1.GroupVersionResource(resource), metav1.GroupVersionKind(kind))
	evaluate := func(part plugin.ConditionEvaluator) ([]plugin.EvaluationResult, error) {
		results, _, err := part.ForInput(ctx, attributes, request, plugin.OptionalVariableBindings{}, plugin.CreateNamespaceObject(in), budget.RuntimeCELCostBudget)
		return results, err
	}
	conditions, err := evaluate(p.conditions)
	if err != nil {
		return nil, err
	}
	for _, c := range conditions {
		if c.Error != nil {
			return nil, c.Error
		}
		if c.EvalResult != celtypes.True {
			return nil, nil
		}
	}
	checks, err := evaluate(p.checks)
	if err != nil {
		return nil, err
	}
	messages, err := evaluate(p.messages)
	if err != nil {
		return nil, err
	}
	var all []string
	for i, c := range checks {
		if c.Error == nil && c.EvalResult == celtypes.True {
			continue
		}
		all = append(all, fmt.Sprintf("policy %s: %s", p.name, p.message(i, c, messages[i])))
	}
	return all, nil
}

// message is what a refusal says: that of its expression, else its text, else the expression.
func (p *policy) message(i int, c, message plugin.EvaluationResult) string {
	if c.Error != nil {
		return c.Error.Error()
	}
	if message.Error == nil {
		if text, ok := message.EvalResult.Value().(string); ok && text != "" {
			return text
		}
	}
	if p.texts[i] != "" {
		return p.texts[i]
	}
	return "must be true: " + strings.Join(strings.Fields(c.ExpressionAccessor.GetExpression()), " ")
}

// about reports whether a policy is about an object that is made.
func (p *policy) about(resource schema.GroupVersionResource, o *unstructured.Unstructured, in *corev1.Namespace) bool {
	named := slices.ContainsFunc(p.rules, func(r admissionregistration.NamedRuleWithOperations) bool {
		return has(r.APIGroups, resource.Group) && has(r.APIVersions, resource.Version) && has(r.Resources, resource.Resource) &&
			(slices.Contains(r.Operations, admissionregistration.Create) || slices.Contains(r.Operations, admissionregistration.OperationAll)) &&
			(len(r.ResourceNames) == 0 || slices.Contains(r.ResourceNames, o.GetName()))
	})
	if !named || !p.objects.Matches(labels.Set(o.GetLabels())) {
		return false
	}
	// What is in no namespace is not selected by one.
	return in.Name == "" || p.namespaces.Matches(labels.Set(in.Labels))
}

func has(list []string, value string) bool {
	return slices.Contains(list, "*") || slices.Contains(list, value)
}

func name(o map[string]any) string {
	u := unstructured.Unstructured{Object: o}
	return u.GetKind() + " " + u.GetName()
}
