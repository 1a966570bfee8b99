package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// step creates or updates one resource in the forward phase.
type step struct {
	*run
	id    string
	def   Definition
	typ   *resources.Type
	deps  []string
	prev  *Resource // nil for a new one
	props map[string]any
	// resumed reports that an attempt at the same update was cut off.
	resumed bool
}

// reject records a resource whose properties could not be evaluated.
func (s *step) reject(cause error) error {
	res := &Resource{LogicalID: s.id, Type: s.def.Type, DependsOn: s.deps}
	status := CreateFailed
	if s.prev != nil && s.prev.PhysicalID != "" {
		res, status = s.prev.clone(), UpdateFailed
	}
	return s.fail(res, status, cause)
}

// fail records a failed resource and returns the cause.
func (s *step) fail(res *Resource, status Status, cause error) error {
	if s.e.ctx.Err() != nil {
		s.e.save(s.st)
		return errInterrupted
	}
	res.Status, res.Reason, res.Updated = status, cause.Error(), s.e.now()
	s.st.Resources[s.id] = res
	s.st.event(res.Updated, res, status, res.Reason)
	s.e.save(s.st)
	return cause
}

// describe copies what the template says about a resource besides its
// properties.
func (s *step) describe(res *Resource) {
	res.Type, res.DependsOn, res.Metadata = s.def.Type, s.deps, s.def.Metadata
	res.Deletion, res.Replaced = s.def.DeletionPolicy, s.def.UpdateReplacePolicy
}

// begin records that a handler is about to work on the resource.
func (s *step) begin(res *Resource, status Status, reason string) {
	res.Status, res.Reason, res.Attempt, res.Updated = status, "", s.props, s.e.now()
	s.st.Resources[s.id] = res
	s.st.event(res.Updated, res, status, reason)
	s.e.save(s.st)
}

// complete records the handler's result.
func (s *step) complete(res *Resource, result resources.Result, status Status) {
	res.PhysicalID, res.Attributes = result.ID, result.Attributes
	res.Properties, res.Attempt, res.Status, res.Updated = s.props, nil, status, s.e.now()
	s.describe(res)
	s.st.event(res.Updated, res, status, "")
	s.e.save(s.st)
}

// clear deletes what an interrupted or failed creation left.
func (s *step) clear() error {
	if err := s.remove(s.prev, true); err != nil {
		return s.fail(s.prev.clone(), CreateFailed, fmt.Errorf("an earlier attempt could not be removed: %w", err))
	}
	return nil
}

func (s *step) create() error {
	res := &Resource{LogicalID: s.id}
	if s.prev != nil {
		res.Generation = s.prev.Generation
	}
	s.describe(res)
	resumed := s.prev != nil && s.prev.Status == CreateInProgress
	s.begin(res, CreateInProgress, "")
	result, err := s.make(res, resumed)
	res.PhysicalID = result.ID
	if err != nil {
		return s.fail(res, CreateFailed, err)
	}
	s.complete(res, result, CreateComplete)
	return nil
}

// make calls the type's Create with dynamic references resolved. It refuses a second resource with the identifier of
// another, which may be this one before its replacement.
func (s *step) make(res *Resource, resumed bool) (result resources.Result, err error) {
	if owner := s.e.owner(s.typ, s.props); owner != "" {
		return result, fmt.Errorf("%s with identifier %s already exists in stack %s", s.typ.Name, identifier(s.typ, s.props), owner)
	}
	req := s.request(res)
	req.Resumed = resumed
	err = s.call(func(ctx context.Context) error {
		props, err := s.resolved(ctx, s.props)
		if err != nil {
			return err
		}
		result, err = s.typ.Create(ctx, req, props)
		return err
	})
	if err == nil && result.ID == "" {
		err = fmt.Errorf("the handler of %s returned no physical ID", s.typ.Name)
	}
	return result, err
}

func (r *run) resolved(ctx context.Context, props map[string]any) (resources.Properties, error) {
	v, err := resolveDynamic(ctx, r.e.opt.Values, props)
	if err != nil {
		return nil, err
	}
	m, _ := v.(map[string]any)
	return m, nil
}

