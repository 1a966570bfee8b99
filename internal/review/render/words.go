package render

import (
	"fmt"
	"strings"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// verdict is the review in one sentence.
func verdict(r *review.Review) string {
	findings := len(findings(r))
	switch {
	case r.Forbidden() > 0:
		return fmt.Sprintf("FORBIDDEN: %s an entry in allowReplacement.", count(r.Forbidden(), "change needs", "changes need"))
	case !r.Changed():
		return "Nothing changes, in AWS or in Kubernetes."
	case findings > 0:
		return fmt.Sprintf("%s to read first.", count(findings, "thing", "things"))
	default:
		return "No replacement, no deletion, no wider access."
	}
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// tally lists the counts that are not zero.
func tally(pairs ...any) string {
	var parts []string
	for i := 0; i < len(pairs); i += 2 {
		if n := pairs[i].(int); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, pairs[i+1]))
		}
	}
	if len(parts) == 0 {
		return "no change"
	}
	return strings.Join(parts, ", ")
}

// stacksCell sums an environment's stacks up.
func stacksCell(e review.Environment) string {
	var created, changed, replaced, removed, other, left int
	for _, s := range e.Stacks {
		if s.Status == review.Removed {
			left++
			continue
		}
		c, u, r, d := s.Count()
		created, changed, replaced, removed, other = created+c, changed+u, replaced+r, removed+d, other+len(s.Other)
	}
	stay := count(left, "stack leaves the app and stays in AWS", "stacks leave the app and stay in AWS")
	switch {
	case left > 0 && left == len(e.Stacks):
		return stay
	case left > 0:
		return tally(created, "created", changed, "changed", replaced, "REPLACED", removed, "REMOVED") + "; " + stay
	case created+changed+replaced+removed == 0 && other > 0:
		return count(other, "output or parameter", "outputs or parameters") + " changed"
	}
	return tally(created, "created", changed, "changed", replaced, "REPLACED", removed, "REMOVED")
}

// objectsCell sums an environment's objects up.
func objectsCell(e review.Environment) string {
	added, changed, removed := kubediff.Count(e.Kustomizations)
	return tally(added, "added", changed, "changed", removed, "removed")
}

// costCell is what the change adds each month.
func costCell(e review.Environment, currency string) string {
	text := signed(e.Cost.Change()) + " " + currency
	if len(e.Cost.Unknown) > 0 {
		text += " and " + count(len(e.Cost.Unknown), "unknown price", "unknown prices")
	}
	return text
}

// signed writes an amount with its sign; zero has none.
func signed(amount float64) string {
	if amount < 0.005 && amount > -0.005 {
		return "0"
	}
	return fmt.Sprintf("%+.2f", amount)
}

// kindWords names kinds of findings for people.
var kindWords = map[risk.Kind]string{
	risk.Replacement: "replacement", risk.Deletion: "deletion", risk.Protection: "less protection",
	risk.IAM: "wider access", risk.Network: "wider network", risk.Stack: "stack",
	risk.Refused: "refused by AWS", risk.Capacity: "capacity",
	risk.Secrets: "secrets of others", risk.Privilege: "more privilege", risk.Image: "origin of what runs", risk.Unseen: "not looked into",
}

// word is a finding's kind with the guard's verdict.
func word(f risk.Finding) string {
	switch f.Verdict {
	case risk.Forbidden:
		return "FORBIDDEN " + kindWords[f.Kind]
	case risk.Allowed:
		return "allowed " + kindWords[f.Kind]
	default:
		return kindWords[f.Kind]
	}
}

// name of a side with its commit.
func name(s review.Side) string {
	if s.Commit == "" || strings.HasPrefix(s.Commit, s.Name) {
		return s.Name
	}
	return fmt.Sprintf("%s (%.8s)", s.Name, s.Commit)
}

// provenance says where the prices are from.
func provenance(p review.Prices) string {
	return fmt.Sprintf("Prices: %s, %s, %s. Without traffic, requests and what else is paid by use.", p.Source, p.Region, p.Date)
}

// simulated tells whether an environment is the one on this machine, whose resources cost nothing.
func simulated(e review.Environment) bool { return e.Account == "000000000000" }
