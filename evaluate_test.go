package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// decision is the end of IAM's evaluation of a request.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
type decision string

const (
	allowed       decision = "allowed"
	denied        decision = "denied by a statement"
	notAllowed    decision = "not allowed by any statement"
	outOfBoundary decision = "not allowed by the boundary"
)

// request is a call of AWS's API as IAM sees it. Account and region are ACCOUNT and REGION, as in the files.
type request struct {
	action, resource string
	context          map[string]string
}

// evaluate decides a request by identity policies.
func evaluate(policies []policyDocument, r request) decision {
	result := notAllowed
	for _, document := range policies {
		for _, s := range document.Statement {
			if !s.appliesTo(r) {
				continue
			}
			if s.Effect == "Deny" {
				return denied
			}
			result = allowed
		}
	}
	return result
}

// evaluateWithin decides a request by identity policies and a permissions boundary: both must allow it.
func evaluateWithin(boundary policyDocument, policies []policyDocument, r request) decision {
	if got := evaluate(policies, r); got != allowed {
		return got
	}
	if evaluate([]policyDocument{boundary}, r) != allowed {
		return outOfBoundary
	}
	return allowed
}

// appliesTo reports whether a statement decides a request.
func (s statement) appliesTo(r request) bool {
	if !matchesAny(s.Action, r.action) || s.NotResource != nil && matchesAny(s.NotResource, r.resource) || s.NotResource == nil && !matchesAny(s.Resource, r.resource) {
		return false
	}
	for operator, keys := range s.Condition {
		for key, values := range keys {
			got, ok := r.context[key]
			switch operator {
			case "StringEquals":
				if !ok || !slices.Contains(values, got) {
					return false
				}
			case "StringLike":
				if !ok || !matchesAny(values, got) {
					return false
				}
			default:
				panic("evaluate_test.go does not know the operator " + operator)
			}
		}
	}
	return true
}

// matchesAny reports whether one of the patterns matches.
func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return awsdata.Match(p, text) })
}

// requestContext is what a request of CloudFormation carries in this platform, with a boundary on each role.
func requestContext() map[string]string {
	return map[string]string{
		"aws:RequestedRegion": "REGION", "iam:PermissionsBoundary": boundaryARN,
		"iam:PassedToService": "lambda.amazonaws.com", "iam:AWSServiceName": "eks.amazonaws.com",
	}
}

// refusals are the requests of an action that a role's policies refuse: on each resource that the action cannot do without,
// or, where it can be without any, on the one that would allow it.
func refusals(role []policyDocument, action string) []string {
	known, _ := awsdata.Find(action)
	var refused []string
	ask := func(resource string) bool {
		r := request{action, resource, requestContext()}
		if got := evaluate(role, r); got != allowed {
			refused = append(refused, fmt.Sprintf("on %s: %s", resource, got))
			return false
		}
		return true
	}
	if len(known.Resources) == 0 {
		if !ask("*") {
			return []string{"IAM has no resource level for it, so that only a statement on * allows it"}
		}
		return nil
	}
	if len(known.Required) == 0 {
		if slices.ContainsFunc(known.Resources, func(kind string) bool { return ask(instance(action, kind)) }) {
			return nil
		}
		return refused
	}
	for _, kind := range known.Required {
		ask(instance(action, kind))
	}
	return refused
}

// instance is the ARN of a resource of a kind, as this platform names it.
func instance(action, kind string) string {
	service, _, _ := strings.Cut(action, ":")
	switch {
	case action == "iam:CreateServiceLinkedRole":
		return "arn:aws:iam::ACCOUNT:role/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS"
	case service == "s3" && kind == "bucket":
		return "arn:aws:s3:::dev-ghost-content-ACCOUNT-REGION"
	case strings.HasSuffix(action, ":PassConnection"): // one of another region serves, too
		return "arn:aws:" + service + ":us-east-1:ACCOUNT:connection/x"
	case service == "s3" && kind == "object":
		return "arn:aws:s3:::cdk-hnb659fds-assets-ACCOUNT-REGION/0123.zip"
	}
	format := strings.NewReplacer("${Partition}", "aws", "${Region}", "REGION", "${Account}", "ACCOUNT").Replace(awsdata.ARN(service, kind))
	return variable.ReplaceAllString(format, "x")
}

// levels judges a statement that allows something by what IAM knows: its actions exist, each can be allowed at one of the
// statement's resources, and each condition key is one that all its requests carry. What IAM cannot evaluate allows
// nothing, and says nothing.
func levels(s statement) []string {
	var problems []string
	for _, pattern := range s.Action {
		names := awsdata.Matching(pattern)
		if len(names) == 0 {
			problems = append(problems, pattern+": IAM has no such action, or internal/awsdata/data.json is old: "+awsdata.Renew)
		}
		reachable := false
		for _, name := range names {
			action, _ := awsdata.Find(name)
			reachable = reachable || slices.Contains(s.Resource, "*") || reaches(name, action, s.Resource)
			for operator, keys := range s.Condition {
				for key := range keys {
					if !carries(name, action, key) && pattern == name && operator != "Null" && !strings.HasSuffix(operator, "IfExists") {
						problems = append(problems, fmt.Sprintf("%s: its requests do not carry %s, so that the statement never allows it: allow it in another", name, key))
					}
				}
			}
		}
		if !reachable && len(names) > 0 {
			action, _ := awsdata.Find(names[0])
			problems = append(problems, fmt.Sprintf("%s on %v: IAM allows it at %v only (none: on * only); the statement never allows it", pattern, s.Resource, action.Resources))
		}
	}
	return problems
}

