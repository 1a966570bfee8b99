package risk

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// statements finds what policies allow now and did not before. A statement that was split, merged or narrowed is none: it
// is held against those that go. What knows no limit is guarded.
func statements(place Place, iam cfndiff.IAM) []Finding {
	var found []Finding
	add := func(resource, message string) *Finding {
		found = append(found, Finding{Kind: IAM, Resource: place.resource(resource), Message: message})
		return &found[len(found)-1]
	}
	for _, s := range iam.Added {
		switch {
		case s.Unparsed != "":
			add(holder(s), "has a new statement that cannot be read before deployment: "+s.Unparsed)
		case s.Effect == "Deny":
		default:
			if actions := uncovered(s, iam.Removed); len(actions) > 0 {
				add(holder(s), allows(s, actions)).Guarded = boundless(s, actions)
			}
		}
	}
	for _, s := range iam.Removed {
		if s.Effect == "Deny" && !slices.ContainsFunc(iam.Added, func(now cfndiff.Statement) bool { return denies(now, s) }) {
			add(holder(s), "no longer denies "+scope(s, s.Actions.Values))
		}
	}
	for _, p := range iam.PoliciesAdded {
		_, name, _ := strings.Cut(p.Policy, ":policy/")
		add(logicalID(p.Identity), "gets the managed policy "+p.Policy).Guarded = slices.Contains(administrators, name)
	}
	return found
}

// administrators are AWS's managed policies that allow everything, or to take every right.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_job-functions.html
var administrators = []string{"AdministratorAccess", "IAMFullAccess", "PowerUserAccess", "job-function/SystemAdministrator"}

// boundless reports whether what a statement allows has no limit that a reader could see: for anybody, or on every resource
// all of a service or the rights of other roles.
func boundless(s cfndiff.Statement, actions []string) bool {
	if s.Condition != nil {
		return false
	}
	anybody := slices.ContainsFunc(s.Principals.Values, func(p string) bool { return p == "*" || p == "AWS:*" })
	everywhere := s.Resources.Not || slices.Contains(s.Resources.Values, "*")
	all := s.Actions.Not || slices.ContainsFunc(actions, func(a string) bool {
		return a == "*" || strings.HasSuffix(a, ":*") || strings.EqualFold(a, "iam:PassRole") || strings.EqualFold(a, "sts:AssumeRole")
	})
	return anybody || s.Principals.Not || everywhere && all
}

// allows says what a statement allows, shortest where it matters most.
func allows(s cfndiff.Statement, actions []string) string { return "may now: " + scope(s, actions) }

// scope writes actions, resources, principals and the condition of a statement.
func scope(s cfndiff.Statement, actions []string) string {
	text := list(cfndiff.Targets{Not: s.Actions.Not, Values: actions}) + " on " + list(s.Resources)
	if len(s.Principals.Values) > 0 {
		text += " by " + list(s.Principals)
	}
	if s.Condition != nil {
		condition, _ := json.Marshal(s.Condition)
		text += " if " + string(condition)
	} else if slices.Contains(s.Resources.Values, "*") || slices.Contains(actions, "*") {
		text += ", without a condition"
	}
	return text
}

// list writes targets.
func list(t cfndiff.Targets) string {
	text := strings.Join(t.Values, ", ")
	if t.Not {
		return "everything but " + text
	}
	return text
}

// uncovered returns the actions of a statement that none of the removed statements allowed to the same principals, on the
// same resources, under the same condition.
func uncovered(s cfndiff.Statement, removed []cfndiff.Statement) []string {
	var actions []string
	for _, action := range s.Actions.Values {
		one := s
		one.Actions.Values = []string{action}
		if !slices.ContainsFunc(removed, func(old cfndiff.Statement) bool { return old.Effect != "Deny" && covers(old, one) }) {
			actions = append(actions, action)
		}
	}
	return actions
}

// covers tells whether wide allows everything that narrow allows.
func covers(wide, narrow cfndiff.Statement) bool {
	return wide.Unparsed == "" &&
		targetsCover(wide.Actions, narrow.Actions, strings.ToLower) &&
		targetsCover(wide.Resources, narrow.Resources, nil) &&
		targetsCover(wide.Principals, narrow.Principals, nil) &&
		(wide.Condition == nil || equal(wide.Condition, narrow.Condition))
}

// denies tells whether now denies everything that the statement old denied.
func denies(now, old cfndiff.Statement) bool { return now.Effect == "Deny" && covers(now, old) }

