package publish

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

func TestPull(t *testing.T) {
	proposal := Result{Service: "npm", Branch: "proposals/production/npm", Base: "production/npm"}
	open := []forgetest.Object{forgetest.Pull(1, "closed", proposal.Branch, proposal.Base), forgetest.Pull(2, "open", proposal.Branch, "dev/npm"), forgetest.Pull(3, "open", proposal.Branch, proposal.Base)}
	const onGitHub, page = "https://github.com/me/platform.git", "https://github.com/me/platform/compare/production/npm...proposals/production/npm?expand=1"
	for name, c := range map[string]struct {
		url, token   string
		pulls        []forgetest.Object
		lacks        []string
		want, failed string
	}{
		"elsewhere": {url: "http://git.localhost/manifests.git", token: forgetest.Token},
		"a folder":  {url: "/srv/manifests.git", token: forgetest.Token},
		"no token":  {url: onGitHub, want: page},
		"opened":    {url: onGitHub, token: forgetest.Token, want: "https://github.com/me/platform/pull/1"},
		"by ssh":    {url: "ssh://git@github.com/me/platform.git", token: forgetest.Token, want: "https://github.com/me/platform/pull/1"},
		"is open":   {url: onGitHub, token: forgetest.Token, pulls: open, want: "https://github.com/me/platform/pull/3"},
		"forbidden": {url: onGitHub, token: forgetest.Token, lacks: []string{"Pull requests: write"}, failed: "'Pull requests: write' on me/platform; the branch is pushed, open it at " + page},
	} {
		t.Run(name, func(t *testing.T) {
			s := forgetest.New(t)
			s.Pulls, s.Lacks = c.pulls, c.lacks
			got, err := Pull{URL: c.url, Forge: forge.Client{API: s.URL, Token: forge.Token(c.token)}}.Open(t.Context(), proposal, "title", "body")
			if got != c.want || (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
