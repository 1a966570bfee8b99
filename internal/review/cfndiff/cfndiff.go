// Package cfndiff compares CloudFormation templates: which resources change and whether in place or by replacement, and
// which IAM statements and security-group rules come and go.
//
// The comparison is the CDK's own, @aws-cdk/cloudformation-diff, run by Node.js: it brings CloudFormation's resource
// specification, which says for every property whether changing it replaces the resource.
package cfndiff

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/internal/assembly"
)

//go:embed diff.mjs
var script []byte

// Impact says what CloudFormation does with a resource.
type Impact string

// The impacts, as @aws-cdk/cloudformation-diff names them.
const (
	Create  Impact = "WILL_CREATE"
	Update  Impact = "WILL_UPDATE"
	Replace Impact = "WILL_REPLACE"
	// MayReplace is a change of which CloudFormation's specification says that it depends on the values.
	MayReplace Impact = "MAY_REPLACE"
	// Destroy removes the resource from the stack and from AWS.
	Destroy Impact = "WILL_DESTROY"
	// Orphan removes the resource from the stack and leaves it in AWS: its DeletionPolicy is Retain.
	Orphan Impact = "WILL_ORPHAN"
	// NoChange is a change that CloudFormation does not act on, for example of DependsOn.
	NoChange Impact = "NO_CHANGE"
)

// Pair is one stack before and after a change; an empty template stands for a stack that is not there.
type Pair struct {
	Old assembly.Template `json:"old"`
	New assembly.Template `json:"new"`
}

// Change is one value before and after.
type Change struct {
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
	// Impact of a property's change; empty for other values.
	Impact Impact `json:"impact,omitempty"`
}

// Resource is a resource that differs.
type Resource struct {
	// ID is the logical id.
	ID string `json:"id"`
	// Path is the construct path without its last element, "Resource" or "Default"; empty when the template has none.
	Path string `json:"path,omitempty"`
	// Type after the change, or before it when the resource goes.
	Type   string `json:"type"`
	Impact Impact `json:"impact"`
	// Properties that differ, by name.
	Properties map[string]Change `json:"properties,omitempty"`
	// Attributes that differ: DeletionPolicy, UpdateReplacePolicy, DependsOn, Condition.
	Attributes map[string]Change `json:"attributes,omitempty"`
	// Old and New are the whole resource; nil when it is not there.
	Old map[string]any `json:"-"`
	New map[string]any `json:"-"`
}

// Section is a change outside of the resources.
type Section struct {
	Section string `json:"section"`
	ID      string `json:"id"`
	Change
}

// Diff is what differs between the templates of a pair.
type Diff struct {
	Resources []Resource `json:"resources,omitempty"`
	Other     []Section  `json:"other,omitempty"`
	IAM       IAM        `json:"iam"`
	Groups    Groups     `json:"groups"`
}

// Empty tells whether nothing differs.
func (d Diff) Empty() bool { return len(d.Resources) == 0 && len(d.Other) == 0 }

// IAM is what comes and goes in policies.
type IAM struct {
	Added           []Statement     `json:"added,omitempty"`
	Removed         []Statement     `json:"removed,omitempty"`
	PoliciesAdded   []ManagedPolicy `json:"policiesAdded,omitempty"`
	PoliciesRemoved []ManagedPolicy `json:"policiesRemoved,omitempty"`
}

// Statement is a policy statement with its references written as ${LogicalId.Attribute}.
type Statement struct {
	Sid        string  `json:"sid,omitempty"`
	Effect     string  `json:"effect"`
	Actions    Targets `json:"actions"`
	Resources  Targets `json:"resources"`
	Principals Targets `json:"principals"`
	Condition  any     `json:"condition,omitempty"`
	Unparsed   string  `json:"unparsed,omitempty"` // the text of a statement that is an intrinsic function as a whole
}

// Targets are values, or with Not everything but them.
type Targets struct {
	Not    bool     `json:"not,omitempty"`
	Values []string `json:"values"`
}

// ManagedPolicy is a managed policy attached to an identity.
type ManagedPolicy struct {
	Identity string `json:"identityArn"`
	Policy   string `json:"managedPolicyArn"`
}

// Groups is what comes and goes in security groups.
type Groups struct {
	IngressAdded   []Rule `json:"ingressAdded,omitempty"`
	IngressRemoved []Rule `json:"ingressRemoved,omitempty"`
	EgressAdded    []Rule `json:"egressAdded,omitempty"`
	EgressRemoved  []Rule `json:"egressRemoved,omitempty"`
}

