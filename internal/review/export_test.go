package review

import (
	"context"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// Case is what a comparison reads, for tests that bring their own templates and manifests.
type Case struct {
	Environments  []Environment
	Before, After map[string]map[string]assembly.Stack
	Rendered      map[string][2]manifests.Rendered
	Allowances    map[string][]config.Allowance
	Now           time.Time
}

// sides of a case.
func (c Case) sides() sides {
	return sides{
		base: Side{Name: "origin/main", Commit: "0123456789abcdef0123456789abcdef01234567"}, head: Side{Name: "working tree"},
		environments: c.Environments, before: c.Before, after: c.After, rendered: c.Rendered, allowances: c.Allowances, now: c.Now,
	}
}

// CompareAll reviews the cases with one run of the comparison, which takes longer to start than to compare.
func CompareAll(ctx context.Context, node cfndiff.Node, cases []*Case) ([]*Review, error) {
	var all []cfndiff.Pair
	for _, c := range cases {
		_, pairs := c.sides().differing()
		all = append(all, pairs...)
	}
	diffs, err := node.Compare(ctx, all)
	if err != nil {
		return nil, err
	}
	var reviews []*Review
	for _, c := range cases {
		places, _ := c.sides().differing()
		review, err := c.sides().finish(places, diffs[:len(places)])
		if err != nil {
			return nil, err
		}
		reviews, diffs = append(reviews, review), diffs[len(places):]
	}
	return reviews, nil
}

// Cause, Environ and OfAWS are tested by themselves.
var (
	Cause   = cause
	Environ = environ
	OfAWS   = ofAWS
)
