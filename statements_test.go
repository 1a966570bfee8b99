package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// placed is a statement and where it is.
type placed struct {
	statement
	where string
}

// statementsIn are the statements of a template's identity policies, by the logical id of their role. Resources are ARNs
// as IAM would see them, with example names.
func statementsIn(t *testing.T, stack string, parsed template) map[string][]placed {
	t.Helper()
	found := map[string][]placed{}
	add := func(id, role string, document any) {
		for i, s := range asList(get(document, "Statement")) {
			where := fmt.Sprintf("%s %s, statement %v", stack, id, get(s, "Sid"))
			if get(s, "Sid") == nil {
				where = fmt.Sprintf("%s %s, statement %d", stack, id, i+1)
			}
			found[role] = append(found[role], placed{where: where, statement: statement{
				Effect: fmt.Sprint(get(s, "Effect")), Action: texts(get(s, "Action")), Resource: arns(t, where, parsed, get(s, "Resource")), Condition: conditions(get(s, "Condition")),
			}})
		}
	}
	for id, r := range parsed.ofType("AWS::IAM::Role") {
		found[id] = nil
		for _, policy := range asList(r.Properties["Policies"]) {
			add(id, id, get(policy, "PolicyDocument"))
		}
	}
	for id, r := range parsed.ofType("AWS::IAM::Policy") {
		for _, role := range asList(r.Properties["Roles"]) {
			add(id, fmt.Sprint(get(role, "Ref")), r.Properties["PolicyDocument"])
		}
	}
	return found
}

// texts are the strings of a value that may be one or a list.
func texts(value any) []string {
	var list []string
	for _, item := range asList(value) {
		list = append(list, fmt.Sprint(item))
	}
	return list
}

// conditions widens the values of a condition to lists.
func conditions(value any) map[string]map[string][]string {
	all := map[string]map[string][]string{}
	operators, _ := value.(map[string]any)
	for operator, keys := range operators {
		all[operator] = map[string][]string{}
		for key, values := range keys.(map[string]any) {
			for _, v := range asList(values) {
				all[operator][key] = append(all[operator][key], plain(v))
			}
		}
	}
	return all
}

// arns resolves resources of a statement.
func arns(t *testing.T, where string, parsed template, value any) []string {
	t.Helper()
	var list []string
	for _, item := range asList(value) {
		list = append(list, resolve(t, where, parsed, item))
	}
	return list
}

// arnOfType is the kind of IAM's resource that a type makes, whose ARN Fn::GetAtt or Ref returns.
var arnOfType = map[string]struct{ service, kind, suffix string }{
	"AWS::EKS::Cluster":     {"eks", "cluster", ""},
	"AWS::IAM::Role":        {"iam", "role", ""},
	"AWS::KMS::Key":         {"kms", "key", ""},
	"AWS::Lambda::Function": {"lambda", "function", ""},
	"AWS::Logs::LogGroup":   {"logs", "log-group", ":*"}, // https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-logs-loggroup.html
	"AWS::S3::Bucket":       {"s3", "bucket", ""},
	"AWS::SNS::Topic":       {"sns", "topic", ""},

	"AWS::SecretsManager::Secret": {"secretsmanager", "Secret", ""},
}

// resolve writes a value of a template as CloudFormation would, with example names for what it makes.
func resolve(t *testing.T, where string, parsed template, value any) string {
	t.Helper()
	object, _ := value.(map[string]any)
	for function, argument := range object {
		switch function {
		case "Fn::Join":
			return strings.Join(arns(t, where, parsed, get(argument, 1)), plain(get(argument, 0)))
		case "Fn::If":
			return resolve(t, where, parsed, get(argument, 1))
		case "Fn::ImportValue":
			for _, other := range sampleApp(t) {
				for _, output := range other.Outputs {
					if text(get(output, "Export", "Name")) == text(argument) {
						return resolve(t, where, other, get(output, "Value"))
					}
				}
			}
		case "Fn::GetAtt", "Ref":
			if id, ok := argument.(string); ok && strings.HasPrefix(id, "AWS::") {
				return plain(value)
			}
			id := fmt.Sprint(asList(argument)[0])
			if function == "Ref" && !slices.Contains([]string{"AWS::SNS::Topic", "AWS::SecretsManager::Secret"}, parsed.Resources[id].Type) {
				return "x" // a name or an id, inside an ARN
			}
			if kind, ok := arnOfType[parsed.Resources[id].Type]; ok {
				return variable.ReplaceAllString(awsdata.ARN(kind.service, kind.kind), "x") + kind.suffix
			}
		}
		t.Errorf("%s: cannot tell the ARN of %s: add its type to arnOfType, statements_test.go", where, text(value))
	}
	return plain(value)
}

// formerName begins the actions that are allowed beside those of codeconnections, on the same ARN. IAM's data knows them for
// ARNs with the former prefix only; AWS's guide allows both on either, and services have asked for either.
// https://docs.aws.amazon.com/dtconsole/latest/userguide/rename.html
const formerName = "codestar-connections:"

// Every statement of every role allows something: its actions exist, at a level that IAM knows, under keys that its
// requests carry.
func TestStatementsAllowSomething(t *testing.T) {
	judged := 0
	for stack, parsed := range sampleApp(t) {
		for _, statements := range statementsIn(t, stack, parsed) {
			for _, s := range statements {
				judged++
				s.Action = slices.DeleteFunc(s.Action, func(action string) bool { return strings.HasPrefix(action, formerName) })
				for _, problem := range levels(s.statement) {
					t.Errorf("%s: %s", s.where, problem)
				}
			}
		}
	}
	if judged < 100 {
		t.Errorf("%d statements were judged; the templates have more", judged)
	}
}

// The statements about the account's own keys, buckets and topics name actions that exist.
func TestResourcePoliciesNameActions(t *testing.T) {
	for stack, parsed := range sampleApp(t) {
		for id, r := range parsed.Resources {
			for _, property := range []string{"KeyPolicy", "PolicyDocument", "AssumeRolePolicyDocument"} {
				for _, s := range asList(get(r.Properties[property], "Statement")) {
					for _, action := range texts(get(s, "Action")) {
						if !strings.HasSuffix(action, ":*") && len(awsdata.Matching(action)) == 0 {
							t.Errorf("%s %s: %s is not an action of IAM, or internal/awsdata/data.json is old: %s", stack, id, action, awsdata.Renew)
						}
					}
				}
			}
		}
	}
}
