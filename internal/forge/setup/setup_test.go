package setup

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/golden"
)

// world is a repository, the configuration of its environments, and the secrets of all their accounts.
type world struct {
	*forgetest.Server
	options Options
	secrets map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	in := fixture.Context(t)
	in["gitops"].(map[string]any)["repository"].(map[string]any)["owner"] = "me"
	c, err := config.Load(in)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Server: forgetest.New(t), secrets: map[string]string{"/dev/flux/webhook-token": `{"token": "c2VjcmV0"}`}}
	w.options = Options{
		Config: c, Forge: forge.Client{API: w.URL, Token: forgetest.Token}, ReleaseActor: "app:release",
		Secret: func(_ context.Context, e config.Environment, name string) (string, error) {
			if value, there := w.secrets[name]; there {
				return value, nil
			}
			if e.Name == "production" {
				return "", UnreadableError{"it is elsewhere"}
			}
			return "", nil
		},
		Hook: func(_ context.Context, environment string) (Hook, error) {
			return Hook{"github", "flux-system", "flux." + environment + ".example.com"}, nil
		},
	}
	return w
}

// plan compares the repository with what it shall have.
func (w *world) plan(t *testing.T) Plan {
	t.Helper()
	d, err := Desire(t.Context(), w.options)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewPlan(t.Context(), w.options.Forge, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apply does what is planned, and returns it. Afterwards nothing is left to do.
func (w *world) apply(t *testing.T) Plan {
	t.Helper()
	p := w.plan(t)
	if err := p.Apply(t.Context(), func(Item) {}); err != nil {
		t.Fatal(err)
	}
	if again := w.plan(t); again.Changes() != 0 {
		t.Fatalf("still to do: %+v", again.Items)
	}
	return p
}

// done lists the objects of a plan with an action.
func done(p Plan, action Action) []string {
	var all []string
	for _, item := range p.Items {
		if item.Action == action {
			all = append(all, item.Object)
		}
	}
	return all
}

// named is a ruleset of the server as JSON.
func (w *world) named(t *testing.T, name string) forgetest.Object {
	t.Helper()
	at := slices.IndexFunc(w.Rulesets, func(o forgetest.Object) bool { return o["name"] == name })
	if at < 0 {
		t.Fatalf("there is no ruleset %q", name)
	}
	return w.Rulesets[at]
}

// rulesOf are a ruleset's rules by their type.
func rulesOf(ruleset forgetest.Object) map[string]forgetest.Object {
	all := map[string]forgetest.Object{}
	for _, v := range ruleset["rules"].([]any) {
		r := v.(forgetest.Object)
		parameters, _ := r["parameters"].(forgetest.Object)
		all[r["type"].(string)] = parameters
	}
	return all
}

func text(t *testing.T, value any) string {
	t.Helper()
	content, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestFirstRun(t *testing.T) {
	w := newWorld(t)
	w.secrets["/dev/flux/git-write"] = `{"githubAppID": "99", "githubAppInstallationID": "1", "githubAppPrivateKey": "key"}`
	p := w.apply(t)
	want := []string{"ruleset gitops: history", "ruleset gitops: rollback", "ruleset gitops: review of dev", "ruleset gitops: review of main", "ruleset gitops: review of production", "ruleset gitops: release", "webhook of dev"}
	if got := done(p, Create); !slices.Equal(got, want) {
		t.Errorf("made %q", got)
	}
	if exclude := text(t, w.named(t, "gitops: history")["conditions"].(forgetest.Object)["ref_name"].(forgetest.Object)["exclude"]); exclude != `["refs/heads/released/integration"]` {
		t.Errorf("history is not of %s", exclude)
	}
	for name, c := range map[string]struct{ rules, bypass, include string }{
		"gitops: history": {"deletion non_fast_forward", `[]`, `["refs/heads/dev","refs/heads/main","refs/heads/production","refs/heads/released/*"]`},
		// A rollback moves it back; the ruleset of releases says who may.
		"gitops: rollback": {"deletion", `[]`, `["refs/heads/released/integration"]`},
		"gitops: release":  {"creation update", `[{"actor_id":2,"actor_type":"Integration","bypass_mode":"always"}]`, `["refs/heads/released/*"]`},
		// Flux commits image tags with the App's keys in dev; in main it has none yet, in production it proposes them.
		"gitops: review of dev":        {"pull_request required_status_checks", `[{"actor_id":99,"actor_type":"Integration","bypass_mode":"always"}]`, `["refs/heads/dev"]`},
		"gitops: review of main":       {"pull_request required_status_checks", `[]`, `["refs/heads/main"]`},
		"gitops: review of production": {"pull_request required_status_checks", `[]`, `["refs/heads/production"]`},
	} {
		s := w.named(t, name)
		rules := strings.Join(slices.Sorted(maps.Keys(rulesOf(s))), " ")
		include := text(t, s["conditions"].(forgetest.Object)["ref_name"].(forgetest.Object)["include"])
		if rules != c.rules || text(t, s["bypass_actors"]) != c.bypass || include != c.include || s["enforcement"] != "active" || s["target"] != "branch" {
			t.Errorf("%s: %s", name, text(t, s))
		}
	}
	review := rulesOf(w.named(t, "gitops: review of dev"))
	if p := review["pull_request"]; p["required_approving_review_count"] != 1.0 || p["require_code_owner_review"] != true {
		t.Error(p)
	}
	if checks := text(t, review["required_status_checks"]["required_status_checks"]); checks != `[{"context":"gitops/review"}]` {
		t.Error(checks)
	}
	// printf 'c2VjcmV0githubflux-system' | sha256sum
	const address = "https://flux.dev.example.com/hook/b35732401d3b4a661fd0f4c3cea82e40955c3f74fad7a6b964af3b36ce445ebd"
	if hook := text(t, w.Hooks[0]); len(w.Hooks) != 1 || hook != `{"active":true,"config":{"content_type":"json","insecure_ssl":"0","secret":"c2VjcmV0","url":"`+address+`"},"events":["push"],"id":`+text(t, w.Hooks[0]["id"])+`,"name":"web","type":"Repository"}` {
		t.Error(hook)
	}
}

// What a person made stricter, or added, stays; what they took away comes back, and nothing else changes.
func TestPeoplesChanges(t *testing.T) {
	const dev = "gitops: review of dev"
	parameters := func(t *testing.T, w *world, kind string) forgetest.Object { return rulesOf(w.named(t, dev))[kind] }
	for name, c := range map[string]struct {
		person  func(*testing.T, *world)
		changes string // what differs; empty: nothing to do
		check   func(*testing.T, *world) bool
	}{
		"two approvals": {func(t *testing.T, w *world) {
			parameters(t, w, "pull_request")["required_approving_review_count"] = 2.0
			parameters(t, w, "pull_request")["require_last_push_approval"] = true
		}, "", nil},
		"another rule": {func(t *testing.T, w *world) {
			s := w.named(t, dev)
			s["rules"] = append(s["rules"].([]any), forgetest.Object{"type": "required_signatures"})
		}, "", nil},
		"another check": {func(t *testing.T, w *world) {
			p := parameters(t, w, "required_status_checks")
			p["required_status_checks"] = append([]any{forgetest.Object{"context": "ci", "integration_id": 5.0}}, p["required_status_checks"].([]any)...)
		}, "", nil},
		"disabled": {func(t *testing.T, w *world) { w.named(t, dev)["enforcement"] = "disabled" }, "enforcement disabled",
			func(t *testing.T, w *world) bool { return w.named(t, dev)["enforcement"] == "active" }},
		"no approval, and another rule": {func(t *testing.T, w *world) {
			parameters(t, w, "pull_request")["required_approving_review_count"] = 0.0
			s := w.named(t, dev)
			s["rules"] = append(s["rules"].([]any), forgetest.Object{"type": "required_signatures"})
		}, "rules", func(t *testing.T, w *world) bool {
			_, signed := rulesOf(w.named(t, dev))["required_signatures"]
			return signed && parameters(t, w, "pull_request")["required_approving_review_count"] == 1.0
		}},
		"another branch excluded": {func(t *testing.T, w *world) {
			w.named(t, dev)["conditions"].(forgetest.Object)["ref_name"].(forgetest.Object)["exclude"] = []any{"refs/heads/dev"}
		}, "branches", func(t *testing.T, w *world) bool {
			return text(t, w.named(t, dev)["conditions"]) == `{"ref_name":{"exclude":[],"include":["refs/heads/dev"]}}`
		}},
		"somebody may push": {func(t *testing.T, w *world) {
			w.named(t, dev)["bypass_actors"] = []any{forgetest.Object{"actor_id": 7.0, "actor_type": "Team", "bypass_mode": "always"}}
		}, "who may push", func(t *testing.T, w *world) bool { return text(t, w.named(t, dev)["bypass_actors"]) == "[]" }},
		"a ruleset of their own": {func(_ *testing.T, w *world) {
			w.Rulesets = append(w.Rulesets, forgetest.Object{"id": 1.0, "name": "ours", "source_type": "Repository"},
				forgetest.Object{"id": 2.0, "name": "gitops: of the organization", "source_type": "Organization"})
		}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.apply(t)
			c.person(t, w)
			before, writes := text(t, w.Rulesets), len(w.Writes())
			p := w.apply(t)
			if c.changes == "" {
				if text(t, w.Rulesets) != before || len(w.Writes()) != writes {
					t.Errorf("changed: %+v", p.Items)
				}
				return
			}
			if got := done(p, Change); !slices.Equal(got, []string{"ruleset " + dev}) || len(w.Writes()) != writes+1 || !c.check(t, w) {
				t.Errorf("changed %q: %s", got, text(t, w.named(t, dev)))
			}
			at := slices.IndexFunc(p.Items, func(i Item) bool { return i.Action == Change })
			if !strings.HasPrefix(p.Items[at].Detail, c.changes+": ") {
				t.Errorf("says %q", p.Items[at].Detail)
			}
		})
	}
}

// A removed environment takes its ruleset with it, and its branch leaves the list of those whose history is kept.
func TestRemovedEnvironment(t *testing.T) {
	w := newWorld(t)
	w.apply(t)
	delete(w.options.Config.Environments, "production")
	p := w.apply(t)
	if got := done(p, Delete); !slices.Equal(got, []string{"ruleset gitops: review of production"}) {
		t.Errorf("deleted %q", got)
	}
	if got := done(p, Change); !slices.Equal(got, []string{"ruleset gitops: history"}) {
		t.Errorf("changed %q", got)
	}
}

// Where it is not known who has to push, a new ruleset would stop them, and one that is there keeps whom a person named.
func TestUnknownActors(t *testing.T) {
	w := newWorld(t)
	e := w.options.Config.Environments["production"]
	e.Delivery.ImageUpdates = config.ImageUpdatesCommit
	w.options.Config.Environments["production"], w.options.ReleaseActor = e, ""
	p := w.apply(t)
	for _, object := range []string{"ruleset gitops: review of production", "ruleset gitops: release"} {
		if !slices.Contains(done(p, Skip), object) {
			t.Errorf("%s: %+v", object, p.Items)
		}
	}
	w.secrets["/production/flux/git-write"], w.options.ReleaseActor = `{"username": "flux", "password": "ghp_flux"}`, "user:platform-bot"
	w.Tokens = map[string]int64{"ghp_flux": 12}
	w.apply(t)
	delete(w.secrets, "/production/flux/git-write")
	w.options.ReleaseActor = ""
	if p := w.apply(t); len(done(p, Change))+len(done(p, Create)) != 0 {
		t.Errorf("changed: %+v", p.Items)
	}
	for name, id := range map[string]string{"gitops: review of production": "12", "gitops: release": "1"} {
		if got := text(t, w.named(t, name)["bypass_actors"]); got != `[{"actor_id":`+id+`,"actor_type":"User","bypass_mode":"always"}]` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestFluxActor(t *testing.T) {
	for name, c := range map[string]struct {
		secret, bypass, unknown string
	}{
		"no credentials":  {"", "[]", ""},
		"a deploy key":    {`{"identity": "key", "known_hosts": "hosts"}`, `[{"actor_id":null,"actor_type":"DeployKey","bypass_mode":"always"}]`, ""},
		"a user's token":  {`{"username": "git", "password": "ghp_flux"}`, `[{"actor_id":12,"actor_type":"User","bypass_mode":"always"}]`, ""},
		"a wrong token":   {`{"username": "git", "password": "ghp_old"}`, "", "the user of the token in /dev/flux/git-write is not known: GitHub GET /user: 401"},
		"no object":       {`ghp_flux`, "", "the secret /dev/flux/git-write must be a JSON object"},
		"an App's number": {`{"githubAppID": "99"}`, `[{"actor_id":99,"actor_type":"Integration","bypass_mode":"always"}]`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.Tokens = map[string]int64{"ghp_flux": 12}
			w.secrets["/dev/flux/git-write"] = c.secret
			p := w.apply(t)
			if c.unknown != "" {
				at := slices.IndexFunc(p.Items, func(i Item) bool { return i.Object == "ruleset gitops: review of dev" })
				if p.Items[at].Action != Skip || !strings.HasPrefix(p.Items[at].Detail, c.unknown) || strings.Contains(p.Items[at].Detail, "ghp_") {
					t.Errorf("%+v", p.Items[at])
				}
				return
			}
			if got := text(t, w.named(t, "gitops: review of dev")["bypass_actors"]); got != c.bypass {
				t.Error(got)
			}
		})
	}
}

func TestHooks(t *testing.T) {
	w := newWorld(t)
	w.apply(t)
	config := w.Hooks[0]["config"].(forgetest.Object)
	config["content_type"], config["secret"] = "form", ""
	p := w.apply(t)
	if got := done(p, Change); !slices.Equal(got, []string{"webhook of dev"}) || w.Hooks[0]["config"].(forgetest.Object)["secret"] != "c2VjcmV0" {
		t.Errorf("%q: %v", got, w.Hooks)
	}
	// Another token is another path. Whose the earlier one is, a person has to say.
	w.secrets["/dev/flux/webhook-token"] = `{"token": "other"}`
	p = w.apply(t)
	if len(w.Hooks) != 2 || !slices.Contains(done(p, Skip), "webhook "+text(t, w.Hooks[0]["id"])) {
		t.Errorf("%+v", p.Items)
	}
}

// What the token lacks is said in one line.
func TestRights(t *testing.T) {
	for _, right := range []string{"Metadata: read", "Administration: write", "Webhooks: read", "Webhooks: write"} {
		for _, hidden := range []bool{false, true} {
			w := newWorld(t)
			w.Lacks, w.Hidden = []string{right}, hidden
			d, err := Desire(t.Context(), w.options)
			if err != nil {
				t.Fatal(err)
			}
			p, err := NewPlan(t.Context(), w.options.Forge, d)
			if err == nil {
				err = p.Apply(t.Context(), func(Item) {})
			}
			if err == nil || !strings.Contains(err.Error(), "the token must have '"+right+"' on me/platform") || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: %v", right, err)
			}
		}
	}
}

// Who may not see who passes a ruleset finds no difference there.
func TestPlanOfAReader(t *testing.T) {
	w := newWorld(t)
	w.apply(t)
	w.Lacks = []string{"Administration: write"}
	if p := w.plan(t); p.Changes() != 0 {
		t.Errorf("%+v", p.Items)
	}
}

func TestTable(t *testing.T) {
	w := newWorld(t)
	e := w.options.Config.Environments["dev"]
	e.Branch = strings.Repeat("a-long-branch/", 8) + "of-dev"
	e.Delivery.Review = false
	w.options.Config.Environments["dev"] = e
	var b strings.Builder
	w.plan(t).Print(&b)
	golden.Compare(t, "testdata/plan.txt", []byte(b.String()))
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestFindHook(t *testing.T) {
	root := fixture.Tree(t)
	got, err := FindHook(t.Context(), root, "dev")
	if want := (Hook{"github", "flux-system", "flux.dev.example.com"}); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	file := filepath.Join(root, "k8s/platform/configs/kustomization.yaml")
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(content), "  - flux-webhook.yaml\n", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := FindHook(t.Context(), root, "dev"); err != nil || got != (Hook{}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// An environment that rolls back no more has its branch protected as the others.
func TestNoRollbackAnyMore(t *testing.T) {
	w := newWorld(t)
	w.apply(t)
	e := w.options.Config.Environments["integration"]
	e.Delivery.Rollback = false
	w.options.Config.Environments["integration"] = e
	p := w.apply(t)
	if changed, gone := done(p, Change), done(p, Delete); !slices.Equal(changed, []string{"ruleset gitops: history"}) || !slices.Equal(gone, []string{"ruleset gitops: rollback"}) {
		t.Errorf("changed %q, deleted %q", changed, gone)
	}
	if c := text(t, w.named(t, "gitops: history")["conditions"]); !strings.Contains(c, `"exclude":[]`) {
		t.Error(c)
	}
}
