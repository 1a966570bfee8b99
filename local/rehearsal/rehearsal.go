// Package rehearsal merges a change in a system of its own before it is merged for good: it brings up what the change is based
// on, pushes the change as a merge would, holds it, reverts it by a commit, and tells what the system's users would have
// noticed. docs/guides/rehearsal.md is for whoever runs it.
package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/local/rehearsal/projection"
	"k8s-plus-aws-gitops/local/rehearsal/watch"
	"k8s-plus-aws-gitops/local/system"
)

// Environment is the laboratory's own, in whose place any other of cdk.json runs.
const Environment = projection.Here

// Options of a rehearsal.
type Options struct {
	// Repo is the checkout with the change: its working tree, with what is not committed and not ignored.
	Repo string
	// Base is a branch or a commit: the change is what differs from its merge base with HEAD. Default: the environment's branch.
	Base string
	// With is another open pull request, a revision or a number: both are rehearsed in both orders. Empty: the change alone.
	With string
	// Upgrade is NAME or NAME=VERSION of something that is pinned. The change must bring it; where nothing differs from the base it
	// is made. Empty: the change is no upgrade.
	Upgrade string
	// Environment that the change is rehearsed in; default [Environment].
	Environment string
	// Scratch is the folder that everything is made in; default: a new one for temporary files.
	Scratch string
	// Keep leaves the system running and the folder there.
	Keep bool
	// Hold is how long the change stays live before the revert; default 10 s.
	Hold time.Duration
	// Timeout is for each step that waits for the system; default 15 min.
	Timeout time.Duration
	// Display shows progress; nil is silent.
	Display *progress.Display
	// Executable runs the daemons: gitops-local.
	Executable string
}

// baseline is how long the base is asked before the merge: enough for its own latency.
const baseline = 5 * time.Second

// Run rehearses a change. An error says that it could not; whether the change broke anything is the result's verdict. What Run
// started it stops and removes, also when ctx ends, but with Keep.
func Run(ctx context.Context, o Options) (result *rehearsal.Result, err error) {
	if o.Environment == "" {
		o.Environment = Environment
	}
	switch {
	case o.With != "" && o.Upgrade != "":
		return nil, errors.New("--with and --upgrade exclude each other: an upgrade is rehearsed by itself")
	case o.Environment != Environment && o.With+o.Upgrade != "":
		return nil, fmt.Errorf("--env %s: --with and --upgrade are rehearsed in %s alone", o.Environment, Environment)
	}
	if o.Hold == 0 {
		o.Hold = 10 * time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 15 * time.Minute
	}
	began := time.Now()
	sweep(ctx, o.Executable, o.Display)
	scratch, err := open(ctx, o.Scratch, o.Executable)
	if err != nil {
		return nil, err
	}
	defer func() {
		if o.Keep && scratch.started() {
			err = errors.Join(err, scratch.keep())
			scratch.tell(o.Display, o.Executable)
			return
		}
		// Not the caller's context: it may be what ended.
		err = errors.Join(err, scratch.remove(context.WithoutCancel(ctx), o.Executable, o.Display))
	}()
	r := &run{Options: o, scratch: scratch}
	r.result.Environment, r.result.Started, r.result.With = o.Environment, began.UTC(), o.With
	if err := r.rehearse(ctx); err != nil {
		return nil, cmp.Or(ctx.Err(), err) // what an interrupt ended failed for no other reason
	}
	return &r.result, nil
}

// run is one rehearsal.
type run struct {
	Options
	scratch *scratch
	change  *change
	other   *other // nil without Options.With
	system  *system.System
	watch   *watch.Watch
	data    []rehearsal.Data
	// published is the commit whose services were published last.
	published string
	result    rehearsal.Result
	notes     []string // what the result cannot show beside what none can
}

func (r *run) rehearse(ctx context.Context) error {
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if len(r.result.Conflicts) > 0 { // which cannot both be merged
		r.result.Judge()
		return nil
	}
	if err := r.start(ctx); err != nil {
		return err
	}
	if r.other != nil {
		return r.bothOrders(ctx, r.order)
	}
	return r.round(ctx, merge{r.change.ID, thisChange, r.change.subject})
}

// round merges one change after the other, reverts all, and judges what was seen.
func (r *run) round(ctx context.Context, merges ...merge) error {
	if err := r.observe(ctx); err != nil {
		return err
	}
	err := r.mergeAndRevert(ctx, merges)
	seen, werr := r.watch.Stop(context.WithoutCancel(ctx))
	if err := errors.Join(err, werr, ctx.Err()); err != nil {
		return err
	}
	r.result.Observations, r.result.Data = seen, r.data
	r.result.CannotShow = append(rehearsal.CannotShow(), r.notes...)
	r.result.Judge()
	return nil
}

// prepare finds the change and checks its base out.
func (r *run) prepare(ctx context.Context) error {
	step := progress.Step{Name: "Find the change", Run: func(ctx context.Context, out *progress.Output) (err error) {
		if r.change, err = find(ctx, r.scratch, r.Options); err != nil {
			return err
		}
		r.result.Base, r.result.Commit = r.change.from, cmp.Or(r.change.head, r.change.ID)
		if r.change.head == "" && !r.change.made {
			r.Display.Say("The change has what is not committed in the working tree, too")
		}
		out.Result("%d files on %.8s, %s", len(r.change.Files), r.change.from, r.change.why)
		return nil
	}}
	if err := r.steps(ctx, step); err != nil {
		return err
	}
	switch {
	case r.Environment != Environment:
		step = progress.Step{Name: "Put " + r.Environment + " in the place of " + Environment, Run: func(ctx context.Context, out *progress.Output) (err error) {
			r.result.Substitutions, err = r.change.project(ctx, r.scratch, r.Environment)
			out.Result("%d substitutions", len(r.result.Substitutions))
			return err
		}}
	case r.Upgrade != "":
		step = progress.Step{Name: "Compare the versions", Run: func(ctx context.Context, _ *progress.Output) error { return r.upgraded(ctx) }}
	case r.With != "":
		step = progress.Step{Name: "Find the other pull request", Run: func(ctx context.Context, out *progress.Output) (err error) {
			if r.other, r.result.Conflicts, err = r.change.findOther(ctx, r.scratch, r.Options); err != nil {
				return err
			}
			r.result.Base = r.change.base
			if r.other != nil {
				out.Result("%d files on %.8s, %s", len(r.other.Files), r.change.base, r.change.why)
			}
			return nil
		}}
	default:
		return nil
	}
	return r.steps(ctx, step)
}

// observe starts the clients and takes the first look.
func (r *run) observe(ctx context.Context) error {
	return r.steps(ctx, progress.Step{Name: "Look at the base", Run: func(ctx context.Context, out *progress.Output) (err error) {
		if r.watch, err = watch.Start(ctx, watch.Options{Dir: r.system.Dir}); err != nil {
			return err
		}
		return pause(ctx, baseline)
	}})
}

func (r *run) steps(ctx context.Context, all ...progress.Step) error {
	return progress.Runner{Display: r.Display}.Run(ctx, all)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
