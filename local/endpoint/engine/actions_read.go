package engine

import (
	"context"
	"slices"
)

// pageSize bounds a page of events; the other lists are one page.
const pageSize = 100

func (e *Engine) describeStacks(_ context.Context, f form) (any, error) {
	defer e.lock()()
	var out struct {
		Stacks []stackShape `xml:"Stacks>member"`
	}
	if name := f.get("StackName"); name != "" {
		st, err := e.mustFind(name)
		if err != nil {
			return nil, err
		}
		out.Stacks = append(out.Stacks, st.shape())
		return out, nil
	}
	for _, st := range e.sorted() {
		if st.live() {
			out.Stacks = append(out.Stacks, st.shape())
		}
	}
	return out, nil
}

func (e *Engine) listStacks(_ context.Context, f form) (any, error) {
	defer e.lock()()
	type summary struct {
		StackID           string `xml:"StackId"`
		StackName         string
		CreationTime      stamp
		LastUpdatedTime   *stamp `xml:",omitempty"`
		DeletionTime      *stamp `xml:",omitempty"`
		StackStatus       Status
		StackStatusReason string `xml:",omitempty"`
		DriftInformation  driftShape
	}
	var out struct {
		StackSummaries []summary `xml:"StackSummaries>member"`
	}
	filter := f.list("StackStatusFilter")
	for _, st := range e.sorted() {
		if len(filter) > 0 && !slices.Contains(filter, string(st.Status)) {
			continue
		}
		out.StackSummaries = append(out.StackSummaries, summary{st.ID, st.Name, stamp(st.Created), stampOf(st.Updated), stampOf(st.Deleted), st.Status, st.Reason, driftShape{"NOT_CHECKED"}})
	}
	return out, nil
}

// page cuts one page out of a stack's events, newest first. The token is the
// last event's ID, so that events that arrive meanwhile shift nothing.
func page(list []eventShape, f form) (out []eventShape, next string) {
	if token := f.get("NextToken"); token != "" {
		list = list[slices.IndexFunc(list, func(e eventShape) bool { return e.EventID == token })+1:]
	}
	if len(list) <= pageSize {
		return list, ""
	}
	return list[:pageSize], list[pageSize-1].EventID
}

func (e *Engine) describeStackEvents(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, ok := e.find(f.get("StackName"))
	if !ok {
		return nil, invalid("Stack [%s] does not exist", f.get("StackName"))
	}
	var out struct {
		StackEvents []eventShape `xml:"StackEvents>member"`
		NextToken   string       `xml:",omitempty"`
	}
	out.StackEvents, out.NextToken = page(st.eventShapes(), f)
	return out, nil
}

// describeEvents answers with the stack's events. Those of a change set are
// its validation's, and what the stand-in refuses it refuses at once.
func (e *Engine) describeEvents(_ context.Context, f form) (any, error) {
	defer e.lock()()
	type operationEvent struct {
		EventID              string `xml:"EventId"`
		StackID              string `xml:"StackId"`
		EventType            string
		LogicalResourceID    string `xml:"LogicalResourceId"`
		PhysicalResourceID   string `xml:"PhysicalResourceId"`
		ResourceType         string
		Timestamp            stamp
		ResourceStatus       Status
		ResourceStatusReason string `xml:",omitempty"`
	}
	var out struct {
		OperationEvents []operationEvent `xml:"OperationEvents>member"`
		NextToken       string           `xml:",omitempty"`
	}
	if f.get("ChangeSetName") != "" {
		return out, nil
	}
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	events, next := page(st.eventShapes(), f)
	out.NextToken = next
	for _, v := range events {
		out.OperationEvents = append(out.OperationEvents, operationEvent{v.EventID, v.StackID, "STACK_EVENT", v.LogicalResourceID, v.PhysicalResourceID, v.ResourceType, v.Timestamp, v.ResourceStatus, v.ResourceStatusReason})
	}
	return out, nil
}

func (e *Engine) describeStackResources(_ context.Context, f form) (any, error) {
	defer e.lock()()
	var out struct {
		StackResources []resourceShape `xml:"StackResources>member"`
	}
	id, physical := f.get("LogicalResourceId"), f.get("PhysicalResourceId")
	stacks := e.sorted()
	if physical == "" || f.get("StackName") != "" {
		st, err := e.mustFind(f.get("StackName"))
		if err != nil {
			return nil, err
		}
		stacks = []*Stack{st}
	}
	for _, st := range stacks {
		out.StackResources = append(out.StackResources, st.resourceShapes(func(r *Resource) bool {
			return (id == "" || r.LogicalID == id) && (physical == "" || r.PhysicalID == physical)
		})...)
	}
	if len(out.StackResources) == 0 && id+physical != "" {
		return nil, invalid("Stack for %s%s does not exist", id, physical)
	}
	return out, nil
}

