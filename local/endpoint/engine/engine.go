package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"k8s-plus-aws-gitops/local/endpoint/resources"
)

// Options are what an Engine needs.
type Options struct {
	Account, Region string
	Dir             string // holds one file per stack
	Services        *resources.Services
	// Lookup finds a resource type; default resources.Lookup.
	Lookup func(name string) (*resources.Type, bool)
	Values Values
	// Ready waits until the services behind the handlers answer, before an
	// interrupted operation goes on; nil does not wait.
	Ready func(ctx context.Context) error
	Log   *slog.Logger
}

// Engine is the CloudFormation service of one account and region.
type Engine struct {
	opt   Options
	store store
	ctx   context.Context //nolint:containedctx // the lifetime of operations, which outlive requests
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu     sync.Mutex
	stacks map[string]*Stack // by ID
	last   time.Time
}

// keptDeleted is how many deleted stacks stay visible by their ID.
const keptDeleted = 20

// New loads the saved stacks and resumes the operations that were interrupted.
// Operations run until Close or until ctx ends.
func New(ctx context.Context, opt Options) (*Engine, error) {
	if opt.Lookup == nil {
		opt.Lookup = resources.Lookup
	}
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if opt.Services == nil {
		opt.Services = &resources.Services{Account: opt.Account, Region: opt.Region, Log: opt.Log}
	}
	e := &Engine{opt: opt, store: store{opt.Dir}, stacks: map[string]*Stack{}}
	e.ctx, e.stop = context.WithCancel(ctx)
	saved, err := e.store.load()
	if err != nil {
		return nil, err
	}
	defer e.lock()()
	for _, st := range saved {
		e.stacks[st.ID] = st
	}
	for _, st := range saved {
		if st.Operation != nil && st.Status.running() {
			e.resume(st)
		}
	}
	return e, nil
}

// Close interrupts the running operations and waits for them to stop; the next
// New resumes them.
func (e *Engine) Close() {
	e.stop()
	e.work.Wait()
}

// Wait returns when no operation is running.
func (e *Engine) Wait() { e.work.Wait() }

func (e *Engine) resume(st *Stack) {
	e.opt.Log.Warn("an interrupted operation goes on", "stack", st.Name, "status", st.Status)
	st.event(e.now(), nil, st.Status, "The stand-in was restarted during this operation, which goes on")
	e.start(st, func() error {
		if e.opt.Ready == nil {
			return nil
		}
		return e.opt.Ready(e.ctx)
	})
}

// start runs the stack's operation in the background.
func (e *Engine) start(st *Stack, before func() error) {
	e.work.Add(1)
	go func() {
		defer e.work.Done()
		if before != nil {
			if err := before(); err != nil {
				e.opt.Log.Error("the services did not become ready", "stack", st.Name, "error", err)
			}
		}
		r := &run{e: e, st: st}
		r.operate()
	}()
}

// now is a strictly increasing time in milliseconds, so that events sort.
func (e *Engine) now() time.Time {
	t := time.Now().UTC().Truncate(time.Millisecond)
	if !t.After(e.last) {
		t = e.last.Add(time.Millisecond)
	}
	e.last = t
	return t
}

// save writes the stack; a full disk is logged, the operation goes on in
// memory.
func (e *Engine) save(st *Stack) {
	if err := e.store.save(st); err != nil {
		e.opt.Log.Error("the stack's state was not saved", "error", err)
	}
}

// lock guards every stack; handlers are called without it.
func (e *Engine) lock() func() {
	e.mu.Lock()
	return e.mu.Unlock
}

// find returns a stack by its ID, deleted or not, or a live one by its name.
func (e *Engine) find(nameOrID string) (*Stack, bool) {
	if st, ok := e.stacks[nameOrID]; ok {
		return st, true
	}
	for _, st := range e.stacks {
		if st.Name == nameOrID && st.live() {
			return st, true
		}
	}
	return nil, false
}

