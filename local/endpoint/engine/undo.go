package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// remove calls the type's Delete. Nothing is kept of what a failed operation made.
func (r *run) remove(res *Resource, undo bool) error {
	typ, ok := r.e.opt.Lookup(res.Type)
	if !ok {
		return fmt.Errorf("no handler for %s", res.Type)
	}
	if res.PhysicalID == "" || typ.Delete == nil {
		return nil
	}
	props := res.Properties
	if props == nil {
		props = res.Attempt
	}
	req, id := r.request(res), res.PhysicalID
	req.Snapshot = res.Deletion == "Snapshot" && !undo
	return r.call(func(ctx context.Context) error {
		resolved, err := r.resolved(ctx, props)
		if err != nil {
			resolved = props // the secret may be gone already
		}
		return typ.Delete(ctx, req, id, resolved)
	})
}

// discard deletes one resource with its events. Kept resources are skipped:
// Retain always, RetainExceptOnCreate unless its creation is undone.
func (r *run) discard(res *Resource, undo bool) error {
	st := r.st
	if res.Deletion == "Retain" || res.Deletion == "RetainExceptOnCreate" && !undo || slices.Contains(st.Operation.Retain, res.LogicalID) {
		st.event(r.e.now(), res, DeleteSkipped, "")
		return nil
	}
	if res.PhysicalID == "" {
		switch res.Status {
		case CreateInProgress:
			st.event(r.e.now(), res, DeleteSkipped, "Its creation was interrupted before its physical ID was known; it may exist")
		case CreateFailed:
			st.event(r.e.now(), res, DeleteComplete, "")
		}
		return nil
	}
	reason := ""
	if typ, _ := r.e.opt.Lookup(res.Type); res.Deletion == "Snapshot" && (typ == nil || !typ.Snapshots) {
		reason = "Deletion policy Snapshot: the local stand-in deletes without a snapshot"
	}
	st.event(r.e.now(), res, DeleteInProgress, reason)
	r.e.save(st)
	if err := r.remove(res, undo); err != nil {
		if r.e.ctx.Err() != nil {
			return errInterrupted
		}
		st.event(r.e.now(), res, DeleteFailed, err.Error())
		return err
	}
	st.event(r.e.now(), res, DeleteComplete, "")
	return nil
}

// cleanup deletes what a finished or rolled back update left over. As in the
// service, a failure is an event and no reason to stop.
func (r *run) cleanup() error {
	op := r.st.Operation
	back := op.Phase == phaseRollbackCleanup
	for len(op.Garbage) > 0 {
		if err := r.discard(op.Garbage[0], back); err != nil && r.e.ctx.Err() != nil {
			return errInterrupted
		}
		op.Garbage = op.Garbage[1:]
		r.e.save(r.st)
	}
	if back {
		r.done(UpdateRollbackComplete)
	} else {
		r.done(UpdateComplete)
	}
	return nil
}

// rollback puts a stack back to what it was before the operation.
func (r *run) rollback() error {
	st, op := r.st, r.st.Operation
	if op.Kind == kindCreate {
		return r.rollbackCreate()
	}
	st.Version = op.Previous
	if op.Restored == nil {
		op.Restored = map[string]bool{}
	}
	for _, before := range dependenciesFirst(op.Before) {
		if op.Restored[before.LogicalID] {
			continue
		}
		if err := r.restore(before); err != nil {
			if r.e.ctx.Err() != nil {
				return errInterrupted
			}
			op.Cause = fmt.Sprintf("%s; the rollback failed: %s: %v", op.Cause, before.LogicalID, err)
			r.status(UpdateRollbackFailed, fmt.Sprintf("The following resource(s) failed to update: [%s]. %v", before.LogicalID, err))
			return err
		}
		op.Restored[before.LogicalID] = true
	}
	op.Garbage = op.Debris
	for id, res := range st.Resources {
		if _, was := op.Before[id]; !was {
			op.Garbage = append(op.Garbage, res)
			delete(st.Resources, id)
		}
	}
	op.Garbage, op.Debris, op.Before = dependentsFirst(op.Garbage), nil, nil
	op.Phase = phaseRollbackCleanup
	r.status(UpdateRollbackCleanupInProgress, "")
	return nil
}

