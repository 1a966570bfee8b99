package setup

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/forge"
)

// Action is what is done to a thing.
type Action string

// The actions. Skip and Keep change nothing; Keep is not shown.
const (
	Create Action = "create"
	Change Action = "change"
	Delete Action = "delete"
	Skip   Action = "skip"
	Keep   Action = "keep"
)

// Item is one thing of the repository.
type Item struct {
	Action Action
	// Object is the thing, Detail what it does, what differs, or why it is left alone.
	Object, Detail string

	do func(context.Context) error
}

// Plan is what has to be done.
type Plan struct {
	Repository forge.Repository
	Items      []Item
}

// Changes counts what would be changed.
func (p Plan) Changes() int {
	count := 0
	for _, item := range p.Items {
		if item.do != nil {
			count++
		}
	}
	return count
}

// Apply does what is planned, and tells of each thing that is done. It stops at the first that fails: run it again to go on.
func (p Plan) Apply(ctx context.Context, say func(Item)) error {
	for _, item := range p.Items {
		if item.do == nil {
			continue
		}
		if err := item.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", item.Object, err)
		}
		say(item)
	}
	return nil
}

// NewPlan compares what the repository has with what it shall have.
func NewPlan(ctx context.Context, client forge.Client, d Desired) (Plan, error) {
	p := Plan{Repository: d.Repository}
	if err := p.rulesets(ctx, client, d.rulesets()); err != nil {
		return p, err
	}
	if err := p.hooks(ctx, client, d.Receivers); err != nil {
		return p, err
	}
	for _, b := range d.Branches {
		if !b.Reviewed {
			p.add(Skip, "check on "+b.Name, "no environment reviews pull requests towards it (delivery.review)", nil)
		}
	}
	for _, note := range d.Left {
		p.add(Skip, note.What, note.Why, nil)
	}
	return p, nil
}

func (p *Plan) add(action Action, object, detail string, do func(context.Context) error) {
	p.Items = append(p.Items, Item{Action: action, Object: object, Detail: detail, do: do})
}

// rulesets plans the rulesets. Those with the prefix that nothing asks for any more go.
func (p *Plan) rulesets(ctx context.Context, client forge.Client, wanted []ruleset) error {
	have, err := client.RulesetNames(ctx, p.Repository)
	if err != nil {
		return err
	}
	for _, want := range wanted {
		at := slices.IndexFunc(have, func(h forge.Ruleset) bool { return h.Name == want.Name })
		if err := p.ruleset(ctx, client, want, have, at); err != nil {
			return err
		}
		if at >= 0 {
			have = slices.Delete(have, at, at+1)
		}
	}
	for _, old := range have {
		if strings.HasPrefix(old.Name, Prefix) {
			p.add(Delete, "ruleset "+old.Name, "no environment asks for it", func(ctx context.Context) error {
				return client.DeleteRuleset(ctx, p.Repository, old.ID)
			})
		}
	}
	return nil
}

func (p *Plan) ruleset(ctx context.Context, client forge.Client, want ruleset, have []forge.Ruleset, at int) error {
	object := "ruleset " + want.Name
	put := func(s forge.Ruleset) func(context.Context) error {
		return func(ctx context.Context) error { return client.PutRuleset(ctx, p.Repository, s) }
	}
	switch {
	case at < 0 && want.unknown != "":
		p.add(Skip, object, want.unknown, nil)
		return nil
	case at < 0:
		p.add(Create, object, want.does, put(want.Ruleset))
		return nil
	}
	whole, err := client.Ruleset(ctx, p.Repository, have[at].ID)
	if err != nil {
		return err
	}
	merged, differs := want.over(whole)
	if len(differs) == 0 {
		p.add(Keep, object, "", nil)
		return nil
	}
	p.add(Change, object, strings.Join(differs, ", ")+": "+want.does, put(merged))
	return nil
}

// hooks plans the webhooks. A hook belongs to a receiver by its whole address, which the secret is part of. Another one at
// the same host may be somebody's, or of an earlier secret; a person can tell.
func (p *Plan) hooks(ctx context.Context, client forge.Client, wanted []Receiver) error {
	var have []forge.Hook
	if slices.ContainsFunc(wanted, func(r Receiver) bool { return r.URL != "" }) {
		var err error
		if have, err = client.Hooks(ctx, p.Repository); err != nil {
			return err
		}
	}
	for _, r := range wanted {
		object := "webhook of " + r.Environment
		if r.Skip != "" {
			p.add(Skip, object, r.Skip, nil)
			continue
		}
		want := forge.Hook{Name: "web", Active: true, Events: []string{"push"},
			Config: forge.HookConfig{URL: r.URL, ContentType: "json", InsecureSSL: "0"}}
		put := func(ctx context.Context) error { return client.PutHook(ctx, p.Repository, want, r.Secret) }
		at := slices.IndexFunc(have, func(h forge.Hook) bool { return h.Config.URL == r.URL })
		switch {
		case at < 0:
			p.add(Create, object, "tells "+r.Address+"… of pushes", put)
		case have[at].Active && sameSet(have[at].Events, want.Events) && have[at].Config == want.Config:
			p.add(Keep, object, "", nil)
		default:
			want.ID = have[at].ID
			p.add(Change, object, "pushes only, as JSON, signed, to "+r.Address+"…", put)
		}
		for _, other := range have {
			if other.Config.URL != r.URL && strings.HasPrefix(other.Config.URL, r.Address) {
				p.add(Skip, fmt.Sprintf("webhook %d", other.ID), "it goes to "+r.Address+"… with another path: delete it if its deliveries fail", nil)
			}
		}
	}
	return nil
}