func (e *Engine) mustFind(nameOrID string) (*Stack, error) {
	if nameOrID == "" {
		return nil, invalid("1 validation error detected: Value null at 'stackName' failed to satisfy constraint: Member must not be null")
	}
	st, ok := e.find(nameOrID)
	if !ok {
		return nil, invalid("Stack with id %s does not exist", nameOrID)
	}
	return st, nil
}

func (e *Engine) exported(name string) (string, bool) {
	for _, st := range e.stacks {
		if v, ok := st.export(name); ok && st.live() {
			return v, true
		}
	}
	return "", false
}

// importers names the live stacks that use an export.
func (e *Engine) importers(name string, but *Stack) []string {
	var out []string
	for _, st := range e.stacks {
		if st == but || !st.live() {
			continue
		}
		for _, i := range st.Imports {
			if i == name {
				out = append(out, st.Name)
			}
		}
	}
	sort.Strings(out)
	return out
}

// Properties returns the evaluated properties of the resources of a type in all stacks.
func (e *Engine) Properties(kind string) []map[string]any {
	defer e.lock()()
	var found []map[string]any
	for _, st := range e.sorted() {
		for _, r := range st.Resources {
			if r.Type == kind && st.live() && r.Properties != nil {
				found = append(found, maps.Clone(r.Properties))
			}
		}
	}
	return found
}

// sorted returns the stacks, newest first.
func (e *Engine) sorted() []*Stack {
	out := make([]*Stack, 0, len(e.stacks))
	for _, st := range e.stacks {
		out = append(out, st)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Created.After(out[j].Created) })
	return out
}

// forgetOld drops the oldest deleted stacks.
func (e *Engine) forgetOld() {
	n := 0
	for _, st := range e.sorted() {
		if st.live() {
			continue
		}
		if n++; n > keptDeleted {
			delete(e.stacks, st.ID)
			if err := e.store.remove(st); err != nil {
				e.opt.Log.Warn("a deleted stack's file stays", "error", err)
			}
		}
	}
}

// scope makes the evaluator for a stack and a version of its template.
func (e *Engine) scope(st *Stack, t *Template, parameters map[string]ParameterValue) *scope {
	return &scope{
		template: t, parameters: parameters, region: e.opt.Region,
		pseudo: map[string]any{
			"AWS::AccountId": e.opt.Account, "AWS::Region": e.opt.Region, "AWS::Partition": "aws",
			"AWS::URLSuffix": "amazonaws.com", "AWS::StackName": st.Name, "AWS::StackId": st.ID,
			"AWS::NotificationARNs": []any{},
		},
		resource: func(id string) (*Resource, bool) { r, ok := st.Resources[id]; return r, ok },
		unknown:  map[string]bool{}, export: e.exported, imports: map[string]bool{},
		conditions: map[string]bool{}, evaluating: map[string]bool{},
	}
}

// checkTypes refuses what no handler knows.
func (e *Engine) checkTypes(t *Template) error {
	unknown := map[string]bool{}
	for _, d := range t.Resources {
		if _, ok := e.opt.Lookup(d.Type); !ok {
			unknown[d.Type] = true
		}
	}
	if len(unknown) > 0 {
		return invalid("Template format error: Unrecognized resource types: %v (the local CloudFormation stand-in has no handler for them)", sortedKeys(unknown))
	}
	for _, id := range sortedKeys(t.Resources) {
		d := t.Resources[id]
		typ, _ := e.opt.Lookup(d.Type)
		if typ.Properties == nil {
			continue
		}
		for _, p := range sortedKeys(d.Properties) {
			if !slices.Contains(typ.Properties, p) {
				return invalid("Properties validation failed for resource %s with message: [#: extraneous key [%s] is not permitted] (%s: unknown to the local CloudFormation stand-in)", id, p, d.Type)
			}
		}
	}
	return nil
}

// asError turns any error into one of the API.
func asError(err error) *Error {
	var api *Error
	if errors.As(err, &api) {
		return &Error{Code: api.Code, Message: err.Error(), Status: api.Status}
	}
	return apiError(500, "InternalFailure", "%s", fmt.Sprint(err))
}
