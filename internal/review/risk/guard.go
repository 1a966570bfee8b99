package risk

import (
	"fmt"
	"strings"
	"time"

	"k8s-plus-aws-gitops/config"
)

// Apply decides whether changes that lose data may pass: each needs an entry in the environment's allowReplacement that
// names the resource and has not expired. It sets the verdict of every guarded finding of an environment. It returns a line
// for each entry that has expired or that no finding needs, so that exceptions do not outlive their change.
func Apply(environment string, found []Finding, allowances []config.Allowance, now time.Time) []string {
	used := make([]bool, len(allowances))
	for i := range found {
		if found[i].Guarded {
			judge(&found[i], allowances, used, now)
		}
	}
	Sort(found)
	var notes []string
	for i, allowance := range allowances {
		at := fmt.Sprintf("%s.environments.%s.allowReplacement[%d]", config.Root, environment, i)
		switch {
		case expired(allowance, now):
			notes = append(notes, fmt.Sprintf("%s: the entry for %s expired on %s; remove it, or give a later day and say why", at, allowance.Resource, allowance.Until))
		case !used[i]:
			notes = append(notes, fmt.Sprintf("%s: no change needs the entry for %s; remove it once its change is deployed", at, allowance.Resource))
		}
	}
	return notes
}

// judge sets the verdict of one finding.
func judge(f *Finding, allowances []config.Allowance, used []bool, now time.Time) {
	f.Verdict = Forbidden
	f.Note = "add to allowReplacement of the environment in cdk.json: " + entry(*f, now)
	for i, allowance := range allowances {
		if !names(allowance.Resource, *f) {
			continue
		}
		used[i] = true
		if expired(allowance, now) {
			f.Note = fmt.Sprintf("its entry in allowReplacement expired on %s", allowance.Until)
			continue
		}
		f.Verdict = Allowed
		f.Note = fmt.Sprintf("allowed until %s: %s", allowance.Until, allowance.Reason)
		return
	}
}

// entry is what would let the change pass: two weeks are enough to merge and deploy it.
func entry(f Finding, now time.Time) string {
	return fmt.Sprintf(`{"resource": %q, "until": %q, "reason": "…"}`, f.Resource, now.UTC().AddDate(0, 0, 14).Format(time.DateOnly))
}

// names tells whether an entry means the finding's resource: by logical id, with the stack's name in AWS or without the
// environment in front, or by construct path.
func names(resource string, f Finding) bool {
	environment, rest, _ := strings.Cut(resource, "/")
	if own, _, _ := strings.Cut(f.Resource, "/"); own != environment {
		return false
	}
	short := environment + "/" + strings.TrimPrefix(rest, environment+"-")
	path := strings.TrimSuffix(strings.TrimSuffix(resource, "/Resource"), "/Default")
	return short == f.Resource || f.Path != "" && path == f.Path
}

// expired tells whether an entry's last day is over, in UTC. The configuration has checked the day.
func expired(allowance config.Allowance, now time.Time) bool {
	return now.UTC().Format(time.DateOnly) > allowance.Until
}
