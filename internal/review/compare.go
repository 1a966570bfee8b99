package review

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// compare makes the review of what was read.
func (s sides) compare(ctx context.Context, node cfndiff.Node) (*Review, error) {
	places, pairs := s.differing()
	diffs, err := node.Compare(ctx, pairs)
	if err != nil {
		return nil, err
	}
	return s.finish(places, diffs)
}

// place is a stack whose templates differ.
type place struct {
	environment string
	stack       Stack
}

// differing lists the stacks whose templates are not the same, each with its templates.
func (s sides) differing() ([]place, []cfndiff.Pair) {
	var places []place
	var pairs []cfndiff.Pair
	for _, e := range s.environments {
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
				stack.Status, old.Template = Added, assembly.Template{}
			case !is:
				stack.Status, stack.Name, now.Template = Removed, old.Name, assembly.Template{}
			}
			places = append(places, place{e.Name, stack})
			pairs = append(pairs, cfndiff.Pair{Old: old.Template, New: now.Template})
		}
	}
	return places, pairs
}

// finish makes the review, given the difference of each place.
func (s sides) finish(places []place, diffs []cfndiff.Diff) (*Review, error) {
	prices, err := cost.Table()
	if err != nil {
		return nil, err
	}
	review := &Review{
		Base: s.base, Head: s.head, Environments: s.environments,
		Prices: Prices{Date: prices.Date, Region: prices.Region, Currency: prices.Currency, Source: prices.Source},
	}
	for i := range review.Environments {
		e := &review.Environments[i]
		for j, p := range places {
			if p.environment == e.Name {
				e.add(p.stack, diffs[j])
			}
		}
		old, now := s.rendered[e.Name][0], s.rendered[e.Name][1]
		e.Before, e.After = old, now
		e.Kustomizations = kubediff.Compare(old, now)
		before, after := kubediff.Objects(old, now, e.Kustomizations)
		e.Findings = append(e.Findings, risk.Objects(e.Name, before, after)...)
		e.Findings = append(e.Findings, unseen(e.Name, e.Kustomizations)...)
		e.Notes = append(e.Notes, now.Problems...)
		e.Cost = prices.Compare(
			cost.Input{Stacks: templates(s.before[e.Name], nil), LoadBalancers: cost.LoadBalancers(old)},
			cost.Input{Stacks: templates(s.after[e.Name], s.before[e.Name]), LoadBalancers: cost.LoadBalancers(now)},
		)
		e.Cost.Totals = s.after != nil
		e.Notes = append(e.Notes, risk.Apply(e.Name, e.Findings, s.allowances[e.Name], s.now)...)
	}
	return review, nil
}

// add notes a stack and what is to be seen in it. One that differs in metadata alone does not differ.
func (e *Environment) add(s Stack, diff cfndiff.Diff) {
	if diff.Empty() {
		return
	}
	s.Diff = diff
	slices.SortFunc(s.Resources, func(a, b cfndiff.Resource) int { return strings.Compare(a.ID, b.ID) })
	e.Stacks = append(e.Stacks, s)
	e.Findings = append(e.Findings, findings(e.Name, s)...)
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

// unseen are the charts that could not be rendered: what they make was not compared.
func unseen(environment string, kustomizations []kubediff.Kustomization) []risk.Finding {
	var found []risk.Finding
	for _, k := range kustomizations {
		for _, c := range k.Objects {
			if c.Release != nil && c.Release.Note != "" {
				found = append(found, risk.Finding{
					Kind: risk.Unseen, Rule: "chart-unseen", Resource: environment + "/" + strings.Replace(c.Object, " ", "/", 1),
					Message: c.Release.Note, Remedy: "read what the chart's release notes say of rights, network and data",
				})
			}
		}
	}
	return found
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
func templates(stacks, left map[string]assembly.Stack) map[string]assembly.Template {
	byName := map[string]assembly.Template{}
	for name, s := range left {
		byName[name] = s.Template
	}
	for name, s := range stacks {
		byName[name] = s.Template
	}
	return byName
}

// same compares templates by content; encoding/json sorts keys.
func same(a, b assembly.Template) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && string(x) == string(y)
}
