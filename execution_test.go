package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
	"k8s-plus-aws-gitops/internal/golden"
)

// executionFolder has what CloudFormation may do, as managed policies. They are generated from the templates, because a
// list that somebody keeps by hand is wrong where nobody looks: TestExecutionPolicies.
const executionFolder = "infrastructure/delivery/execution"

// statement is a statement of an identity policy, in the order in which people read it.
type statement struct {
	Sid         string
	Effect      string
	Action      []string
	Resource    []string                       `json:",omitempty"`
	NotResource []string                       `json:",omitempty"`
	Condition   map[string]map[string][]string `json:",omitempty"`
}

// policyDocument is a policy as IAM takes it.
type policyDocument struct {
	Version   string
	Statement []statement
}

// neededBy returns the actions that CloudFormation needs for the templates, each with a type that needs it.
func neededBy(t testing.TB, templates map[string]template) map[string]string {
	t.Helper()
	needed := map[string]string{}
	for _, parsed := range templates {
		for id, r := range parsed.Resources {
			kind, err := awsdata.Type(r.Type)
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			for _, action := range kind.Permissions() {
				if _, ok := awsdata.Find(action); ok && !withheldFrom(r.Type, action) {
					needed[action] = r.Type
				}
			}
		}
		for pattern, actions := range references {
			if pattern.Match(parsed.raw) {
				for _, action := range actions {
					needed[action] = "a reference in a template"
				}
			}
		}
	}
	return needed
}

// references are what CloudFormation reads for a template beside its resources.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
var references = map[*regexp.Regexp][]string{
	regexp.MustCompile(`\{\{resolve:secretsmanager:`):       {"secretsmanager:GetSecretValue"},
	regexp.MustCompile(`\{\{resolve:ssm(-secure)?:`):        {"ssm:GetParameters"},
	regexp.MustCompile(`"AWS::SSM::Parameter::Value<\w+>"`): {"ssm:GetParameters"},
}

// withheldFrom reports whether an action of a type's handlers is left out.
func withheldFrom(kind, action string) bool {
	return slices.ContainsFunc(withheld, func(w withholding) bool { return w.kind == kind && slices.Contains(w.actions, action) })
}

// scope is where an action is allowed: the narrowing of this repository, or else every resource of the account and region
// at which IAM knows the action.
func scope(action string, services map[string][]string) statement {
	for _, n := range narrowed {
		if slices.ContainsFunc(n.actions, func(pattern string) bool { return awsdata.Match(pattern, action) }) {
			return statement{Sid: n.sid, Effect: "Allow", Resource: n.resources, Condition: n.condition}
		}
	}
	service, _, _ := strings.Cut(action, ":")
	if known, _ := awsdata.Find(action); len(known.Resources) > 0 {
		return statement{Sid: sid(service), Effect: "Allow", Resource: services[service]}
	}
	if slices.Contains(global, service) {
		return statement{Sid: sid(service) + "WithoutResource", Effect: "Allow", Resource: []string{"*"}}
	}
	return statement{Sid: "WithoutResource", Effect: "Allow", Resource: []string{"*"}, Condition: inRegion}
}

// sid makes an identifier of a service's prefix: IAM takes letters and digits.
func sid(service string) string {
	var b strings.Builder
	for _, part := range strings.Split(service, "-") {
		b.WriteString(strings.ToUpper(part[:1]) + part[1:])
	}
	return b.String()
}

var variable = regexp.MustCompile(`\$\{\w+\}`)

// resourcesOf are the ARNs, by service, of the resource types without which there is no call of a needed action. An
// action on tags knows all types of its service; it gets those that the others need.
func resourcesOf(needed map[string]string) map[string][]string {
	kinds, optional := map[string][]string{}, map[string][]string{}
	for action := range needed {
		service, _, _ := strings.Cut(action, ":")
		known, _ := awsdata.Find(action)
		kinds[service] = append(kinds[service], known.Required...)
		if len(known.Required) == 0 {
			optional[service] = append(optional[service], known.Resources...)
		}
	}
	all := map[string][]string{}
	for service := range kinds {
		list := kinds[service]
		if len(list) == 0 {
			list = optional[service]
		}
		for _, kind := range list {
			format := strings.NewReplacer("${Partition}", "aws", "${Region}", "REGION", "${Account}", "ACCOUNT").Replace(awsdata.ARN(service, kind))
			all[service] = append(all[service], variable.ReplaceAllString(format, "*"))
		}
		all[service] = withoutCovered(all[service])
	}
	return all
}

