package infrastructure

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"strings"

	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
)

// The gate makes a deployment fail, with the reason, when Flux cannot read the repository: without it the stack succeeds
// and nothing is ever reconciled. CDK's wait for an object can only run out of time, and says nothing but that; a refusal by
// the API server carries a message into CloudFormation's event. docs/design/20261129.private-repositories.md

const (
	// gateName names the policy and its binding.
	gateName = "flux-source"
	// sourceAnnotation, on the root Kustomization, says what the source was when it was applied.
	sourceAnnotation = "bootstrap/source"
)

// sourceName names what Flux follows, and how it signs in there. Keys are not of it: when they are new, Flux refuses the
// commit before, until the one that brings them is released, which is after the stacks.
func sourceName(env config.Environment) string {
	return strings.Join([]string{env.RepositoryURL, env.FluxBranch(), string(env.GitCredentials)}, " ")
}

// reported waits until Flux has tried to read the repository, with success or without: the source's conditions then have
// other reasons than Progressing. It runs again for another source, because its id is another one.
func (k kubectl) reported(env config.Environment, source constructs.IConstruct) constructs.IConstruct {
	id := fmt.Sprintf("FluxRead%X", sha256.Sum256([]byte(sourceName(env))))[:16]
	return k.wait(id, after(source), awaited{
		"gitrepositories.source.toolkit.fluxcd.io", fluxNamespace, fluxNamespace, `.status.conditions[?(@.reason!="Progressing")].message`,
	}, 5)
}

// gateObjects refuse the root Kustomization while its source has failed: when it is made, and when it is changed together with
// the source. Other changes, such as a finalizer or `flux reconcile`, pass, and so does a source that is still being read:
// a failed fetch stays failed while it is tried again, so whoever waited for the report (reported) meets the failure.
func gateObjects(env config.Environment) []map[string]any {
	failed := "params.status.conditions.filter(c, c.type == 'Ready' && c.status == 'False')"
	annotation := "metadata.?annotations[?'" + sourceAnnotation + "'].orValue('')"
	policy := object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "", gateName, map[string]any{
		"failurePolicy": "Fail",
		"paramKind":     map[string]any{"apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository"},
		"matchConstraints": map[string]any{
			"namespaceSelector": map[string]any{"matchLabels": map[string]any{"kubernetes.io/metadata.name": fluxNamespace}},
			"resourceRules": []any{map[string]any{
				"apiGroups": []any{"kustomize.toolkit.fluxcd.io"}, "apiVersions": []any{"v1"},
				"operations": []any{"CREATE", "UPDATE"}, "resources": []any{"kustomizations"},
			}},
		},
		"matchConditions": []any{
			map[string]any{"name": "root", "expression": "object.metadata.name == '" + fluxNamespace + "'"},
			map[string]any{"name": "source", "expression": "oldObject == null || oldObject." + annotation + " != object." + annotation},
		},
		// A message of more than one line would be dropped by the API server, and a Git host's answer ends with one.
		"validations": []any{map[string]any{
			"expression":        "!has(params.status) || !has(params.status.conditions) || size(" + failed + ") == 0",
			"messageExpression": "'Flux cannot read ' + params.spec.url + ', branch ' + params.spec.ref.branch + ': ' + " + failed + "[0].message.replace('\\n', ' ') + " + celText("; "+remedy(env)),
		}},
	})
	binding := object("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", "", gateName, map[string]any{
		"policyName":        gateName,
		"validationActions": []any{"Deny"},
		// On removal the source may be gone first; the Kustomization's finalizer must pass all the same.
		"paramRef": map[string]any{"name": fluxNamespace, "namespace": fluxNamespace, "parameterNotFoundAction": "Allow"},
	})
	return []map[string]any{policy, binding}
}

// celText quotes a text for CEL.
func celText(text string) string { return strconv.Quote(text) }

// remedy is what to do when the repository cannot be read.
func remedy(env config.Environment) string {
	branch := "make the branch if it is missing"
	if env.Gated() {
		branch += ": bin/gitops release " + env.Name
	}
	if env.Repository.Verifies() {
		branch = "have its last commit signed by a key of repository.verify: docs/guides/signed.md; " + branch
	}
	if env.GitCredentials == config.CredentialsNone {
		return branch + "; for a private repository set repository.credentials in cdk.json: docs/guides/private.md"
	}
	secret := env.SecretName("flux", gitReadSecret)
	return branch + "; or put credentials (" + string(env.GitCredentials) + ") into Secrets Manager: aws secretsmanager create-secret --region " +
		env.Region + " --name " + secret + " --secret-string file://git-read.json (put-secret-value --secret-id if it is there), then deploy again: docs/guides/private.md"
}
