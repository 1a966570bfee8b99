package watch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"k8s-plus-aws-gitops/internal/rehearsal"
)

// looks are what was there at the end of phases.
type looks struct {
	mu sync.Mutex
	at map[rehearsal.Phase]look
	// kinds are those of the objects that were there.
	kinds []schema.GroupVersionKind
	// stacks are the ids of all that were there.
	stacks map[string]bool
	// kept are resources that CloudFormation left where they are, by the stack's policy.
	kept    []string
	refused map[refusal]int
	// accounts are the ServiceAccounts of roles.
	accounts map[string]string
}

// look is what there is, by name, each with what is equal while it stays the same.
type look struct{ aws, kubernetes map[string]string }

type refusal struct{ role, action, resource string }

// look compares with the looks before it. The base must be seen in full; later a part that cannot be seen is said in the result.
func (w *Watch) look(ctx context.Context, phase rehearsal.Phase) error {
	w.looks.mu.Lock()
	defer w.looks.mu.Unlock()
	l := &w.looks
	if l.at == nil {
		l.at, l.refused = map[rehearsal.Phase]look{}, map[refusal]int{}
		l.stacks, l.accounts = map[string]bool{}, map[string]string{}
	}
	known := map[string]bool{}
	for _, before := range l.at {
		for name, is := range before.kubernetes {
			known[name] = known[name] || is != unmanaged
		}
	}
	kubernetes, err := w.objects(ctx, known)
	if err != nil {
		return fmt.Errorf("the objects that Flux applies: %w", err)
	}
	began, _ := w.times.began(rehearsal.Before)
	aws, kept, err := w.resources(ctx, began)
	if err != nil {
		return fmt.Errorf("the stacks: %w", err)
	}
	l.at[phase], l.kept = look{aws, kubernetes}, kept
	if err := w.callsOf(ctx, phase); err != nil {
		if phase == rehearsal.Before {
			return fmt.Errorf("the calls of roles: %w", err)
		}
		w.unseen("the calls of roles", err)
	}
	return nil
}

// callsOf counts the calls that were refused since the base; the caller holds the looks' lock. The base's are counted down, and
// what it was refused itself is no finding.
func (w *Watch) callsOf(ctx context.Context, phase rehearsal.Phase) error {
	calls, err := w.calls(ctx)
	if err != nil {
		return err
	}
	grants, err := w.grants(ctx)
	if err != nil {
		return err
	}
	for _, g := range grants {
		w.looks.accounts[g.Role] = g.ServiceAccount
	}
	for _, c := range calls {
		if c.Denied == 0 {
			continue
		}
		key := refusal{c.Role, c.Action, c.Resource}
		had, seen := w.looks.refused[key]
		switch {
		case phase == rehearsal.Before:
			w.looks.refused[key] = -1
		case !seen || had >= 0:
			w.looks.refused[key] = c.Denied
		}
	}
	return nil
}

// compare fills in what the looks differ in.
func (l *looks) compare(o *rehearsal.Observations) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before, after := l.at[rehearsal.Before], l.at[rehearsal.After]
	change, looked := l.at[rehearsal.Hold]
	o.AWS, o.Kubernetes = restored(before.aws, after.aws), restored(steady(before.kubernetes), steady(after.kubernetes))
	o.AWS.Kept = l.kept
	o.AWS.Left, o.AWS.Stays = staying(before.aws, o.AWS.Left)
	if looked {
		o.AWS.Made, o.AWS.Changed, o.AWS.Removed = differ(before.aws, change.aws)
		o.Kubernetes.Made, o.Kubernetes.Changed, o.Kubernetes.Removed = differ(before.kubernetes, change.kubernetes)
	}
	for key, count := range l.refused {
		if count > 0 {
			o.Refused = append(o.Refused, rehearsal.Refusal{
				ServiceAccount: cmp.Or(l.accounts[key.role], key.role), Role: key.role, Action: key.action, Resource: key.resource, Count: count,
			})
		}
	}
	slices.SortFunc(o.Refused, func(a, b rehearsal.Refusal) int {
		return cmp.Or(strings.Compare(a.ServiceAccount, b.ServiceAccount), strings.Compare(a.Action, b.Action), strings.Compare(a.Resource, b.Resource))
	})
}

// differ compares two looks, each name once.
func differ(before, after map[string]string) (made, changed, removed []string) {
	for _, name := range sorted(after) {
		if was, there := before[name]; !there {
			made = append(made, name)
		} else if was != after[name] {
			changed = append(changed, name)
		}
	}
	for _, name := range sorted(before) {
		if _, there := after[name]; !there {
			removed = append(removed, name)
		}
	}
	return made, changed, removed
}

// restored compares the base with what is there after the revert.
func restored(before, after map[string]string) rehearsal.Changes {
	made, changed, removed := differ(before, after)
	c := rehearsal.Changes{Left: made, Missing: removed}
	for _, name := range changed {
		c.Left = append(c.Left, name+" (not as before)")
	}
	return c
}

// staying takes resources of stacks that the base does not have out of what was left. The revert has the base's app, so that
// these stacks are not in it.
func staying(before map[string]string, left []string) (others, stacks []string) {
	stack := func(name string) string { return strings.SplitN(name, "/", 2)[0] }
	had := map[string]bool{}
	for name := range before {
		had[stack(name)] = true
	}
	for _, name := range left {
		if s := stack(name); had[s] {
			others = append(others, name)
		} else if !slices.Contains(stacks, s) {
			stacks = append(stacks, s)
		}
	}
	return others, stacks
}

// began is when a phase began.
func (t *timeline) began(p rehearsal.Phase) (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, m := range t.marks {
		if m.phase == p {
			return m.at, true
		}
	}
	return time.Time{}, false
}
