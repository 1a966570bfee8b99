package engine

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

type changeSetIDs struct {
	ID      string `xml:"Id"`
	StackID string `xml:"StackId"`
}

type stackIDs struct {
	StackID string `xml:"StackId"`
}

// previous returns the version that a request starts from: the stack's, if it
// exists and was ever made.
func (e *Engine) previous(name string) *Version {
	defer e.lock()()
	st, ok := e.find(name)
	if !ok || st.Status == ReviewInProgress {
		return nil
	}
	v := st.Version
	return &v
}

// stackName is what CloudFormation accepts as a name.
var stackName = regexp.MustCompile(`^[a-zA-Z][-a-zA-Z0-9]{0,127}$`)

func checkName(field, value string) error {
	if !stackName.MatchString(value) {
		return invalid("1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*, at most 128 characters", value, field)
	}
	return nil
}

func (e *Engine) newStack(name string, status Status) *Stack {
	st := &Stack{
		ID:   fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/%s", e.opt.Region, e.opt.Account, name, newUUID()),
		Name: name, Created: e.now(), Status: status, Resources: map[string]*Resource{}, ChangeSets: map[string]*ChangeSet{},
	}
	return st
}

func (e *Engine) createChangeSet(ctx context.Context, f form) (any, error) {
	name, kind := f.get("StackName"), f.get("ChangeSetType")
	if kind == "" {
		kind = kindUpdate
	}
	if kind != kindUpdate && kind != kindCreate {
		return nil, invalid("ChangeSetType %s is not supported by the local CloudFormation stand-in", kind)
	}
	if mode := f.get("DeploymentMode"); mode != "" {
		return nil, invalid("DeploymentMode %s is not supported by the local CloudFormation stand-in", mode)
	}
	if err := checkName("changeSetName", f.get("ChangeSetName")); err != nil {
		return nil, err
	}
	next, err := e.prepare(ctx, f, e.previous(name))
	if err != nil {
		return nil, err
	}
	defer e.lock()()
	st, exists := e.find(name)
	if err := canChange(st, exists, kind, name); err != nil {
		return nil, err
	}
	if !exists {
		if err := checkName("stackName", name); err != nil {
			return nil, err
		}
		st = e.newStack(name, ReviewInProgress)
	}
	cs, err := e.newChangeSet(st, next, f, kind)
	if err != nil {
		return nil, err
	}
	if !exists {
		e.stacks[st.ID] = st
		st.event(e.now(), nil, ReviewInProgress, "User Initiated")
	}
	st.ChangeSets[cs.ID] = cs
	e.save(st)
	return changeSetIDs{cs.ID, st.ID}, nil
}

// newChangeSet plans a request.
func (e *Engine) newChangeSet(st *Stack, next *request, f form, kind string) (*ChangeSet, error) {
	cs := &ChangeSet{
		ID:   fmt.Sprintf("arn:aws:cloudformation:%s:%s:changeSet/%s/%s", e.opt.Region, e.opt.Account, f.get("ChangeSetName"), newUUID()),
		Name: f.get("ChangeSetName"), Description: f.get("Description"), Type: kind, Created: e.now(),
		Status: "CREATE_COMPLETE", Execution: "AVAILABLE", OnFailure: next.onFailure, Version: next.Version,
	}
	for _, other := range st.ChangeSets {
		if other.Name == cs.Name {
			return nil, apiError(http.StatusBadRequest, "AlreadyExistsException", "ChangeSet %s already exists", cs.ID)
		}
	}
	changes, err := e.plan(st, next)
	if err != nil {
		return nil, err
	}
	cs.Changes = changes
	if kind == kindUpdate && len(changes) == 0 && unchanged(st, next) && st.Status != UpdateFailed && st.Status != CreateFailed {
		cs.Status, cs.Execution, cs.Reason = "FAILED", "UNAVAILABLE", noChanges
	}
	return cs, nil
}

func canChange(st *Stack, exists bool, kind, name string) error {
	switch {
	case kind == kindCreate && exists && st.Status != ReviewInProgress:
		return apiError(http.StatusBadRequest, "AlreadyExistsException", "Stack [%s] already exists and cannot be created again with the changeSet [%s].", st.Name, kind)
	case kind == kindUpdate && !exists:
		return invalid("Stack [%s] does not exist", name)
	case kind == kindUpdate && !st.Status.updatable():
		return invalid("Stack:%s is in %s state and can not be updated.", st.ID, st.Status)
	}
	return nil
}

