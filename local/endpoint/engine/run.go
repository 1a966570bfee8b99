package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// errInterrupted ends an operation that the next start resumes.
var errInterrupted = errors.New("interrupted")

// run carries one stack's operation through its phases. It holds the engine's
// lock except while a handler works.
type run struct {
	e  *Engine
	st *Stack
}

func (r *run) operate() {
	defer r.e.lock()()
	for r.st.Operation != nil && r.e.ctx.Err() == nil {
		var err error
		switch r.st.Operation.Phase {
		case phaseForward:
			if err = r.forward(); err != nil && !errors.Is(err, errInterrupted) {
				r.failed(err)
				err = nil
			}
		case phaseCleanup, phaseRollbackCleanup:
			err = r.cleanup()
		case phaseRollback:
			err = r.rollback()
		case phaseDelete:
			err = r.deleteStack()
		default:
			return
		}
		if err != nil { // interrupted, or ended in a failed state
			return
		}
	}
}

// status moves the stack on and saves it.
func (r *run) status(s Status, reason string) {
	r.st.Status, r.st.Reason = s, reason
	r.st.event(r.e.now(), nil, s, reason)
	r.e.save(r.st)
	r.e.opt.Log.Info("stack", "name", r.st.Name, "status", s, "reason", reason)
}

// done ends the operation in a final status; the stack's reason keeps the
// cause of a rollback.
func (r *run) done(s Status) {
	cause := r.st.Operation.Cause
	r.status(s, "")
	r.st.Operation, r.st.Reason = nil, cause
	r.e.save(r.st)
}

func (r *run) forward() error {
	t, err := ParseTemplate(r.st.Template)
	if err != nil {
		return err
	}
	sc := r.e.scope(r.st, t, r.st.Parameters)
	order, err := sc.order()
	if err != nil {
		return err
	}
	for _, id := range order {
		if r.e.ctx.Err() != nil {
			return errInterrupted
		}
		if err := r.apply(sc, id); err != nil {
			return err
		}
	}
	return r.commit(sc, order)
}

// apply brings one resource to what the template says.
func (r *run) apply(sc *scope, id string) error {
	d := sc.template.Resources[id]
	typ, ok := r.e.opt.Lookup(d.Type)
	if !ok {
		return invalid("Unrecognized resource types: [%s]", d.Type)
	}
	step := &step{run: r, id: id, def: d, typ: typ, deps: sc.template.dependencies(id)}
	step.prev = r.st.Resources[id]
	props, err := sc.properties(id)
	if err != nil {
		return step.reject(err)
	}
	step.props = props
	switch {
	case step.prev == nil || step.prev.PhysicalID == "":
		return step.create()
	case step.prev.Status == CreateInProgress || step.prev.Status == CreateFailed:
		if err := step.clear(); err != nil {
			return err
		}
		return step.create()
	}
	return step.update()
}

// commit evaluates the outputs, checks the exports and ends the forward phase.
func (r *run) commit(sc *scope, order []string) error {
	outputs, err := sc.outputs()
	if err != nil {
		return err
	}
	if err := r.checkExports(outputs); err != nil {
		return err
	}
	st, op := r.st, r.st.Operation
	st.Outputs, st.Imports = outputs, sortedKeys(sc.imports)
	if op.Kind == kindCreate {
		r.done(CreateComplete)
		return nil
	}
	keep := map[string]bool{}
	for _, id := range order {
		keep[id] = true
	}
	for id, res := range st.Resources {
		if !keep[id] {
			op.Garbage = append(op.Garbage, res)
			delete(st.Resources, id)
		}
	}
	op.Garbage, op.Debris = dependentsFirst(append(op.Garbage, op.Debris...)), nil
	op.Phase, op.Before = phaseCleanup, nil
	r.status(UpdateCompleteCleanupInProgress, "")
	return nil
}

