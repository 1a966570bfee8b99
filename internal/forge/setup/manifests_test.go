package setup

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/services"
)

// manifestsWorld is me/platform as the repository of manifests, beside another for the platform: of dev, which publishes at once,
// and of production, which proposes. Two services publish with tokens of their own, one by the platform's build.
func manifestsWorld(t *testing.T) (*world, services.Fleet) {
	t.Helper()
	w := newWorld(t)
	w.options.Config.Repository.Name = "other"
	maps.DeleteFunc(w.options.Config.Environments, func(name string, _ config.Environment) bool { return name != "dev" && name != "production" })
	w.Tokens = map[string]int64{"platform": 1, "shop": 2, "till": 3}
	w.secrets = map[string]string{
		"/dev/gitops/manifests-token": "platform", "/dev/gitops/publish-shop": `{"token": "shop"}`, "/dev/gitops/publish-till": "till",
		"/production/gitops/manifests-token": "platform", "/production/gitops/publish-shop": "shop", "/production/gitops/publish-till": "till",
	}
	propose := true
	f := services.Fleet{Config: services.Config{URL: "https://github.com/me/platform.git", Environments: map[string]services.ConfigDifference{"production": {Propose: &propose}}}}
	for name, publisher := range map[string]string{"shop": "", "till": services.PublisherGitHub, "built": services.PublisherCodeBuild} {
		f.Services = append(f.Services, services.Service{Name: name, File: "k8s/services/" + name + ".yaml", Registration: services.Registration{Repository: "https://github.com/me/" + name, Publisher: publisher}})
	}
	slices.SortFunc(f.Services, func(a, b services.Service) int { return strings.Compare(a.Name, b.Name) })
	f.Services = append(f.Services, services.Service{Name: "npm"})
	return w, f
}

