// Package addons says what each controller of k8s/platform/controllers may do in AWS: one file per controller, with its
// namespace, ServiceAccount and policy. The charts are installed by Flux; a test ties the versions of the two halves
// together.
//
// Policies are plain values, so that they can be read and tested without CDK.
package addons

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s-plus-aws-gitops/config"
)

// Controller is a controller's identity and its rights.
type Controller struct {
	// Name of the controller, its chart and its role.
	Name string
	// Namespace and ServiceAccount in which its chart runs.
	Namespace, ServiceAccount string
	// ChartVersion is the chart that the policy was made for.
	ChartVersion string
	// Policy is its IAM policy document.
	Policy Document
}

// Resources are the identifiers of what the controllers work on; they may be CDK tokens.
type Resources struct {
	HostedZoneID string // Route 53 zone of the environment's domain
	KeyARN       string // KMS key of the environment's secrets
}

// All lists the platform's controllers.
func All(env config.Environment, r Resources) []Controller {
	return []Controller{
		LoadBalancerController(env),
		ExternalDNS(env, r.HostedZoneID),
		ExternalSecrets(env, r.KeyARN),
	}
}

// Document is an IAM policy document.
type Document map[string]any

// Permissions flattens the policy into sorted lines "effect action resource condition". Two policies mean the same if
// their lines are the same, however their statements are cut; CDK cuts them anew.
func (d Document) Permissions() []string {
	var lines []string
	for _, entry := range list(d["Statement"]) {
		s, _ := entry.(map[string]any)
		condition, err := json.Marshal(s["Condition"])
		if err != nil {
			panic(err) //nolint:forbidigo // decoded from JSON, or a literal of this package
		}
		for _, action := range list(s["Action"]) {
			for _, resource := range list(s["Resource"]) {
				lines = append(lines, fmt.Sprintf("%v %v %v %s", s["Effect"], action, resource, condition))
			}
		}
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// list is a value that a policy may write alone or as a list.
func list(value any) []any {
	if many, ok := value.([]any); ok {
		return many
	}
	return []any{value}
}

// statement makes an Allow statement.
func statement(sid string, actions []string, resource string, condition map[string]any) map[string]any {
	s := map[string]any{"Sid": sid, "Effect": "Allow", "Action": anySlice(actions), "Resource": resource}
	if condition != nil {
		s["Condition"] = condition
	}
	return s
}

// document makes a policy of statements.
func document(statements ...map[string]any) Document {
	list := make([]any, len(statements))
	for i, s := range statements {
		list[i] = s
	}
	return Document{"Version": "2012-10-17", "Statement": list}
}

// anySlice widens strings, as encoding/json would deliver them.
func anySlice(list []string) []any {
	wide := make([]any, len(list))
	for i, s := range list {
		wide[i] = s
	}
	return wide
}
