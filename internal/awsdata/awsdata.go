// Package awsdata holds facts of AWS about the resource types and the IAM actions that the templates use: what the
// handlers of CloudFormation call, which properties replace a resource, what identifies it, and at which level IAM knows
// an action. The tests judge templates and policies by it.
//
// data.json is generated; docs/design/20261129.aws-facts.md has the command.
package awsdata

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Renew is the command that writes data.json anew.
const Renew = "go run ./internal/awsdata/cmd/awsdata (docs/design/20261129.aws-facts.md)"

// customResource is how CloudFormation documents every type that begins with Custom::.
const customResource = "AWS::CloudFormation::CustomResource"

// Resource is what CloudFormation does with a type. Properties are paths without /properties/, with * for any element
// of a list: "Rules/*/Prefix".
type Resource struct {
	// PrimaryIdentifier are the properties that no two resources of the account and region may have equal.
	PrimaryIdentifier []string `json:"primaryIdentifier,omitempty"`
	// AdditionalIdentifiers are other properties that identify the resource, each list by itself.
	AdditionalIdentifiers [][]string `json:"additionalIdentifiers,omitempty"`
	// CreateOnly are the properties whose change replaces the resource.
	CreateOnly []string `json:"createOnly,omitempty"`
	// ConditionalCreateOnly are the properties whose change replaces the resource in some cases.
	ConditionalCreateOnly []string `json:"conditionalCreateOnly,omitempty"`
	// Properties are the names of all properties, also of those that AWS sets; those within a property are not among them.
	Properties []string `json:"properties,omitempty"`
	// ReadOnly are the properties that AWS sets; a template cannot.
	ReadOnly []string `json:"readOnly,omitempty"`
	// Handlers are the IAM actions of the create, read, update, delete and list handlers, by handler.
	Handlers map[string][]string `json:"handlers,omitempty"`
}

// Permissions are the IAM actions that CloudFormation needs to create, read, update and delete the resource, sorted. The
// list handler serves imports and the IaC generator, neither of which a stack of ours uses.
func (r Resource) Permissions() []string {
	var all []string
	for handler, actions := range r.Handlers {
		if handler != "list" {
			all = append(all, actions...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Action is what IAM knows about an action.
type Action struct {
	// Level is AWS's access level: List, Read, Write, Tagging or Permissions management.
	Level string `json:"level"`
	// Resources are the resource types at which it can be allowed; none means that only "*" allows it.
	Resources []string `json:"resources,omitempty"`
	// Required are those of Resources without which there is no such call.
	Required []string `json:"required,omitempty"`
	// ConditionKeys are those that a request carries, beside the global ones.
	ConditionKeys []string `json:"conditionKeys,omitempty"`
}

// Table is the content of data.json.
type Table struct {
	// Date of the renewal, as YYYY-MM-DD.
	Date string `json:"date"`
	// Sources are the versions of what was read.
	Sources Sources `json:"sources"`
	// Types by name.
	Types map[string]Resource `json:"types"`
	// Actions by service prefix and name: "rds:CreateDBInstance".
	Actions map[string]Action `json:"actions"`
	// ARNs by service prefix and resource type: "rds:db".
	ARNs map[string]string `json:"arns"`
	// Unknown are actions that a handler names and IAM does not have: AWS's schemas carry old names.
	Unknown []string `json:"unknown"`
}

// Sources are the versions of what a table was made of.
type Sources struct {
	Schemas string `json:"schemas"`
	IAM     string `json:"iam"`
}

//go:embed data.json
var content []byte

// Load reads the table.
var Load = sync.OnceValue(func() Table {
	var table Table
	if err := json.Unmarshal(content, &table); err != nil {
		panic("internal/awsdata/data.json: " + err.Error() + "; " + Renew) //nolint:forbidigo // the file is compiled in; only its generator can break it
	}
	return table
})

// Type returns what CloudFormation does with a type; an error if the type is not in the table.
func Type(name string) (Resource, error) {
	known := name
	if strings.HasPrefix(name, "Custom::") {
		known = customResource
	}
	r, ok := Load().Types[known]
	if !ok {
		return Resource{}, fmt.Errorf("%s is not in internal/awsdata/data.json: renew it, %s", name, Renew)
	}
	return r, nil
}

// Find returns what IAM knows about an action, "service:Name" in any case, and reports whether it is in the table. The
// table has the actions of the handlers and of the templates' policies, not all that exist.
func Find(name string) (Action, bool) {
	action, ok := folded()[strings.ToLower(name)]
	return action, ok
}

// Matching returns the actions in the table that a pattern of a policy allows, sorted: "s3:GetObject*".
func Matching(pattern string) []string {
	var found []string
	for name := range Load().Actions {
		if Match(pattern, name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// ARN returns the format of a resource type's ARN, with variables as ${Region}.
func ARN(service, resource string) string { return Load().ARNs[service+":"+resource] }

var folded = sync.OnceValue(func() map[string]Action {
	all := map[string]Action{}
	for name, action := range Load().Actions {
		all[strings.ToLower(name)] = action
	}
	return all
})

// Match reports whether a pattern of IAM, with * and ?, matches the whole text, without regard to case.
func Match(pattern, text string) bool {
	p, t := strings.ToLower(pattern), strings.ToLower(text)
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}