// targetsCover compares targets; negated ones cover only what is written the same.
func targetsCover(wide, narrow cfndiff.Targets, fold func(string) string) bool {
	if wide.Not || narrow.Not {
		return equal(wide, narrow)
	}
	for _, value := range narrow.Values {
		if !slices.ContainsFunc(wide.Values, func(pattern string) bool {
			if fold != nil {
				return matches(fold(pattern), fold(value))
			}
			return matches(pattern, value)
		}) {
			return false
		}
	}
	return true
}

// matches holds a value, which may be a pattern itself, against an IAM pattern, in which * and ? cross every separator.
func matches(pattern, value string) bool {
	// path.Match stops * at a slash; no value holds a control character.
	hide := strings.NewReplacer("/", "\x00", "[", "\x01", "]", "\x02", `\`, "\x03")
	// A * in the value stands for any text, which a ? of the pattern does not cover: two characters say so.
	wide := strings.ReplaceAll(value, "*", "\x04\x04")
	ok, err := path.Match(hide.Replace(pattern), hide.Replace(wide))
	return pattern == value || err == nil && ok
}

// equal compares by content.
func equal(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}

// holder is the logical id of the resource whose policy holds the statement: the role of an identity's policy, else the
// first resource that the statement is about.
func holder(s cfndiff.Statement) string {
	for _, principal := range s.Principals.Values {
		if kind, id, ok := strings.Cut(principal, ":"); ok && kind == "AWS" && strings.HasPrefix(id, "${") && !strings.Contains(id, ".") {
			return logicalID(id)
		}
	}
	for _, resource := range s.Resources.Values {
		if strings.Contains(resource, "${") {
			return logicalID(resource)
		}
	}
	return "policy"
}

// logicalID is the logical id in a reference such as ${GhostRoleBA30D4CC.Arn}.
func logicalID(reference string) string {
	_, after, found := strings.Cut(reference, "${")
	if !found {
		return reference
	}
	id, _, _ := strings.Cut(after, "}")
	id, _, _ = strings.Cut(id, ".")
	return id
}

// access finds who may administer the cluster and which pods get a role: EKS keeps both outside of IAM policies.
func access(place Place, r cfndiff.Resource) []Finding {
	add := func(kind Kind, format string, args ...any) []Finding {
		return []Finding{{Kind: kind, Resource: place.resource(r.ID), Path: r.Path, Type: r.Type, Message: fmt.Sprintf(format, args...)}}
	}
	if r.New == nil {
		return nil
	}
	properties, _ := r.New["Properties"].(map[string]any)
	switch r.Type {
	case "AWS::EKS::AccessEntry":
		if r.Old == nil || r.Properties["AccessPolicies"].New != nil || r.Properties["KubernetesGroups"].New != nil || r.Properties["PrincipalArn"].New != nil {
			return add(IAM, "opens the cluster to %v with %s", cfndiff.Readable(properties["PrincipalArn"]), grants(properties))
		}
	case "AWS::EKS::PodIdentityAssociation":
		if r.Old == nil || r.Properties["RoleArn"].New != nil || r.Properties["TargetRoleArn"].New != nil ||
			r.Properties["ServiceAccount"].New != nil || r.Properties["Namespace"].New != nil {
			return add(IAM, "gives pods of ServiceAccount %v/%v the role %v",
				cfndiff.Readable(properties["Namespace"]), cfndiff.Readable(properties["ServiceAccount"]), cfndiff.Readable(properties["RoleArn"]))
		}
	case "AWS::IAM::Role":
		if change, changed := r.Properties["PermissionsBoundary"]; changed && change.New == nil {
			return add(IAM, "loses its permissions boundary")
		}
	case "AWS::EKS::Cluster":
		return endpoint(r, add)
	case "AWS::RDS::DBInstance":
		if change, changed := r.Properties["PubliclyAccessible"]; changed && isTrue(change.New) {
			return add(Network, "becomes reachable from the internet")
		}
	case "AWS::S3::Bucket":
		if change, changed := r.Properties["PublicAccessBlockConfiguration"]; changed && change.Old != nil {
			return add(Network, "changes what blocks public access; read the difference")
		}
	}
	return nil
}

// grants names the policies and the Kubernetes groups of an access entry.
func grants(entry map[string]any) string {
	var names []string
	policies, _ := entry["AccessPolicies"].([]any)
	for _, p := range policies {
		if policy, ok := p.(map[string]any); ok {
			arn := fmt.Sprint(cfndiff.Readable(policy["PolicyArn"]))
			names = append(names, arn[strings.LastIndex(arn, "/")+1:])
		}
	}
	groups, _ := entry["KubernetesGroups"].([]any)
	for _, g := range groups {
		names = append(names, fmt.Sprintf("group %v", cfndiff.Readable(g)))
	}
	return cmp.Or(strings.Join(names, ", "), "no policy and no group")
}
