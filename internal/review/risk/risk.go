// Package risk finds what a reviewer has to see first, in a stack's difference and among Kubernetes objects: replacements
// and deletions of what holds data, lost protection, and every widening of access. Its guard decides which may pass.
package risk

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// Kind groups findings; the kinds are in the order in which a reviewer reads them.
type Kind string

// The kinds.
const (
	// Replacement makes a new resource and deletes the old one.
	Replacement Kind = "replacement"
	// Deletion removes a resource from AWS, or from the stack that looked after it.
	Deletion Kind = "deletion"
	// Protection weakens what keeps data from being deleted.
	Protection Kind = "protection"
	// Secrets lets somebody read what is not theirs.
	Secrets Kind = "secrets"
	// IAM lets somebody do more, in AWS or in the cluster.
	IAM Kind = "iam"
	// Privilege brings a container closer to its node.
	Privilege Kind = "privilege"
	// Network lets more traffic through.
	Network Kind = "network"
	// Image is about where that comes from that runs.
	Image Kind = "image"
	// Unseen could not be looked into.
	Unseen Kind = "unseen"
	// Refused is what AWS refuses, or takes only under conditions.
	Refused Kind = "refused"
	// Capacity is about how much can run.
	Capacity Kind = "capacity"
	// Stack is about a stack as a whole.
	Stack Kind = "stack"
)

// kinds in the order of reading.
var kinds = []Kind{Replacement, Deletion, Refused, Protection, Secrets, Privilege, IAM, Network, Image, Capacity, Unseen, Stack}

// Finding is one thing that a reviewer has to see.
type Finding struct {
	Kind Kind `json:"kind"`
	// Rule is the one of docs/guides/review-rules.md, of a finding in a manifest.
	Rule string `json:"rule,omitempty"`
	// Resource is "<environment>/<stack>/<logical id>" or "<environment>/<Kind>/<namespace>/<name>", as allowReplacement names it.
	Resource string `json:"resource"`
	// Path is the resource's construct path, the other name that allowReplacement takes; may be empty.
	Path string `json:"path,omitempty"`
	Type string `json:"type,omitempty"`
	// Message says what happens.
	Message string `json:"message"`
	// Remedy says what to do; empty if the message does.
	Remedy string `json:"remedy,omitempty"`
	// Guarded tells that the change needs an entry in allowReplacement.
	Guarded bool `json:"guarded,omitempty"`
	// Verdict of the guard on a guarded change; empty before it was asked.
	Verdict Verdict `json:"verdict,omitempty"`
	// Note explains the verdict.
	Note string `json:"note,omitempty"`
}

// Verdict is what the guard says about a guarded change.
type Verdict string

// The verdicts.
const (
	Forbidden Verdict = "forbidden"
	Allowed   Verdict = "allowed"
)

// Place is where a difference was found.
type Place struct{ Environment, Stack string }

// resource names a resource of the place.
func (p Place) resource(id string) string { return p.Environment + "/" + p.Stack + "/" + id }

// Find returns the findings of a stack that is there before and after.
func Find(place Place, diff cfndiff.Diff) []Finding {
	var found []Finding
	for _, r := range diff.Resources {
		found = append(found, lifecycle(place, r)...)
		found = append(found, protection(place, r)...)
		found = append(found, access(place, r)...)
		found = append(found, eks(place, r, diff.Resources)...)
	}
	found = append(found, statements(place, diff.IAM)...)
	found = append(found, rules(place, diff.Groups)...)
	Sort(found)
	return found
}

// Added returns the findings of a stack that is new: its statements are not wider than anything, but they are to be read.
func Added(place Place, diff cfndiff.Diff) []Finding {
	allow := 0
	for _, s := range diff.IAM.Added {
		if s.Effect != "Deny" {
			allow++
		}
	}
	rules := len(diff.Groups.IngressAdded) + len(diff.Groups.EgressAdded)
	return []Finding{{
		Kind: Stack, Resource: place.Environment + "/" + place.Stack,
		Message: fmt.Sprintf("is new: %d resources, with %d IAM statements that allow, %d managed policies and %d security-group rules to read below",
			len(diff.Resources), allow, len(diff.IAM.PoliciesAdded), rules),
	}}
}

// Removed returns the findings of a stack that the app no longer has. Nothing deletes it: `cdk deploy` leaves alone what
// it does not know.
func Removed(place Place, resources int) []Finding {
	return []Finding{{
		Kind: Stack, Resource: place.Environment + "/" + place.Stack,
		Message: fmt.Sprintf("is no longer in the app; its %d resources stay in AWS, and cost, until somebody deletes the stack", resources),
	}}
}

// Sort orders findings: forbidden first, then by kind, then by resource.
func Sort(found []Finding) {
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(rank(a), rank(b)),
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
			strings.Compare(a.Resource, b.Resource),
			strings.Compare(a.Message, b.Message),
		)
	})
}

// rank puts what is forbidden before what is allowed, and both before the rest.
func rank(f Finding) int {
	switch {
	case f.Verdict == Forbidden:
		return 0
	case f.Guarded:
		return 1
	default:
		return 2
	}
}
