package publish

import (
	"context"
	"fmt"

	"k8s-plus-aws-gitops/internal/forge"
)

// Pull opens pull requests for proposals.
type Pull struct {
	// URL of the manifests repository.
	URL string
	// Forge asks GitHub, with the right to write pull requests there. Without a token only the address to open one by hand is
	// known.
	Forge forge.Client
}

// Open opens a pull request for a proposal, unless one is open, and returns its address. Without a token it returns the
// address where a person can open it; empty if the repository is not on GitHub.
func (p Pull) Open(ctx context.Context, r Result, title, body string) (string, error) {
	host, repository, ok := forge.Parse(p.URL)
	if !ok || host != "github.com" {
		return "", nil
	}
	page := fmt.Sprintf("https://%s/%s/compare/%s...%s?expand=1", host, repository, r.Base, r.Branch)
	if p.Forge.Token == "" {
		return page, nil
	}
	pull, err := p.Forge.OpenPull(ctx, repository, r.Branch, r.Base, title, body)
	if err != nil {
		return "", fmt.Errorf("pull request for %s: %w; the branch is pushed, open it at %s", r.Branch, err, page)
	}
	return pull.URL, nil
}