// reaches reports whether an action knows a kind of resource that one of the patterns can name.
func reaches(name string, action awsdata.Action, patterns []string) bool {
	service, _, _ := strings.Cut(name, ":")
	return slices.ContainsFunc(action.Resources, func(kind string) bool {
		format := variable.ReplaceAllString(awsdata.ARN(service, kind), "*")
		return slices.ContainsFunc(patterns, func(pattern string) bool { return overlap(pattern, format) })
	})
}

// tagged are the kinds of resources whose own tags a request carries. IAM's data has that with the kinds, and not with the actions.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonrds.html#amazonrds-resources-for-iam-policies
var tagged = []string{"rds:db", "rds:snapshot"}

// carries reports whether the requests of an action carry a condition key. All carry the global keys, apart from those
// about tags.
func carries(name string, action awsdata.Action, key string) bool {
	service, _, _ := strings.Cut(name, ":")
	if strings.HasPrefix(key, "aws:ResourceTag/") && slices.ContainsFunc(action.Required, func(kind string) bool { return slices.Contains(tagged, service+":"+kind) }) {
		return true
	}
	if strings.HasPrefix(key, "aws:") && !strings.HasPrefix(key, "aws:RequestTag/") && !strings.HasPrefix(key, "aws:ResourceTag/") && key != "aws:TagKeys" {
		return true
	}
	return slices.ContainsFunc(action.ConditionKeys, func(known string) bool {
		return awsdata.Match(variable.ReplaceAllString(known, "*"), key)
	})
}

// overlap reports whether two patterns can match the same text.
func overlap(a, b string) bool {
	switch {
	case a == "" && b == "":
		return true
	case strings.HasPrefix(a, "*"):
		return overlap(a[1:], b) || b != "" && overlap(a, b[1:])
	case strings.HasPrefix(b, "*"):
		return overlap(b, a)
	case a == "" || b == "":
		return false
	}
	return (a[0] == b[0] || a[0] == '?' || b[0] == '?') && overlap(a[1:], b[1:])
}

func TestEvaluate(t *testing.T) {
	document := policyDocument{Statement: []statement{
		{Effect: "Allow", Action: []string{"s3:Get*"}, Resource: []string{"arn:aws:s3:::a/*"}},
		{Effect: "Allow", Action: []string{"iam:CreateRole"}, Resource: []string{"*"}, Condition: map[string]map[string][]string{"StringEquals": {"iam:PermissionsBoundary": {"b"}}}},
		{Effect: "Deny", Action: []string{"s3:*"}, Resource: []string{"arn:aws:s3:::a/secret"}},
		{Effect: "Deny", Action: []string{"sts:AssumeRole"}, NotResource: []string{"ours"}},
	}}
	for _, c := range []struct {
		action, resource string
		context          map[string]string
		want             decision
	}{
		{"s3:GetObject", "arn:aws:s3:::a/b", nil, allowed},
		{"s3:GetObject", "arn:aws:s3:::b/b", nil, notAllowed},
		{"s3:GetObject", "*", nil, notAllowed},
		{"s3:GetObject", "arn:aws:s3:::a/secret", nil, denied},
		{"iam:CreateRole", "r", nil, notAllowed},
		{"iam:CreateRole", "r", map[string]string{"iam:PermissionsBoundary": "other"}, notAllowed},
		{"iam:CreateRole", "r", map[string]string{"iam:PermissionsBoundary": "b"}, allowed},
		{"sts:AssumeRole", "theirs", nil, denied},
		{"sts:AssumeRole", "ours", nil, notAllowed},
	} {
		if got := evaluate([]policyDocument{document}, request{c.action, c.resource, c.context}); got != c.want {
			t.Errorf("%s on %s with %v: got %s, want %s", c.action, c.resource, c.context, got, c.want)
		}
	}
}

// The mistakes that an account would show on the first deployment, and no template validator does.
func TestLevels(t *testing.T) {
	const pg = "arn:aws:rds:REGION:ACCOUNT:pg:*"
	boundary := map[string]map[string][]string{"StringEquals": {"iam:PermissionsBoundary": {"b"}}}
	for name, c := range map[string]struct {
		statement statement
		want      string
	}{
		"right":                 {statement{Action: []string{"rds:ModifyDBParameterGroup"}, Resource: []string{pg}}, ""},
		"no resource level":     {statement{Action: []string{"rds:DescribeEngineDefaultParameters"}, Resource: []string{pg}}, "never allows it"},
		"another kind":          {statement{Action: []string{"rds:DeleteDBInstance"}, Resource: []string{"arn:aws:rds:REGION:ACCOUNT:subgrp:x"}}, "IAM allows it at [db"},
		"misspelt":              {statement{Action: []string{"rds:ModifyDbParamGroup"}, Resource: []string{pg}}, "no such action"},
		"key that is not there": {statement{Action: []string{"iam:TagRole"}, Resource: []string{"*"}, Condition: boundary}, "do not carry iam:PermissionsBoundary"},
		"key that is":           {statement{Action: []string{"iam:CreateRole"}, Resource: []string{"*"}, Condition: boundary}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(levels(c.statement), "; "); (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