// findChangeSet finds a change set by its ARN, or by its name in a stack.
func (e *Engine) findChangeSet(f form) (*Stack, *ChangeSet, error) {
	name, stack := f.get("ChangeSetName"), f.get("StackName")
	for _, st := range e.sorted() {
		if stack != "" && st.ID != stack && (st.Name != stack || !st.live()) {
			continue
		}
		for _, cs := range st.changeSets() {
			if cs.ID == name || stack != "" && cs.Name == name {
				return st, cs, nil
			}
		}
	}
	return nil, nil, apiError(http.StatusNotFound, "ChangeSetNotFound", "ChangeSet [%s] does not exist", name)
}

func (e *Engine) executeChangeSet(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, cs, err := e.findChangeSet(f)
	if err != nil {
		return nil, err
	}
	if cs.Execution != "AVAILABLE" {
		return nil, apiError(http.StatusBadRequest, "InvalidChangeSetStatus", "ChangeSet [%s] cannot be executed in its current status of [%s]", cs.ID, cs.Status)
	}
	if err := canChange(st, true, cs.Type, st.Name); err != nil {
		return nil, err
	}
	onFailure := cs.OnFailure
	if f.flag("DisableRollback") {
		onFailure = "DO_NOTHING"
	}
	st.ChangeSets = map[string]*ChangeSet{} // the others were made for a state that is gone
	e.begin(st, cs.Version, onFailure, f.get("ClientRequestToken"))
	return nil, nil
}

// begin starts creating or updating a stack to a version.
func (e *Engine) begin(st *Stack, v Version, onFailure, token string) {
	create := st.Status == ReviewInProgress || st.Status == CreateInProgress
	op := &Operation{Kind: kindUpdate, Phase: phaseForward, Token: token, OnFailure: onFailure, Previous: st.Version, Before: cloneResources(st.Resources)}
	if failed := st.Operation; failed != nil && failed.Phase == phasePaused {
		// A rollback returns to the last state that was whole.
		op.Previous, op.Before, op.Debris, op.Garbage = failed.Previous, failed.Before, failed.Debris, failed.Garbage
	}
	status := UpdateInProgress
	if create {
		op.Kind, op.Before, status = kindCreate, nil, CreateInProgress
	} else {
		now := e.now()
		st.Updated = &now
	}
	op.Started = e.now()
	st.Operation, st.Version, st.Status, st.Reason = op, v, status, ""
	st.event(e.now(), nil, status, "User Initiated")
	e.save(st)
	e.start(st, nil)
}

func (e *Engine) deleteChangeSet(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, cs, err := e.findChangeSet(f)
	if err != nil {
		if stack := f.get("StackName"); stack != "" {
			if _, err := e.mustFind(stack); err != nil {
				return nil, err
			}
		}
		return nil, nil // deleting what is gone succeeds, as in the service
	}
	delete(st.ChangeSets, cs.ID)
	e.save(st)
	return nil, nil
}

func (e *Engine) createStack(ctx context.Context, f form) (any, error) {
	name := f.get("StackName")
	if err := checkName("stackName", name); err != nil {
		return nil, err
	}
	next, err := e.prepare(ctx, f, nil)
	if err != nil {
		return nil, err
	}
	defer e.lock()()
	st, exists := e.find(name)
	if exists && st.Status != ReviewInProgress {
		return nil, apiError(http.StatusBadRequest, "AlreadyExistsException", "Stack [%s] already exists", name)
	}
	if !exists {
		st = e.newStack(name, CreateInProgress)
	}
	if _, err := e.plan(st, next); err != nil {
		return nil, err
	}
	e.stacks[st.ID] = st
	st.TerminationProtection = next.terminationProtection
	onFailure := next.onFailure
	if f.flag("DisableRollback") {
		onFailure = "DO_NOTHING"
	}
	e.begin(st, next.Version, onFailure, f.get("ClientRequestToken"))
	return stackIDs{st.ID}, nil
}

