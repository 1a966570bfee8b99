package risk

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"

	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// rbacRules are about who may do what in the cluster.
var rbacRules = []objectRule{
	{
		name: "role-wider", kind: IAM,
		finds:  "a Role or ClusterRole that allows what it did not, or whose rules other roles take in",
		means:  "whoever is bound to it may do more",
		remedy: "name the verbs and resources that the program needs, without wildcards",
		find:   findRole,
	},
	{
		name: "binding-wider", kind: IAM,
		finds:  "a RoleBinding or ClusterRoleBinding with a new subject or another role",
		means:  "the subject has all rights of the role",
		remedy: "bind a Role of its namespace with few rights instead",
		find:   findBinding,
	},
}

// powers are rights that lead to others, with what they come to.
var powers = []struct {
	verbs, resources []string
	says             string
}{
	{[]string{"*"}, []string{"*"}, "everything"},
	{[]string{"get", "list", "watch"}, []string{"secrets"}, "reads Secrets, with the passwords and tokens in them"},
	{[]string{"escalate", "bind"}, []string{"roles", "clusterroles"}, "may give itself every right"},
	{[]string{"impersonate"}, []string{"users", "groups", "serviceaccounts", "uids"}, "may act as somebody else"},
	{[]string{"create"}, []string{"serviceaccounts/token"}, "may make tokens of ServiceAccounts, and act as them"},
	{[]string{"create", "get"}, []string{"pods/exec", "pods/attach", "nodes/proxy"}, "runs commands in pods of others"},
	{[]string{"create", "update", "patch"}, []string{"pods", "pods/ephemeralcontainers", "deployments", "daemonsets", "statefulsets", "jobs", "cronjobs", "replicasets"}, "runs pods, with every ServiceAccount and Secret of the namespace"},
	{[]string{"create", "update", "patch", "delete", "deletecollection"}, []string{"networkpolicies"}, "may open the network"},
	{[]string{"create", "update", "patch", "delete", "deletecollection"}, []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies", "validatingadmissionpolicybindings"}, "may change what the cluster refuses"},
}

// aggregation starts the labels that add the rules of a ClusterRole to another, such as "admin".
const aggregation = "rbac.authorization.k8s.io/aggregate-to-"

// findRole finds what a role allows now.
func findRole(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || !of(p, rbacv1.GroupName, "Role", "ClusterRole") {
		return nil
	}
	old, now := as[rbacv1.ClusterRole](s, p.Old), as[rbacv1.ClusterRole](s, p.Now)
	var found []string
	if _, more := validation.Covers(old.Rules, now.Rules); len(more) > 0 {
		what := "may now: " + rights(more)
		if said := power(more); said != "" {
			what += "; that is, it " + said
		}
		found = append(found, what)
	}
	for label := range now.Labels {
		if into, ok := strings.CutPrefix(label, aggregation); ok && now.Labels[label] == "true" && old.Labels[label] != "true" {
			found = append(found, fmt.Sprintf("adds its rules to the role %q", into))
		}
	}
	if now.AggregationRule != nil && !equal(old.AggregationRule, now.AggregationRule) {
		found = append(found, "takes in the rules of every ClusterRole with the labels of its aggregationRule")
	}
	return found
}

// rights writes rules that have one verb and one resource each, those of one resource together.
func rights(rules []rbacv1.PolicyRule) string {
	verbs := map[string][]string{}
	var targets []string
	for _, r := range rules {
		target := strings.Join(r.NonResourceURLs, ", ")
		if len(r.Resources) > 0 {
			target = r.Resources[0]
			if apiGroup := r.APIGroups[0]; apiGroup != "" {
				target += "." + apiGroup
			}
			if len(r.ResourceNames) > 0 {
				target += " " + r.ResourceNames[0]
			}
		}
		if _, seen := verbs[target]; !seen {
			targets = append(targets, target)
		}
		verbs[target] = append(verbs[target], r.Verbs...)
	}
	// Resources with the same verbs together, in the order of the role.
	byVerbs := map[string][]string{}
	var order []string
	for _, target := range targets {
		key := strings.Join(fresh(nil, verbs[target]), ", ")
		if _, seen := byVerbs[key]; !seen {
			order = append(order, key)
		}
		byVerbs[key] = append(byVerbs[key], target)
	}
	parts := make([]string, len(order))
	for i, key := range order {
		parts[i] = key + " on " + strings.Join(byVerbs[key], ", ")
	}
	return shorten(parts)
}

// power says what rights come to; empty if they lead to no others.
func power(rules []rbacv1.PolicyRule) string {
	has := func(values, wanted []string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return v == "*" || slices.Contains(wanted, v) })
	}
	var said []string
	for _, p := range powers {
		if slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool { return has(r.Verbs, p.verbs) && has(r.Resources, p.resources) }) {
			said = append(said, p.says)
		}
	}
	if slices.Contains(said, powers[0].says) {
		return "may do " + powers[0].says
	}
	return strings.Join(said, ", ")
}

// everybody are the groups of those who need no binding of their own.
var everybody = map[string]string{
	"system:authenticated": "everybody who can sign in", "system:unauthenticated": "everybody, without signing in", "system:serviceaccounts": "every pod",
}

// findBinding finds whom a binding gives its role now.
func findBinding(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || !of(p, rbacv1.GroupName, "RoleBinding", "ClusterRoleBinding") {
		return nil
	}
	old, now := as[rbacv1.ClusterRoleBinding](s, p.Old), as[rbacv1.ClusterRoleBinding](s, p.Now)
	var before, after []string
	if old.RoleRef == now.RoleRef {
		before = subjects(old.Subjects)
	}
	after = subjects(now.Subjects)
	added := fresh(before, after)
	if len(added) == 0 {
		return nil
	}
	role := now.RoleRef.Kind + " " + now.RoleRef.Name
	if now.RoleRef.Name == "cluster-admin" {
		role += ", which may do everything"
	}
	where := "in the namespace " + p.Now.Namespace
	if p.Now.Kind == "ClusterRoleBinding" {
		where = "in every namespace"
	}
	return []string{fmt.Sprintf("gives %s %s the role %s", strings.Join(added, ", "), where, role)}
}

// subjects names the subjects of a binding.
func subjects(all []rbacv1.Subject) []string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.Kind + " " + s.Name
		if s.Namespace != "" {
			names[i] = s.Kind + " " + s.Namespace + "/" + s.Name
		}
		if says := everybody[s.Name]; says != "" && s.Kind == rbacv1.GroupKind {
			names[i] += " (" + says + ")"
		}
	}
	return names
}
