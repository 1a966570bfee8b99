package plan

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/release"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/services"
)

// published is a history of the fixture, in which integration publishes by merge: its commit, and one before it in which
// fleet.yaml is another; empty: in which it is missing.
func published(t *testing.T, before string) (root, base string) {
	t.Helper()
	h := newHistory(t)
	fixture.Write(t, h.root)
	file := filepath.Join(h.root, services.ConfigFile)
	now, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(content string) {
		if content == "" {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		h.git("", "add", "--all")
		h.git("", "commit", "--quiet", "--allow-empty", "-m", "x")
	}
	write(strings.ReplaceAll(before, "NOW", string(now)))
	base = h.git("", "rev-parse", "HEAD")
	write(string(now))
	return h.root, base
}

// The release publishes what differs from the released commit, and everything where that says nothing of what is published.
func TestPublishes(t *testing.T) {
	const by = "url: https://example.com/manifests.git\n"
	npm := []kubediff.Kustomization{{Name: "apps"}, {Name: "services/npm"}, {Name: "services/left-the-fleet"}}
	all := []string{"billing", "github", "info", "npm", "orders"}
	for name, c := range map[string]struct {
		before, environment string
		outcome             release.Outcome
		want                []string
	}{
		"one differs":                           {"NOW", "integration", release.Moved, []string{"npm"}},
		"the environment publishes by tag":      {"NOW", "production", release.Moved, nil},
		"it did so at the released commit":      {by, "integration", release.Moved, all},
		"the released commit has no fleet":      {"", "integration", release.Moved, all},
		"its fleet is of another time":          {by + "unknown: true\n", "integration", release.Moved, all},
		"the first release":                     {"NOW", "integration", release.Made, all},
		"the released commit once more":         {"NOW", "integration", release.Same, all},
		"no gate, so nothing says what is live": {"NOW", "integration", "", all},
	} {
		t.Run(name, func(t *testing.T) {
			root, base := published(t, c.before)
			p := &Plan{Release: release.Result{Outcome: c.outcome, Before: base}, Review: &review.Review{Environments: []review.Environment{{Name: c.environment, Kustomizations: npm}}}}
			if err := p.publishes(t.Context(), Options{Root: root, Env: config.Environment{Name: c.environment}}, base); err != nil || !slices.Equal(p.Services, c.want) {
				t.Errorf("publishes %q, %v; want %q", p.Services, err, c.want)
			}
		})
	}
	root, base := published(t, "NOW")
	if err := os.WriteFile(filepath.Join(root, services.FilesDir, "npm.yaml"), []byte("port: none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Plan{Release: release.Result{Outcome: release.Moved}, Review: &review.Review{Environments: []review.Environment{{}}}}
	if err := p.publishes(t.Context(), Options{Root: root, Env: config.Environment{Name: "integration"}}, base); err == nil || !strings.Contains(err.Error(), "k8s/services/npm.yaml") {
		t.Errorf("a broken file: %v", err)
	}
}