func (w *world) manifestsPlan(t *testing.T, f services.Fleet) Plan {
	t.Helper()
	all, err := DesireManifests(t.Context(), w.options, f)
	if err != nil || len(all) != 1 || all[0].Repository != (forge.Repository{Owner: "me", Name: "platform"}) {
		t.Fatalf("%+v, %v", all, err)
	}
	p, err := NewManifestsPlan(t.Context(), w.options.Forge, all[0])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (w *world) manifestsApply(t *testing.T, f services.Fleet) Plan {
	t.Helper()
	p := w.manifestsPlan(t, f)
	if err := p.Apply(t.Context(), func(Item) {}); err != nil {
		t.Fatal(err)
	}
	if again := w.manifestsPlan(t, f); again.Changes() != 0 {
		t.Fatalf("still to do: %+v", again.Items)
	}
	return p
}

// may reports whether a user may move a branch: by GitHub's rules, of each ruleset that has the branch.
func (w *world) may(t *testing.T, user float64, branch string) bool {
	t.Helper()
	for _, s := range w.Rulesets {
		name := s["conditions"].(forgetest.Object)["ref_name"].(forgetest.Object)
		matches := func(key string) bool {
			return slices.ContainsFunc(name[key].([]any), func(v any) bool {
				pattern := strings.TrimPrefix(v.(string), "refs/heads/")
				prefix, wild := strings.CutSuffix(pattern, "*")
				rest, within := strings.CutPrefix(branch, prefix)
				return pattern == branch || wild && within && !strings.Contains(rest, "/")
			})
		}
		_, moves := rulesOf(s)["update"]
		_, pulls := rulesOf(s)["pull_request"]
		passes := slices.ContainsFunc(s["bypass_actors"].([]any), func(v any) bool {
			a := v.(forgetest.Object)
			return a["actor_type"] == "User" && a["actor_id"] == user
		})
		if (moves || pulls) && matches("include") && !matches("exclude") && !passes {
			return false
		}
	}
	return true
}

// Each token moves the branches of its own service, and the platform's token those of all. What is proposed is merged by people.
func TestManifests(t *testing.T) {
	w, f := manifestsWorld(t)
	p := w.manifestsApply(t, f)
	want := []string{"ruleset gitops: history", "ruleset gitops: manifests of dev", "ruleset gitops: shop in dev", "ruleset gitops: till in dev",
		"ruleset gitops: proposals of production", "ruleset gitops: manifests of production", "ruleset gitops: shop in production", "ruleset gitops: till in production"}
	if got := done(p, Create); !slices.Equal(got, want) {
		t.Errorf("made %q", got)
	}
	const platform, shop, till, somebody = 1, 2, 3, 9
	for branch, may := range map[string][]float64{
		"dev/shop": {platform, shop}, "proposals/dev/shop": {platform, shop}, "dev/till": {platform, till}, "dev/built": {platform}, "dev/npm": {platform}, "proposals/dev/npm": {platform},
		"production/shop": {platform}, "proposals/production/shop": {platform, shop}, "proposals/production/till": {platform, till}, "production/npm": {platform}, "proposals/production/npm": {platform},
		"main": {platform, shop, till, somebody}, // Flux follows no other
	} {
		for _, user := range []float64{platform, shop, till, somebody} {
			if got := w.may(t, user, branch); got != slices.Contains(may, user) {
				t.Errorf("user %v at %s: may %t", user, branch, got)
			}
		}
	}
	if r := rulesOf(w.named(t, "gitops: history")); len(r) != 1 || r["non_fast_forward"] != nil {
		t.Errorf("history: %v", r)
	}
	// A service that the platform publishes from now on has no ruleset of its own, and its token is of no more use.
	f.Services[slices.IndexFunc(f.Services, func(s services.Service) bool { return s.Name == "shop" })].Publisher = services.PublisherCodeBuild
	if got := done(w.manifestsApply(t, f), Delete); len(got) != 2 || w.may(t, shop, "dev/shop") {
		t.Errorf("deleted %q", got)
	}
}

// What is not known is left alone, and said: another account's tokens, and tokens that GitHub cannot tell apart.
func TestManifestsUnknown(t *testing.T) {
	w, f := manifestsWorld(t)
	delete(w.secrets, "/production/gitops/manifests-token")
	w.secrets["/dev/gitops/publish-till"] = "shop"
	p := w.manifestsPlan(t, f)
	said := map[string]string{}
	for _, item := range p.Items {
		if item.Action == Skip {
			said[item.Object] = item.Detail
		}
	}
	for object, says := range map[string]string{
		"ruleset gitops: manifests of production": "it is elsewhere", "ruleset gitops: proposals of production": "it is elsewhere", "ruleset gitops: shop in production": "it is elsewhere",
		"ruleset gitops: till in dev": "its token is of the same user as that of shop, and GitHub tells users apart, not tokens: make one of another user, or write publisher: codebuild in k8s/services/till.yaml",
	} {
		if !strings.Contains(said[object], says) {
			t.Errorf("%s: says %q", object, said[object])
		}
	}
	// A first run with the other account's credentials had made them: they stay as they are.
	full, _ := manifestsWorld(t)
	w.secrets["/production/gitops/manifests-token"], w.secrets["/dev/gitops/publish-till"] = "platform", "till"
	w.manifestsApply(t, f)
	delete(w.secrets, "/production/gitops/manifests-token")
	if p := w.manifestsPlan(t, f); p.Changes() != 0 {
		t.Errorf("%+v", p.Items)
	}
	// Without a token the platform would be shut out.
	full.secrets = map[string]string{}
	if p := full.manifestsPlan(t, f); len(done(p, Create)) != 1 || !strings.Contains(p.Items[1].Detail, "/dev/gitops/manifests-token") {
		t.Errorf("%+v", p.Items)
	}
}

// Repositories elsewhere, the platform's own, and those that the token may not see are left alone.
func TestManifestsElsewhere(t *testing.T) {
	w, f := manifestsWorld(t)
	for _, url := range []string{"https://example.com/me/platform.git", "https://github.com/ME/other.git"} {
		f.Config.URL = url
		if all, err := DesireManifests(t.Context(), w.options, f); err != nil || len(all) > 0 {
			t.Errorf("%s: %+v, %v", url, all, err)
		}
	}
	f.Config.URL = "https://github.com/me/hidden.git"
	all, err := DesireManifests(t.Context(), w.options, f)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	p, err := NewManifestsPlan(t.Context(), w.options.Forge, all[0])
	if err != nil || p.Changes() != 0 || len(p.Items) != 1 || !strings.Contains(p.Items[0].Detail, "may push to every branch") {
		t.Errorf("%+v, %v", p, err)
	}
}