func (e *Engine) describeStackResource(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	id := f.get("LogicalResourceId")
	list := st.resourceShapes(func(r *Resource) bool { return r.LogicalID == id })
	if len(list) == 0 {
		return nil, invalid("Resource %s does not exist for stack %s", id, st.Name)
	}
	return struct{ StackResourceDetail resourceShape }{list[0]}, nil
}

func (e *Engine) listStackResources(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	var out struct {
		StackResourceSummaries []resourceShape `xml:"StackResourceSummaries>member"`
	}
	out.StackResourceSummaries = st.resourceShapes(func(*Resource) bool { return true })
	return out, nil
}

func (e *Engine) describeChangeSet(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, cs, err := e.findChangeSet(f)
	if err != nil {
		return nil, err
	}
	return cs.shape(st, f.flag("IncludePropertyValues")), nil
}

func (e *Engine) listChangeSets(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	type summary struct {
		StackID                               string `xml:"StackId"`
		StackName                             string
		ChangeSetID                           string `xml:"ChangeSetId"`
		ChangeSetName                         string
		ExecutionStatus, Status, StatusReason string
		CreationTime                          stamp
		Description                           string `xml:",omitempty"`
	}
	var out struct {
		Summaries []summary `xml:"Summaries>member"`
	}
	for _, cs := range st.changeSets() {
		out.Summaries = append(out.Summaries, summary{st.ID, st.Name, cs.ID, cs.Name, cs.Execution, cs.Status, cs.Reason, stamp(cs.Created), cs.Description})
	}
	return out, nil
}

func (e *Engine) getTemplate(_ context.Context, f form) (any, error) {
	defer e.lock()()
	out := struct {
		TemplateBody    string
		StagesAvailable []string `xml:"StagesAvailable>member"`
	}{StagesAvailable: []string{"Original", "Processed"}}
	if f.get("ChangeSetName") != "" {
		_, cs, err := e.findChangeSet(f)
		if err != nil {
			return nil, err
		}
		out.TemplateBody = cs.Template
		return out, nil
	}
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	out.TemplateBody = st.Template
	if out.TemplateBody == "" {
		out.TemplateBody = "{}"
	}
	return out, nil
}

func (e *Engine) getTemplateSummary(ctx context.Context, f form) (any, error) {
	var previous *Version
	if name := f.get("StackName"); name != "" {
		if previous = e.previous(name); previous == nil {
			return nil, invalid("Stack with id %s does not exist", name)
		}
	}
	body, err := e.templateBody(ctx, f, previous)
	if err != nil {
		return nil, err
	}
	t, err := ParseTemplate(body)
	if err != nil {
		return nil, err
	}
	type declaration struct {
		ParameterKey, ParameterType string
		DefaultValue                string `xml:",omitempty"`
		NoEcho                      bool
		Description                 string `xml:",omitempty"`
	}
	var out struct {
		Parameters    []declaration `xml:"Parameters>member"`
		Description   string        `xml:",omitempty"`
		ResourceTypes []string      `xml:"ResourceTypes>member"`
	}
	for _, id := range sortedKeys(t.Parameters) {
		p := t.Parameters[id]
		out.Parameters = append(out.Parameters, declaration{id, p.Type, text(p.Default), p.NoEcho, p.Description})
	}
	types := map[string]bool{}
	for _, d := range t.Resources {
		types[d.Type] = true
	}
	out.Description, out.ResourceTypes = t.Description, sortedKeys(types)
	return out, nil
}

func (e *Engine) listExports(_ context.Context, _ form) (any, error) {
	defer e.lock()()
	type export struct {
		ExportingStackID string `xml:"ExportingStackId"`
		Name, Value      string
	}
	var out struct {
		Exports []export `xml:"Exports>member"`
	}
	for _, st := range e.sorted() {
		for _, o := range st.Outputs {
			if o.Export != "" && st.live() {
				out.Exports = append(out.Exports, export{st.ID, o.Export, o.Value})
			}
		}
	}
	return out, nil
}

func (e *Engine) listImports(_ context.Context, f form) (any, error) {
	defer e.lock()()
	name := f.get("ExportName")
	users := e.importers(name, nil)
	if len(users) == 0 {
		return nil, invalid("Export '%s' is not imported by any stack.", name)
	}
	return struct {
		Imports []string `xml:"Imports>member"`
	}{users}, nil
}
