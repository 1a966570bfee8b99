package review

import (
	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
	"k8s-plus-aws-gitops/internal/review/cost"
	"k8s-plus-aws-gitops/internal/review/kubediff"
	"k8s-plus-aws-gitops/internal/review/risk"
)

// Exit codes of `gitops review`.
const (
	ExitSame      = 0 // nothing changes
	ExitChanged   = 1
	ExitError     = 2
	ExitForbidden = 3 // a change that needs an entry in allowReplacement
)

// Review is what a change does.
type Review struct {
	Base Side `json:"base"`
	Head Side `json:"head"`
	// Environments in alphabetical order, also those in which nothing changes.
	Environments []Environment `json:"environments"`
	// Prices names the table that the cost is made of.
	Prices Prices `json:"prices"`
	// Rehearsal is what a rehearsal of the change found; nil without one.
	Rehearsal *rehearsal.Result `json:"rehearsal,omitempty"`
}

// Prices is where the prices come from.
type Prices struct {
	Date     string `json:"date"`
	Region   string `json:"region"`
	Currency string `json:"currency"`
	Source   string `json:"source"`
}

// Side is one of the two states that are compared.
type Side struct {
	// Name as the user gave it: a revision, or "working tree".
	Name string `json:"name"`
	// Commit that was compared; empty for a working tree with changes.
	Commit string `json:"commit,omitempty"`
}

// Status of an environment or a stack.
type Status string

// The states.
const (
	Kept    Status = "kept" // on both sides
	Added   Status = "added"
	Removed Status = "removed"
)

// Environment is what a change does in one environment.
type Environment struct {
	Name    string `json:"name"`
	Branch  string `json:"branch"`
	Account string `json:"account"`
	Region  string `json:"region"`
	Status  Status `json:"status"`
	// Findings are what a reviewer has to see first, worst first.
	Findings []risk.Finding `json:"findings,omitempty"`
	// Notes are about exceptions in cdk.json, and what could not be compared.
	Notes []string `json:"notes,omitempty"`
	// Stacks that differ.
	Stacks []Stack `json:"stacks,omitempty"`
	// Kustomizations that differ.
	Kustomizations []kubediff.Kustomization `json:"kustomizations,omitempty"`
	Cost           cost.Delta               `json:"cost"`
	// Before and After are what Flux would apply, in full.
	Before manifests.Rendered `json:"-"`
	After  manifests.Rendered `json:"-"`
}

// Changed tells whether anything differs.
func (e Environment) Changed() bool { return len(e.Stacks) > 0 || len(e.Kustomizations) > 0 }

// Stack is a CloudFormation stack that differs.
type Stack struct {
	// Part is the name within the environment, Name the name in CloudFormation.
	Part   string `json:"part"`
	Name   string `json:"name"`
	Status Status `json:"status"`
	cfndiff.Diff
}

// Count returns how many resources are created, changed, replaced and removed.
func (s Stack) Count() (created, changed, replaced, removed int) {
	for _, r := range s.Resources {
		switch r.Impact {
		case cfndiff.Create:
			created++
		case cfndiff.Replace:
			replaced++
		case cfndiff.Destroy, cfndiff.Orphan:
			removed++
		default:
			changed++
		}
	}
	return created, changed, replaced, removed
}

// Forbidden returns how many changes lack an entry in allowReplacement.
func (r *Review) Forbidden() int {
	count := 0
	for _, e := range r.Environments {
		for _, f := range e.Findings {
			if f.Verdict == risk.Forbidden {
				count++
			}
		}
	}
	return count
}

// Changed tells whether anything differs anywhere.
func (r *Review) Changed() bool {
	for _, e := range r.Environments {
		if e.Changed() {
			return true
		}
	}
	return false
}

// ExitCode is the exit code of the command.
func (r *Review) ExitCode() int {
	switch {
	case r.Forbidden() > 0:
		return ExitForbidden
	case r.Changed():
		return ExitChanged
	default:
		return ExitSame
	}
}
