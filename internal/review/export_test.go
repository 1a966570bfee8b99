package review

import (
	"context"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/assembly"
	"k8s-plus-aws-gitops/internal/review/template"
)

// Case is what a comparison reads, for tests that bring their own templates and manifests.
type Case struct {
	Environments  []Environment
	Before, After map[string]map[string]assembly.Stack
	Rendered      map[string][2]manifests.Rendered
	Allowances    map[string][]config.Allowance
	Now           time.Time
}

// Compare reviews a case.
func (c Case) Compare(ctx context.Context, node template.Node) (*Review, error) {
	return sides{
		base: Side{Name: "origin/main", Commit: "0123456789abcdef0123456789abcdef01234567"}, head: Side{Name: "working tree"},
		environments: c.Environments, before: c.Before, after: c.After, rendered: c.Rendered, allowances: c.Allowances, now: c.Now,
	}.compare(ctx, node)
}

// Cause, Environ and OfAWS are tested by themselves.
var (
	Cause   = cause
	Environ = environ
	OfAWS   = ofAWS
)
