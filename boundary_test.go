package main

import (
	"strings"
	"testing"
)

// The boundary that docs/guides/bootstrap.md offers holds: with identity-bounded.json CloudFormation makes and changes no
// role without it, takes it from none, and cannot change it. A policy given to cdk bootstrap as
// --custom-permissions-boundary would limit the execution role and leave the roles that it makes free.
func TestBoundaryIsForced(t *testing.T) {
	const role = "arn:aws:iam::ACCOUNT:role/dev-ghost-Role"
	bounded, free := executionRole(t, "identity-bounded"), executionRole(t, "identity")
	context := func(boundary string) map[string]string {
		if boundary == "" {
			return nil // the key is missing where a role has no boundary
		}
		return map[string]string{"iam:PermissionsBoundary": boundary}
	}
	changes := []string{"iam:CreateRole", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:UpdateAssumeRolePolicy"}
	for _, action := range changes {
		for with, want := range map[string]decision{"": notAllowed, "arn:aws:iam::ACCOUNT:policy/wider": notAllowed, boundaryARN: allowed} {
			if got := evaluate(bounded, request{action, role, context(with)}); got != want {
				t.Errorf("identity-bounded: %s with boundary %q is %s, want %s", action, with, got, want)
			}
		}
	}
	if got := evaluate(free, request{"iam:CreateRole", role, nil}); got != allowed {
		t.Errorf("identity: iam:CreateRole is %s; the stacks' roles have no boundary unless cdk.json gives them one", got)
	}
	for _, action := range []string{"iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"} {
		for _, resource := range []string{role, boundaryARN} {
			if got := evaluate(bounded, request{action, resource, context(boundaryARN)}); got == allowed {
				t.Errorf("identity-bounded: %s on %s is %s", action, resource, got)
			}
		}
	}
}

// With the boundary in cdk.json every role of every stack has it, and may still do all that its policy says; what it never
// may do is make identities, whatever its policy says.
func TestRolesWithinTheBoundary(t *testing.T) {
	context := sample(t)
	context["@aws-cdk/core:permissionsBoundary"] = map[string]any{"name": boundaryARN[strings.LastIndex(boundaryARN, "/")+1:]}
	context["@aws-cdk/core:validateAgainstDefaultRules"] = false // TestGoldenTemplates validates
	limit := readExecution(t, "boundary")
	for stack, parsed := range read(t, synthesize(t, context, environments(t, context, "dev"), false)) {
		for id, role := range parsed.ofType("AWS::IAM::Role") {
			if got := plain(role.Properties["PermissionsBoundary"]); !strings.HasSuffix(got, ":policy/platform-boundary") {
				t.Errorf("%s %s: boundary %q", stack, id, got)
			}
		}
	}
	for stack, parsed := range sampleApp(t) {
		for _, statements := range statementsIn(t, stack, parsed) {
			for _, s := range statements {
				for _, action := range s.Action {
					resource := s.Resource[0]
					if action == "sts:AssumeRole" {
						resource = "arn:aws:iam::ACCOUNT:role/" + resource[strings.LastIndex(resource, "/")+1:]
					}
					if got := evaluate([]policyDocument{limit}, request{action, resource, nil}); got != allowed {
						t.Errorf("%s: %s is %s by the boundary", s.where, action, got)
					}
				}
			}
		}
	}
	anything := []policyDocument{{Statement: []statement{{Effect: "Allow", Action: []string{"*"}, Resource: []string{"*"}}}}}
	for _, action := range []string{"iam:CreateUser", "iam:CreateRole", "iam:CreateAccessKey", "iam:PutRolePolicy", "iam:AttachUserPolicy", "iam:PassRole", "iam:UpdateAssumeRolePolicy",
		"iam:DeleteRolePermissionsBoundary", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "organizations:LeaveOrganization", "sts:AssumeRole"} {
		if got := evaluateWithin(limit, anything, request{action, "arn:aws:iam::ACCOUNT:role/admin", nil}); got != outOfBoundary {
			t.Errorf("a role of a stack with a policy that allows everything: %s is %s", action, got)
		}
	}
}