// restore brings one resource back to its state before the update.
func (r *run) restore(before *Resource) error {
	st, op := r.st, r.st.Operation
	now, there := st.Resources[before.LogicalID]
	back := before.clone()
	back.Attempt, back.Reason = nil, ""
	if back.Status == UpdateFailed || back.Status == UpdateInProgress {
		back.Status = UpdateComplete
	}
	switch {
	case !there || now.PhysicalID != before.PhysicalID:
		if there {
			made := now.clone()
			made.Deletion = ""
			op.Debris = append(op.Debris, made)
		}
	case now.Attempt == nil && equal(now.Properties, before.Properties) && !now.Updated.After(op.Started):
		st.Resources[before.LogicalID] = back
		return nil
	case op.Skip[before.LogicalID]:
	default:
		if err := r.revert(now, before); err != nil {
			if r.e.ctx.Err() != nil || !op.Force {
				return err
			}
		}
	}
	back.Status, back.Updated = UpdateComplete, r.e.now()
	st.Resources[before.LogicalID] = back
	st.event(back.Updated, back, UpdateComplete, "")
	r.e.save(st)
	return nil
}

// revert calls Update from what was attempted to what was before.
func (r *run) revert(now, before *Resource) error {
	from := now.Attempt
	if from == nil {
		from = now.Properties
	}
	if typ, ok := r.e.opt.Lookup(now.Type); !ok || typ.Update == nil {
		return nil // only a replacement could have changed it, and that one did not happen
	}
	if now.Status == UpdateFailed && equal(from, before.Properties) {
		return nil // it failed before a handler saw it
	}
	r.st.event(r.e.now(), now, UpdateInProgress, "")
	result, err := r.change(now, from, before.Properties)
	if err == nil && result.ID != "" {
		before.Attributes = result.Attributes
		return nil
	}
	if err != nil && r.e.ctx.Err() == nil {
		now.Status, now.Reason = UpdateFailed, err.Error()
		r.st.event(r.e.now(), now, UpdateFailed, err.Error())
	}
	return err
}

func (r *run) rollbackCreate() error {
	failed, err := r.deleteAll(true)
	switch {
	case err != nil:
		return err
	case len(failed) > 0:
		r.st.Operation.Phase = phasePaused
		r.status(RollbackFailed, "The following resource(s) failed to delete: ["+strings.Join(failed, ", ")+"].")
		return errInterrupted
	}
	r.done(RollbackComplete)
	return nil
}

// deleteAll deletes the stack's resources, dependents first. A resource on
// which a failed one depends stays. It returns the names of the failed ones.
func (r *run) deleteAll(undo bool) (failed []string, err error) {
	blocked := map[string]bool{}
	for _, res := range dependentsFirst(values(r.st.Resources)) {
		if r.e.ctx.Err() != nil {
			return nil, errInterrupted
		}
		if !blocked[res.LogicalID] {
			err := r.discard(res, undo)
			if err == nil {
				delete(r.st.Resources, res.LogicalID)
				r.e.save(r.st)
				continue
			}
			if r.e.ctx.Err() != nil {
				return nil, errInterrupted
			}
			failed = append(failed, res.LogicalID)
			res.Status, res.Reason = DeleteFailed, err.Error()
			r.e.save(r.st)
		}
		for _, dep := range res.DependsOn {
			blocked[dep] = true
		}
	}
	return failed, nil
}

func (r *run) deleteStack() error {
	st, op := r.st, r.st.Operation
	if op.Kind == kindDelete {
		// Half-made replacements and leftovers of an update that failed.
		for id, res := range op.Before {
			if now, there := st.Resources[id]; !there || now.PhysicalID != res.PhysicalID {
				op.Debris = append(op.Debris, res)
			}
		}
		op.Before = nil
		for len(op.Debris) > 0 {
			if err := r.discard(op.Debris[0], true); err != nil && r.e.ctx.Err() != nil {
				return errInterrupted
			}
			op.Debris = op.Debris[1:]
		}
	}
	failed, err := r.deleteAll(false)
	switch {
	case err != nil:
		return err
	case len(failed) > 0 && !op.Force:
		r.status(DeleteFailed, "The following resource(s) failed to delete: ["+strings.Join(failed, ", ")+"].")
		st.Operation = nil
		r.e.save(st)
		return errInterrupted
	}
	now := r.e.now()
	st.Deleted, st.Outputs, st.Imports, st.ChangeSets = &now, nil, nil, map[string]*ChangeSet{}
	r.done(DeleteComplete)
	r.e.forgetOld()
	return nil
}
