package review

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review/assembly"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/review/guard"
	"k8s-plus-aws-gitops/internal/review/objects"
	"k8s-plus-aws-gitops/internal/review/risk"
	"k8s-plus-aws-gitops/internal/review/template"
)

// compare makes the review of what was read.
func (s sides) compare(ctx context.Context, node template.Node) (*Review, error) {
	prices, err := cost.Table()
	if err != nil {
		return nil, err
	}
	review := &Review{
		Base: s.base, Head: s.head, Environments: s.environments,
		Prices: Prices{Date: prices.Date, Region: prices.Region, Currency: prices.Currency, Source: prices.Source},
	}
	if err := s.stacks(ctx, node, review); err != nil {
		return nil, err
	}
	for i := range review.Environments {
		e := &review.Environments[i]
		old, now := s.rendered[e.Name][0], s.rendered[e.Name][1]
		e.Kustomizations = objects.Compare(old, now)
		e.Notes = append(e.Notes, now.Problems...)
		e.Cost = prices.Compare(
			cost.Input{Stacks: templates(s.before[e.Name], nil), LoadBalancers: cost.LoadBalancers(old)},
			cost.Input{Stacks: templates(s.after[e.Name], s.before[e.Name]), LoadBalancers: cost.LoadBalancers(now)},
		)
		e.Cost.Totals = s.after != nil
		e.Notes = append(e.Notes, guard.Apply(e.Name, e.Findings, s.allowances[e.Name], s.now)...)
	}
	return review, nil
}

// stacks fills in the stacks and findings of every environment.
func (s sides) stacks(ctx context.Context, node template.Node, review *Review) error {
	type place struct {
		environment *Environment
		stack       Stack
	}
	var places []place
	var pairs []template.Pair
	for i := range review.Environments {
		e := &review.Environments[i]
		before, after := s.before[e.Name], s.after[e.Name]
		for _, part := range parts(before, after) {
			old, was := before[part]
			now, is := after[part]
			if was && is && same(old.Template, now.Template) {
				continue
			}
			stack := Stack{Part: part, Name: now.Name, Status: Kept}
			switch {
			case !was:
				stack.Status, old.Template = Added, template.Template{}
			case !is:
				stack.Status, stack.Name, now.Template = Removed, old.Name, template.Template{}
			}
			places = append(places, place{e, stack})
			pairs = append(pairs, template.Pair{Old: old.Template, New: now.Template})
		}
	}
	diffs, err := node.Compare(ctx, pairs)
	if err != nil {
		return err
	}
	for i, p := range places {
		if diffs[i].Empty() {
			continue // metadata alone
		}
		p.stack.Diff = diffs[i]
		slices.SortFunc(p.stack.Resources, func(a, b template.Resource) int { return strings.Compare(a.ID, b.ID) })
		p.environment.Stacks = append(p.environment.Stacks, p.stack)
		p.environment.Findings = append(p.environment.Findings, findings(p.environment.Name, p.stack)...)
	}
	return nil
}

// findings of one stack.
func findings(environment string, s Stack) []risk.Finding {
	place := risk.Place{Environment: environment, Stack: s.Part}
	switch s.Status {
	case Added:
		return risk.Added(place, s.Diff)
	case Removed:
		return risk.Removed(place, len(s.Resources))
	default:
		return risk.Find(place, s.Diff)
	}
}

// parts are the names of the stacks of both sides.
func parts(before, after map[string]assembly.Stack) []string {
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// templates of an environment by stack. Stacks that are only in left have left the app; they stay in AWS, and cost.
func templates(stacks, left map[string]assembly.Stack) map[string]template.Template {
	byName := map[string]template.Template{}
	for name, s := range left {
		byName[name] = s.Template
	}
	for name, s := range stacks {
		byName[name] = s.Template
	}
	return byName
}

// same compares templates by content; encoding/json sorts keys.
func same(a, b template.Template) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}