// update changes a resource, in place or by a replacement, if it differs.
func (s *step) update() error {
	prev := s.prev
	same := equal(prev.Properties, s.props) && prev.Attempt == nil
	tagsOnly := same && s.tagsChanged()
	if same && !tagsOnly {
		s.describe(prev) // policies and dependencies may have changed
		return nil
	}
	res := prev.clone()
	s.resumed = prev.Status == UpdateInProgress && equal(prev.Attempt, s.props)
	if s.typ.Update == nil || len(changedImmutable(s.typ, prev.Properties, s.props)) > 0 {
		return s.replace(res, prev)
	}
	s.begin(res, UpdateInProgress, "")
	result, err := s.change(res, prev.Properties, s.props)
	switch {
	case errors.Is(err, resources.ErrReplace) && tagsOnly:
		result, err = resources.Result{ID: prev.PhysicalID, Attributes: prev.Attributes}, nil
	case errors.Is(err, resources.ErrReplace):
		return s.replace(res, prev)
	}
	if err != nil {
		return s.fail(res, UpdateFailed, err)
	}
	if result.ID == "" {
		result.ID = prev.PhysicalID
	}
	if result.ID != prev.PhysicalID {
		s.leave(prev)
	}
	s.complete(res, result, UpdateComplete)
	return nil
}

// change calls the type's Update with dynamic references resolved. An old
// reference that no longer resolves stays as written.
func (r *run) change(res *Resource, from, to map[string]any) (result resources.Result, err error) {
	typ, ok := r.e.opt.Lookup(res.Type)
	if !ok || typ.Update == nil {
		return result, fmt.Errorf("%s cannot be updated", res.Type)
	}
	req, id := r.request(res), res.PhysicalID
	req.Attributes = res.Attributes
	err = r.call(func(ctx context.Context) error {
		old, err := r.resolved(ctx, from)
		if err != nil {
			old = from
		}
		props, err := r.resolved(ctx, to)
		if err != nil {
			return err
		}
		result, err = typ.Update(ctx, req, id, old, props)
		return err
	})
	return result, err
}

// replace makes a new physical resource; the old one is deleted after the
// update succeeded.
func (s *step) replace(res, prev *Resource) error {
	s.begin(res, UpdateInProgress, "Requested update requires the creation of a new physical resource; hence creating one.")
	fresh := res.clone()
	fresh.Generation, fresh.PhysicalID = prev.Generation+1, ""
	result, err := s.make(fresh, s.resumed)
	if err != nil {
		if result.ID != "" {
			fresh.PhysicalID, fresh.Properties = result.ID, s.props
			s.st.Operation.Debris = append(s.st.Operation.Debris, fresh)
		}
		return s.fail(res, UpdateFailed, err)
	}
	s.leave(prev)
	res.Generation = fresh.Generation
	s.complete(res, result, UpdateComplete)
	return nil
}

// leave marks a replaced physical resource for the cleanup.
func (s *step) leave(prev *Resource) {
	old := prev.clone()
	old.Deletion, old.Attempt = s.def.UpdateReplacePolicy, nil
	s.st.Operation.Garbage = append(s.st.Operation.Garbage, old)
}

// tagsChanged reports whether the stack's tags changed and the resource
// carries tags.
func (s *step) tagsChanged() bool {
	return s.st.Operation.Kind == kindUpdate && takesTags(s.typ) && s.typ.Update != nil &&
		s.prev.Updated.Before(s.st.Operation.Started) && !maps.Equal(s.st.Operation.Previous.Tags, s.st.Tags)
}

func takesTags(t *resources.Type) bool { return slices.Contains(t.Properties, "Tags") }

// changedImmutable names the properties whose change forces a replacement. Immutable are paths: "A/B", with * for each
// element of a list.
func changedImmutable(t *resources.Type, old, new map[string]any) []string {
	var out []string
	for _, path := range t.Immutable {
		parts := strings.Split(path, "/")
		before, after := at(old, parts), at(new, parts)
		if !slices.Contains(out, parts[0]) && (!equal(before, after) || (before == nil) != (after == nil)) {
			out = append(out, parts[0])
		}
	}
	return out
}

// at returns what is at the end of a path, nil for nothing.
func at(v any, path []string) any {
	if len(path) == 0 {
		return v
	}
	switch v := v.(type) {
	case map[string]any:
		return at(v[path[0]], path[1:])
	case []any:
		var out []any
		for _, e := range v {
			out = append(out, at(e, path[1:]))
		}
		return out
	}
	return nil
}

// identifier is what no two resources of a type may share; "" when the properties do not tell it.
func identifier(t *resources.Type, props map[string]any) string {
	var parts []string
	for _, p := range t.Identifier {
		if props[p] == nil {
			return ""
		}
		parts = append(parts, text(props[p]))
	}
	return strings.Join(parts, "|")
}

// owner names the stack that has a resource of this type and identifier.
func (e *Engine) owner(t *resources.Type, props map[string]any) string {
	own := identifier(t, props)
	if own == "" {
		return ""
	}
	for _, st := range e.stacks {
		for _, r := range st.Resources {
			if r.Type == t.Name && r.PhysicalID != "" && identifier(t, r.Properties) == own {
				return st.Name
			}
		}
	}
	return ""
}