func (e *Engine) updateStack(ctx context.Context, f form) (any, error) {
	name := f.get("StackName")
	next, err := e.prepare(ctx, f, e.previous(name))
	if err != nil {
		return nil, err
	}
	defer e.lock()()
	st, exists := e.find(name)
	if err := canChange(st, exists, kindUpdate, name); err != nil {
		return nil, err
	}
	changes, err := e.plan(st, next)
	if err != nil {
		return nil, err
	}
	if len(changes) == 0 && unchanged(st, next) {
		return nil, invalid("No updates are to be performed.")
	}
	onFailure := ""
	if f.flag("DisableRollback") {
		onFailure = "DO_NOTHING"
	}
	st.ChangeSets = map[string]*ChangeSet{}
	e.begin(st, next.Version, onFailure, f.get("ClientRequestToken"))
	return stackIDs{st.ID}, nil
}

func (e *Engine) deleteStackAction(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, ok := e.find(f.get("StackName"))
	if !ok || !st.live() {
		return nil, nil //nolint:nilnil // deleting what is gone succeeds, as in the service
	}
	switch {
	case st.TerminationProtection:
		return nil, invalid("Stack [%s] cannot be deleted while TerminationProtection is enabled", st.Name)
	case st.Status == DeleteInProgress:
		return nil, nil
	case st.Status.running():
		return nil, invalid("Stack [%s] cannot be deleted while in status %s", st.ID, st.Status)
	}
	op := &Operation{Kind: kindDelete, Phase: phaseDelete, Token: f.get("ClientRequestToken"), Started: e.now(), Retain: f.list("RetainResources"), Force: f.get("DeletionMode") == "FORCE_DELETE_STACK"}
	if failed := st.Operation; failed != nil {
		op.Before, op.Debris = failed.Before, append(failed.Debris, failed.Garbage...)
	}
	was := st.Status
	for _, o := range st.Outputs {
		if users := e.importers(o.Export, st); o.Export != "" && len(users) > 0 {
			reason := fmt.Sprintf("Delete canceled. Cannot delete export %s as it is in use by %s.", o.Export, strings.Join(users, ", "))
			st.event(e.now(), nil, DeleteInProgress, "User Initiated")
			st.event(e.now(), nil, was, reason)
			st.Reason = reason
			e.save(st)
			return nil, nil
		}
	}
	st.Operation, st.Status, st.Reason = op, DeleteInProgress, ""
	st.event(e.now(), nil, DeleteInProgress, "User Initiated")
	e.save(st)
	e.start(st, nil)
	return nil, nil
}

func (e *Engine) rollbackStack(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	if st.Operation == nil || st.Status != CreateFailed && st.Status != UpdateFailed {
		return nil, invalid("Stack [%s] is in %s state and cannot be rolled back", st.ID, st.Status)
	}
	st.Status = UpdateRollbackInProgress
	if st.Operation.Kind == kindCreate {
		st.Status = RollbackInProgress
	}
	return e.goBack(st, f)
}

func (e *Engine) continueUpdateRollback(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	if st.Operation == nil || st.Status != UpdateRollbackFailed {
		return nil, invalid("Stack [%s] is in %s state and its rollback cannot be continued", st.ID, st.Status)
	}
	st.Operation.Skip, st.Operation.Force = map[string]bool{}, f.flag("ForceRollback")
	for _, id := range f.list("ResourcesToSkip") {
		st.Operation.Skip[id] = true
	}
	st.Status = UpdateRollbackInProgress
	return e.goBack(st, f)
}

func (e *Engine) goBack(st *Stack, f form) (any, error) {
	st.Operation.Phase, st.Operation.Token = phaseRollback, f.get("ClientRequestToken")
	st.event(e.now(), nil, st.Status, "User Initiated")
	e.save(st)
	e.start(st, nil)
	return stackIDs{st.ID}, nil
}

func (e *Engine) updateTerminationProtection(_ context.Context, f form) (any, error) {
	defer e.lock()()
	st, err := e.mustFind(f.get("StackName"))
	if err != nil {
		return nil, err
	}
	st.TerminationProtection = f.flag("EnableTerminationProtection")
	e.save(st)
	return stackIDs{st.ID}, nil
}