// Rule is one rule of a security group. Ports are numbers, or the text of a reference.
type Rule struct {
	Group    string `json:"groupId"`
	Protocol string `json:"ipProtocol"`
	From     any    `json:"fromPort,omitempty"`
	To       any    `json:"toPort,omitempty"`
	Peer     Peer   `json:"peer"`
}

// Peer is the other side of a rule; one of its fields is set.
type Peer struct {
	CIDR   string `json:"ip,omitempty"`
	Group  string `json:"securityGroupId,omitempty"`
	Prefix string `json:"prefixListId,omitempty"`
}

// Node runs the comparison.
type Node struct {
	// Bin is the Node.js program.
	Bin string
	// Root is the folder whose node_modules holds @aws-cdk/cloudformation-diff.
	Root string
}

// NodeOf returns the Node.js that package.json installs in root, or the one on the PATH.
func NodeOf(root string) Node {
	own := filepath.Join(root, "node_modules", ".bin", "node")
	if _, err := os.Stat(own); err != nil {
		own = "node"
	}
	return Node{Bin: own, Root: root}
}

// Compare returns what differs in each pair, in order. One process compares all of them: loading the resource
// specification takes half a second.
func (n Node) Compare(ctx context.Context, pairs []Pair) ([]Diff, error) {
	if len(pairs) == 0 {
		return nil, nil
	}
	root, err := filepath.Abs(n.Root)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(root, "node_modules", "@aws-cdk", "cloudformation-diff")); err != nil {
		return nil, fmt.Errorf("node_modules/@aws-cdk/cloudformation-diff: not found; run npm ci")
	}
	dir, err := os.MkdirTemp("", "gitops-diff-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	input, err := json.Marshal(pairs)
	if err != nil {
		return nil, err
	}
	program, data := filepath.Join(dir, "diff.mjs"), filepath.Join(dir, "pairs.json")
	if err := os.WriteFile(program, script, 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(data, input, 0o600); err != nil {
		return nil, err
	}
	return n.run(ctx, program, root, data)
}

// run starts the script and reads its answer.
func (n Node) run(ctx context.Context, program, root, data string) ([]Diff, error) {
	var out, errs bytes.Buffer
	command := exec.CommandContext(ctx, n.Bin, program, root, data)
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); err != nil {
		return nil, fmt.Errorf("compare templates: %w: %s", err, lastLine(errs.String()))
	}
	var answers []answer
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil {
		return nil, fmt.Errorf("compare templates: %w; @aws-cdk/cloudformation-diff must have the version of package.json, run npm ci", err)
	}
	diffs := make([]Diff, len(answers))
	for i, a := range answers {
		diffs[i] = a.diff()
	}
	return diffs, nil
}

// answer is what the script prints for a pair.
type answer struct {
	Diff
	Resources []struct {
		Resource
		OldType string         `json:"oldType"`
		NewType string         `json:"newType"`
		Old     map[string]any `json:"old"`
		New     map[string]any `json:"new"`
	} `json:"resources"`
}

// diff drops what CloudFormation does not act on and nobody reads: resources that differ in Metadata only.
func (a answer) diff() Diff {
	d := a.Diff
	d.Resources = nil
	for _, r := range a.Resources {
		resource := r.Resource
		resource.Old, resource.New = r.Old, r.New
		resource.Type = r.NewType
		if r.New == nil {
			resource.Type = r.OldType
		}
		resource.Path = constructPath(r.New)
		if r.New == nil {
			resource.Path = constructPath(r.Old)
		}
		if r.Old != nil && r.New != nil && len(r.Properties) == 0 && len(r.Attributes) == 0 && r.OldType == r.NewType {
			continue
		}
		if r.Old != nil && r.New != nil && r.OldType != r.NewType {
			// CloudFormation refuses to change a type; it is the end of one resource and the beginning of another.
			resource.Impact = Replace
		}
		d.Resources = append(d.Resources, resource)
	}
	return d
}

// constructPath is the CDK's name of a resource. The last element says only that it is the CloudFormation resource of its
// construct.
func constructPath(resource map[string]any) string {
	metadata, _ := resource["Metadata"].(map[string]any)
	path, _ := metadata["aws:cdk:path"].(string)
	return strings.TrimSuffix(strings.TrimSuffix(path, "/Resource"), "/Default")
}

// lastLine is the line of a Node.js error that says what is wrong.
func lastLine(text string) string {
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Error: ") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(text)
}
