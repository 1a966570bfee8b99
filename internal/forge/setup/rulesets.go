package setup

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/forge"
)

// Prefix begins the names of the rulesets that are this program's. Others are never changed nor deleted.
const Prefix = "gitops: "

// Released are the branches that Flux follows: released/<environment>.
const Released = "released/*"

// ruleset is a ruleset that the repository shall have.
type ruleset struct {
	forge.Ruleset
	// does says what it enforces.
	does string
	// unknown says why it is not known who may pass it. Then those who may stay, and a new one is not made.
	unknown string
}

// newRuleset is one of branches, which nobody passes.
func newRuleset(name, does string, branches []string, rules ...any) ruleset {
	s := forge.Ruleset{Name: Prefix + name, Target: "branch", Enforcement: "active", Bypass: []forge.Actor{}, Rules: rules}
	s.Conditions.RefName.Exclude = []string{}
	for _, branch := range branches {
		s.Conditions.RefName.Include = append(s.Conditions.RefName.Include, "refs/heads/"+branch)
	}
	return ruleset{Ruleset: s, does: does}
}

// rule is one without parameters.
func rule(kind string) any { return map[string]any{"type": kind} }

// rulesets are all that the repository shall have. Who passes a ruleset passes all of its rules, so what binds everybody is
// one of its own.
func (d Desired) rulesets() []ruleset {
	var names []string
	for _, b := range d.Branches {
		names = append(names, b.Name)
	}
	does := "no forced push and no deletion of " + strings.Join(append(names, Released), ", ")
	if len(d.Rollbacks) > 0 {
		does += " without " + strings.Join(d.Rollbacks, ", ")
	}
	history := newRuleset("history", does, append(names, Released), rule("deletion"), rule("non_fast_forward"))
	all := []ruleset{history}
	if len(d.Rollbacks) > 0 {
		// Who may push it, by the last ruleset, may then force it: passing a ruleset for one rule would be passing it for deletions.
		back := newRuleset("rollback", "no deletion of "+strings.Join(d.Rollbacks, ", ")+", which a rollback moves back", d.Rollbacks, rule("deletion"))
		all[0].Conditions.RefName.Exclude = back.Conditions.RefName.Include
		all = append(all, back)
	}
	for _, b := range d.Branches {
		all = append(all, b.review())
	}
	release := newRuleset("release", "only the platform makes and moves "+Released, []string{Released}, rule("creation"), rule("update"))
	release.allow(d.Release)
	return append(all, release)
}

// pullRequest lets a change in by a pull request with an approval alone, and with the code owners' where they have to.
func pullRequest(owners bool) any {
	return map[string]any{"type": "pull_request", "parameters": map[string]any{
		"dismiss_stale_reviews_on_push":     true,
		"require_code_owner_review":         owners,
		"require_last_push_approval":        false,
		"required_approving_review_count":   1.0,
		"required_review_thread_resolution": false,
	}}
}

// review is how a change reaches the branch: by a pull request that was reviewed.
func (b Branch) review() ruleset {
	rules := []any{pullRequest(true)}
	does := "pull requests only, with an approval and the code owners'"
	var checks []any
	for _, c := range []struct {
		context string
		asked   bool
	}{{forge.ReviewContext, b.Reviewed}, {forge.RehearsalContext, b.Rehearsed}} {
		if c.asked {
			does += ", and the check " + c.context
			checks = append(checks, map[string]any{"context": c.context})
		}
	}
	if len(checks) > 0 {
		rules = append(rules, map[string]any{"type": "required_status_checks", "parameters": map[string]any{
			// A new environment's branch is pushed before anything reviews it.
			"do_not_enforce_on_create":             true,
			"required_status_checks":               checks,
			"strict_required_status_checks_policy": false,
		}})
	}
	s := newRuleset("review of "+b.Name, does, []string{b.Name}, rules...)
	s.allow(b.Writers)
	return s
}

// allow lets actors pass.
func (s *ruleset) allow(a Actors) {
	s.Bypass, s.unknown = append(s.Bypass, a.Known...), a.Unknown
	if len(a.Known) > 0 || a.Unknown != "" {
		s.does += "; " + a.Who + " may push"
	}
}

// over lays the wanted ruleset over the one that is there: stricter settings and other rules that a person made stay. What
// differs is said.
func (s ruleset) over(have forge.Ruleset) (merged forge.Ruleset, differs []string) {
	merged = s.Ruleset
	merged.ID = have.ID
	merged.Rules, _ = overlay(have.Rules, s.Rules).([]any)
	if s.unknown != "" || have.Bypass == nil {
		merged.Bypass = have.Bypass
	}
	for _, part := range []struct {
		name string
		same bool
	}{
		{"enforcement " + have.Enforcement, have.Enforcement == merged.Enforcement && have.Target == merged.Target},
		{"branches", sameSet(have.Conditions.RefName.Include, merged.Conditions.RefName.Include) && sameSet(have.Conditions.RefName.Exclude, merged.Conditions.RefName.Exclude)},
		{"rules", reflect.DeepEqual(have.Rules, merged.Rules)},
		{"who may push", sameSet(have.Bypass, merged.Bypass)},
	} {
		if !part.same {
			differs = append(differs, part.name)
		}
	}
	return merged, differs
}

// sameSet compares two lists whose order means nothing.
func sameSet[T comparable](a, b []T) bool {
	in := func(list []T) func(T) bool { return func(v T) bool { return !slices.Contains(list, v) } }
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}

// overlay lays JSON over JSON: of two numbers the larger counts and of two booleans the true one, which is the stricter in
// every rule that this program sets; what lists have is joined.
func overlay(have, want any) any {
	switch w := want.(type) {
	case map[string]any:
		h, _ := have.(map[string]any)
		merged := maps.Clone(h)
		if merged == nil {
			merged = map[string]any{}
		}
		for key, value := range w {
			merged[key] = overlay(h[key], value)
		}
		return merged
	case []any:
		h, _ := have.([]any)
		merged := slices.Clone(h)
		for _, value := range w {
			at := slices.IndexFunc(h, func(other any) bool { return identity(other) == identity(value) })
			if at < 0 {
				merged = append(merged, value)
			} else {
				merged[at] = overlay(h[at], value)
			}
		}
		return merged
	case float64:
		h, _ := have.(float64)
		return max(h, w)
	case bool:
		h, _ := have.(bool)
		return h || w
	}
	return want
}

// identity tells the elements of a list apart: rules by their type, checks by their context.
func identity(value any) string {
	o, _ := value.(map[string]any)
	return fmt.Sprint(o["type"], o["context"])
}