// withoutCovered drops the patterns that another covers.
func withoutCovered(list []string) []string {
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(slices.Clone(list), func(arn string) bool {
		return slices.ContainsFunc(list, func(other string) bool { return other != arn && awsdata.Match(other, arn) })
	})
}

// executionPolicies makes the policies by file name, and the variant of identity.json for roles that must have a boundary.
func executionPolicies(needed map[string]string, principals []string) map[string]policyDocument {
	services := resourcesOf(needed)
	byFile := map[string]map[string]statement{}
	for _, action := range slices.Sorted(maps.Keys(needed)) {
		service, _, _ := strings.Cut(action, ":")
		file := fileOf(service)
		if byFile[file] == nil {
			byFile[file] = map[string]statement{}
		}
		s := scope(action, services)
		s.Action = append(byFile[file][s.Sid].Action, action)
		if s.Sid == passRoles {
			s.Condition = map[string]map[string][]string{"StringEquals": {"iam:PassedToService": principals}}
		}
		byFile[file][s.Sid] = s
	}
	documents := map[string]policyDocument{}
	for file, statements := range byFile {
		var list []statement
		for _, sid := range slices.Sorted(maps.Keys(statements)) {
			list = append(list, statements[sid])
		}
		documents[file] = policyDocument{Version: "2012-10-17", Statement: list}
	}
	identity := documents["identity"]
	documents["identity-bounded"] = policyDocument{Version: identity.Version, Statement: append(bounded(identity.Statement), bootstrapRoles)}
	identity.Statement = append(identity.Statement, bootstrapRoles)
	documents["identity"] = identity
	return documents
}

// bounded requires the boundary for every action on roles of which IAM can tell it.
func bounded(statements []statement) []statement {
	var list []statement
	for _, s := range statements {
		within := statement{Sid: s.Sid + "WithinTheBoundary", Effect: s.Effect, Resource: s.Resource,
			Condition: map[string]map[string][]string{"StringEquals": {"iam:PermissionsBoundary": {boundaryARN}}}}
		rest := s
		rest.Action = nil
		for _, action := range s.Action {
			known, _ := awsdata.Find(action)
			if slices.Contains(known.ConditionKeys, "iam:PermissionsBoundary") && known.Level != "Read" {
				within.Action = append(within.Action, action)
			} else {
				rest.Action = append(rest.Action, action)
			}
		}
		if len(within.Action) > 0 {
			if s.Sid == sid("iam") {
				within.Action = append(within.Action, "iam:PutRolePermissionsBoundary")
				slices.Sort(within.Action)
			}
			list = append(list, within)
		}
		if len(rest.Action) > 0 {
			list = append(list, rest)
		}
	}
	return list
}