func (sc *scope) outputs() ([]Output, error) {
	var out []Output
	for _, key := range sortedKeys(sc.template.Outputs) {
		d := sc.template.Outputs[key]
		if d.Condition != "" {
			yes, err := sc.condition(d.Condition)
			if err != nil {
				return nil, err
			}
			if !yes {
				continue
			}
		}
		o := Output{Key: key, Description: d.Description}
		v, err := sc.evalText(d.Value)
		if err != nil {
			return nil, fmt.Errorf("output %s: %w", key, err)
		}
		o.Value = v
		if d.ExportName != nil {
			if o.Export, err = sc.evalText(d.ExportName); err != nil {
				return nil, fmt.Errorf("output %s: %w", key, err)
			}
		}
		out = append(out, o)
	}
	return out, nil
}

// checkExports refuses an export that another stack has, and the removal or
// change of one that another stack imports.
func (r *run) checkExports(outputs []Output) error {
	next := map[string]string{}
	for _, o := range outputs {
		if o.Export == "" {
			continue
		}
		next[o.Export] = o.Value
		for _, other := range r.e.stacks {
			if _, taken := other.export(o.Export); taken && other != r.st && other.live() {
				return invalid("Export with name %s is already exported by stack %s. Please use a different name.", o.Export, other.Name)
			}
		}
	}
	for _, o := range r.st.Outputs {
		if o.Export == "" {
			continue
		}
		v, still := next[o.Export]
		users := r.e.importers(o.Export, r.st)
		if len(users) == 0 || still && v == o.Value {
			continue
		}
		verb := "delete"
		if still {
			verb = "update"
		}
		return invalid("Cannot %s export %s as it is in use by %s.", verb, o.Export, strings.Join(users, ", "))
	}
	return nil
}

// failed turns a failed forward phase into a rollback, or pauses.
func (r *run) failed(cause error) {
	st, op := r.st, r.st.Operation
	var names []string
	verb := "create"
	for _, res := range values(st.Resources) {
		if res.Status == CreateFailed || res.Status == UpdateFailed {
			names = append(names, res.LogicalID)
			if res.Status == UpdateFailed {
				verb = "update"
			}
		}
	}
	reason := cause.Error()
	op.Cause = reason
	if len(names) > 0 {
		op.Cause = fmt.Sprintf("%s: %s", strings.Join(names, ", "), reason)
		reason = fmt.Sprintf("The following resource(s) failed to %s: [%s]. %s", verb, strings.Join(names, ", "), reason)
	}
	create := op.Kind == kindCreate
	switch {
	case op.OnFailure == "DO_NOTHING" && create:
		op.Phase = phasePaused
		r.status(CreateFailed, reason)
	case op.OnFailure == "DO_NOTHING":
		op.Phase = phasePaused
		r.status(UpdateFailed, reason)
	case create && op.OnFailure == "DELETE":
		op.Phase = phaseDelete
		r.status(DeleteInProgress, reason)
	case create:
		op.Phase = phaseRollback
		r.status(RollbackInProgress, reason)
	default:
		op.Phase = phaseRollback
		r.status(UpdateRollbackInProgress, reason)
	}
}

// call runs a handler without the lock and turns a panic into an error.
func (r *run) call(f func(ctx context.Context) error) (err error) {
	r.e.mu.Unlock()
	defer r.e.mu.Lock()
	defer func() {
		if p := recover(); p != nil {
			r.e.opt.Log.Error("a resource handler panicked", "stack", r.st.Name, "panic", p)
			err = fmt.Errorf("the handler failed: %v", p)
		}
	}()
	return f(r.e.ctx)
}

// request makes what a handler gets to know.
func (r *run) request(res *Resource) *resources.Request {
	tags := maps.Clone(r.st.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags["aws:cloudformation:stack-name"] = r.st.Name
	tags["aws:cloudformation:stack-id"] = r.st.ID
	tags["aws:cloudformation:logical-id"] = res.LogicalID
	st, id, generation := &Stack{ID: r.st.ID, Name: r.st.Name}, res.LogicalID, res.Generation
	return &resources.Request{
		Services: r.e.opt.Services, StackName: st.Name, StackID: st.ID, LogicalID: id, Type: res.Type, Tags: tags,
		Name: func(limit int, lower bool) string { return physicalName(st, id, generation, limit, lower) },
	}
}
