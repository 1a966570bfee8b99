package engine

import (
	"context"
	"encoding/json"
	"maps"
	"time"
)

// ChangeSet is a planned change of a stack.
type ChangeSet struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Type        string    `json:"type"` // CREATE or UPDATE
	Created     time.Time `json:"created"`
	Status      string    `json:"status"`    // CREATE_COMPLETE or FAILED
	Execution   string    `json:"execution"` // AVAILABLE or UNAVAILABLE
	Reason      string    `json:"reason,omitempty"`
	OnFailure   string    `json:"onFailure,omitempty"`
	Version
	Changes []Change `json:"changes,omitempty"`
}

// Change is what a change set does to one resource.
type Change struct {
	Action      string   `json:"action"` // Add, Modify or Remove
	LogicalID   string   `json:"logicalId"`
	PhysicalID  string   `json:"physicalId,omitempty"`
	Type        string   `json:"type"`
	Replacement string   `json:"replacement,omitempty"`  // True, Conditional or False
	Policy      string   `json:"policyAction,omitempty"` // Delete, Retain, Snapshot, ReplaceAndDelete, …
	Scope       []string `json:"scope,omitempty"`
	Details     []Detail `json:"details,omitempty"`
	Before      string   `json:"before,omitempty"` // JSON of the properties
	After       string   `json:"after,omitempty"`
}

// Detail is one changed attribute or property.
type Detail struct {
	Attribute  string `json:"attribute"` // Properties, Metadata, DeletionPolicy, UpdateReplacePolicy, Tags
	Name       string `json:"name,omitempty"`
	Recreation string `json:"recreation,omitempty"` // Never, Conditionally or Always
	Evaluation string `json:"evaluation"`           // Static or Dynamic
	Source     string `json:"source,omitempty"`
	Kind       string `json:"kind,omitempty"` // Add, Modify or Remove
	Before     string `json:"before,omitempty"`
	After      string `json:"after,omitempty"`
}

const noChanges = "The submitted information didn't contain changes. Submit different information to create a change set."

// request is a create or update request, read and checked.
type request struct {
	stackName string
	template  *Template
	Version
	terminationProtection bool
	onFailure             string
}

// prepare reads the template and the parameters of a request against the
// stack that it is for, which may be nil. It calls other services, so it runs
// without the lock, on a copy of the stack's version.
func (e *Engine) prepare(ctx context.Context, f form, previous *Version) (*request, error) {
	body, err := e.templateBody(ctx, f, previous)
	if err != nil {
		return nil, err
	}
	t, err := ParseTemplate(body)
	if err != nil {
		return nil, err
	}
	if err := e.checkTypes(t); err != nil {
		return nil, err
	}
	var old map[string]ParameterValue
	if previous != nil {
		old = previous.Parameters
	}
	parameters, err := t.resolveParameters(ctx, e.opt.Values, f.parameters(), old)
	if err != nil {
		return nil, err
	}
	r := &request{stackName: f.get("StackName"), template: t}
	r.Version = Version{
		Template: body, Parameters: parameters, RoleARN: f.get("RoleARN"),
		Notify: f.list("NotificationARNs"), Caps: f.list("Capabilities"), Tags: f.tags(),
	}
	if previous != nil {
		if r.RoleARN == "" {
			r.RoleARN = previous.RoleARN
		}
		if !f.has("Tags") {
			r.Tags = previous.Tags
		}
	}
	r.terminationProtection = f.flag("EnableTerminationProtection")
	r.onFailure = f.get("OnStackFailure")
	if r.onFailure == "" {
		r.onFailure = f.get("OnFailure")
	}
	return r, nil
}

// plan lists what a new version changes in a stack.
func (e *Engine) plan(st *Stack, next *request) ([]Change, error) {
	sc := e.scope(st, next.template, next.Parameters)
	order, err := sc.order()
	if err != nil {
		return nil, err
	}
	var old *Template
	if st.Template != "" {
		if old, err = ParseTemplate(st.Template); err != nil {
			return nil, err
		}
	}
	var out []Change
	kept := map[string]bool{}
	for _, id := range order {
		kept[id] = true
		p := planner{scope: sc, id: id, def: next.template.Resources[id], prev: st.Resources[id], old: old}
		p.typ, _ = e.opt.Lookup(p.def.Type)
		p.tags = !maps.Equal(st.Tags, next.Tags) && takesTags(p.typ)
		change, err := p.change()
		if err != nil {
			return nil, err
		}
		if change != nil {
			out = append(out, *change)
		}
	}
	for _, res := range dependentsFirst(values(st.Resources)) {
		if !kept[res.LogicalID] {
			out = append(out, Change{
				Action: "Remove", LogicalID: res.LogicalID, PhysicalID: res.PhysicalID, Type: res.Type,
				Policy: policyAction(res.Deletion), Before: contextJSON(res.Properties),
			})
		}
	}
	if _, err := sc.outputs(); err != nil {
		return nil, err
	}
	return out, nil
}

func policyAction(policy string) string {
	switch policy {
	case "Retain", "RetainExceptOnCreate":
		return "Retain"
	case "Snapshot":
		return "Snapshot"
	}
	return "Delete"
}

func contextJSON(props map[string]any) string {
	b, err := json.Marshal(map[string]any{"Properties": props})
	if err != nil {
		return ""
	}
	return string(b)
}

// unchanged reports whether a request says exactly what the stack has.
func unchanged(st *Stack, next *request) bool {
	if st.Template == "" || !maps.Equal(st.Tags, next.Tags) || len(st.Parameters) != len(next.Parameters) {
		return false
	}
	for id, p := range next.Parameters {
		if st.Parameters[id].Value != p.Value {
			return false
		}
	}
	old, err := parseTree(st.Template)
	return err == nil && equal(old, next.template.tree)
}