// principalsOf are the services that the templates' roles trust: to no other may a role be passed.
func principalsOf(templates map[string]template) []string {
	var all []string
	for _, parsed := range templates {
		for _, role := range parsed.ofType("AWS::IAM::Role") {
			for _, s := range asList(get(role.Properties, "AssumeRolePolicyDocument", "Statement")) {
				for _, service := range asList(get(s, "Principal", "Service")) {
					all = append(all, plain(service))
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// The execution policies are what the handlers of the templates' types call, where IAM can allow it, and no more.
// managedPolicyLimit: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func TestExecutionPolicies(t *testing.T) {
	const managedPolicyLimit = 6144
	templates := sampleApp(t)
	needed := neededBy(t, templates)
	documents := executionPolicies(needed, principalsOf(templates))
	documents["boundary"] = policyDocument{Version: "2012-10-17", Statement: boundary}
	for name, document := range documents {
		text, err := json.MarshalIndent(document, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden.Compare(t, filepath.Join(executionFolder, name+".json"), append(text, '\n'))
		compact, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		filled := strings.NewReplacer("ACCOUNT", "111111111111", "REGION", "ap-southeast-4").Replace(string(compact))
		if len(filled) > managedPolicyLimit {
			t.Errorf("%s/%s.json has %d characters without white space, IAM takes %d: give a service a file of its own in executionFiles", executionFolder, name, len(filled), managedPolicyLimit)
		}
	}
	files, err := filepath.Glob(filepath.Join(executionFolder, "*.json"))
	if err != nil || len(files) != len(documents) {
		t.Errorf("%s has %v, %v; %d policies are generated: remove the others", executionFolder, files, err, len(documents))
	}
}

// readExecution reads a policy as it is in the repository.
func readExecution(t testing.TB, name string) policyDocument {
	t.Helper()
	var document policyDocument
	content, err := os.ReadFile(filepath.Join(executionFolder, name+".json"))
	if err == nil {
		err = json.Unmarshal(content, &document)
	}
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// executionRole are the policies of the bootstrap's execution role, with identity.json or its variant.
func executionRole(t testing.TB, identity string) []policyDocument {
	t.Helper()
	list := []policyDocument{readExecution(t, identity)}
	for _, name := range executionFiles {
		if name.file != "identity" {
			list = append(list, readExecution(t, name.file))
		}
	}
	return list
}

// Both sets allow every action that a type needs, and allow none that no type needs. The judge is IAM's evaluation of the
// files, not the code that wrote them.
func TestExecutionPoliciesCoverTheHandlers(t *testing.T) {
	templates := sampleApp(t)
	needed := neededBy(t, templates)
	for _, identity := range []string{"identity", "identity-bounded"} {
		role := executionRole(t, identity)
		for action, kind := range needed {
			if refused := refusals(role, action); len(refused) > 0 {
				t.Errorf("%s: %s calls %s, and the policies in %s do not allow it:\n\t%s\n\trun make golden, review the difference, and bootstrap again (docs/guides/bootstrap.md)", identity, kind, action, executionFolder, strings.Join(refused, "\n\t"))
			}
		}
		for _, document := range role {
			for _, s := range document.Statement {
				for _, action := range s.Action {
					if s.Effect == "Allow" && needed[action] == "" && (identity != "identity-bounded" || action != "iam:PutRolePermissionsBoundary") {
						t.Errorf("%s: %s allows %s, which no type in the templates needs", identity, s.Sid, action)
					}
				}
				if s.Effect == "Allow" {
					for _, problem := range levels(s) {
						t.Errorf("%s: %s: %s", identity, s.Sid, problem)
					}
				}
			}
		}
	}
}

// What is withheld belongs to a property that no template sets, and to a handler that still names it.
func TestWithheldActions(t *testing.T) {
	templates := sampleApp(t)
	for _, w := range withheld {
		kind, err := awsdata.Type(w.kind)
		if err != nil {
			t.Errorf("withheld from %s: %v; remove it if no template has the type", w.kind, err)
			continue
		}
		if len(w.reason) < 30 {
			t.Errorf("withheld from %s: give a reason, got %q", w.kind, w.reason)
		}
		for _, action := range w.actions {
			if !slices.Contains(kind.Permissions(), action) {
				t.Errorf("withheld from %s: no handler calls %s; remove it", w.kind, action)
			}
		}
		for stack, parsed := range templates {
			for id, r := range parsed.ofType(w.kind) {
				for _, property := range w.properties {
					if at(r.Properties, property) != nil {
						t.Errorf("%s %s sets %s, whose handler calls %v: allow them (withheld, execution_rules_test.go)", stack, id, property, w.actions)
					}
				}
			}
		}
	}
}

// Nothing in a stack may make users, keys or groups, or change a policy.
func TestExecutionPoliciesMakeNoUsers(t *testing.T) {
	for _, identity := range []string{"identity", "identity-bounded"} {
		role := executionRole(t, identity)
		for _, action := range []string{
			"iam:CreateUser", "iam:CreateAccessKey", "iam:AddUserToGroup", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion", "iam:DeleteRolePermissionsBoundary",
			"iam:PutUserPolicy", "sts:AssumeRole", "organizations:LeaveOrganization", "s3:DeleteObject", "ec2:TerminateInstances",
		} {
			for _, document := range role {
				for _, s := range document.Statement {
					if s.Effect == "Allow" && slices.ContainsFunc(s.Action, func(p string) bool { return awsdata.Match(p, action) }) {
						t.Errorf("%s: %s allows %s", identity, s.Sid, action)
					}
				}
			}
		}
		for _, action := range []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:DeleteRole"} {
			r := request{action, "arn:aws:iam::ACCOUNT:role/cdk-hnb659fds-deploy-role-ACCOUNT-REGION", requestContext()}
			if got := evaluate(role, r); got != denied {
				t.Errorf("%s: %s on the bootstrap's own role is %s", identity, action, got)
			}
		}
	}
}

// at follows a path with dots.
func at(value any, path string) any {
	for _, key := range strings.Split(path, ".") {
		value = get(value, key)
	}
	return value
}
