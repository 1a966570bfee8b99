// Package drift looks for what is otherwise than the repository says, in both halves of an environment: stacks that somebody
// changed by hand, objects that somebody else than Flux wrote, what Flux does not apply, and what ends soon. It changes nothing, but for Repairer, which puts back.
package drift

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/internal/audit"
	"k8s-plus-aws-gitops/internal/cause"
)

// State is what is wrong.
type State string

// The states, the worst first.
const (
	// Expired: its time is over, or it is about to be deleted.
	Expired State = "expired"
	// Deleted: it is not there any more.
	Deleted State = "deleted"
	// Failing: what should bring it to the repository's state cannot.
	Failing State = "failing"
	// Changed: it is otherwise than the repository says.
	Changed State = "changed"
	// Suspended: nothing brings it to the repository's state.
	Suspended State = "suspended"
	// Behind: it is what the repository said earlier.
	Behind State = "behind"
	// Soon: its time is over soon.
	Soon State = "soon"
)

var worst = []State{Expired, Deleted, Failing, Changed, Suspended, Behind, Soon}

// Half of an environment.
type Half string

// The halves.
const (
	AWS        Half = "aws"
	Kubernetes Half = "kubernetes"
)

// Finding is one thing that is otherwise than it should be.
type Finding struct {
	State State `json:"state"`
	Half  Half  `json:"half"`
	// Object names it: "dev-network/Vpc8378EB38", "Kustomization apps".
	Object string `json:"object"`
	// Detail says what was found, in one line.
	Detail string `json:"detail"`
	// Differences are those of a stack's resource; values that may be secret are hidden.
	Differences []Difference `json:"differences,omitempty"`
	// Manager is who wrote fields of an object of Kubernetes, and At when.
	Manager string     `json:"manager,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	// By is who sent the request, as the audit log has it.
	By []audit.Request `json:"by,omitempty"`
	// Fields are those that the manager owns.
	Fields []string `json:"fields,omitempty"`
	// Do is what to do.
	Do string `json:"do"`
	// Type of a stack's resource.
	Type string `json:"type,omitempty"`
	// PutBack is what puts it back when it is asked to: "Kustomization flux-system/apps", "HelmRelease …", "stack dev-network". Empty:
	// nothing does.
	PutBack string `json:"putBack,omitempty"`
	// Check is what found it.
	Check string `json:"check"`
}

// Difference is a property of a resource.
type Difference struct {
	// Path is a JSON pointer into the properties.
	Path string `json:"path"`
	// Expected is what the template says, Actual what AWS has; empty where one of them has nothing.
	Expected string `json:"expected,omitempty"`
	Actual   string `json:"actual,omitempty"`
}

// Unseen is what could not be looked at.
type Unseen struct {
	What string `json:"what"`
	Why  string `json:"why"`
	// Check is what would have looked.
	Check string `json:"check"`
}

// Report is everything that was found.
type Report struct {
	Environment string    `json:"environment"`
	Findings    []Finding `json:"findings"`
	// Unseen is what could not be looked at: it may differ or not.
	Unseen []Unseen `json:"unseen,omitempty"`
	// Notes say what nobody can look at, such as types of resources that CloudFormation does not compare.
	Notes []string `json:"notes,omitempty"`
	// Repairs are what was done about it, where that was asked for.
	Repairs []Repair `json:"repairs,omitempty"`
	// Checks are what was looked at, or was tried to.
	Checks []string `json:"checks"`
}

// Code is the exit code: 0 without a finding that was left, 1 with one, 2 without one where not everything could be looked at.
func (r *Report) Code() int {
	switch {
	case r.Left() > 0:
		return 1
	case len(r.Unseen) > 0:
		return 2
	}
	return 0
}

// Check is one thing to look at.
type Check struct {
	// What is looked at, for whoever waits, and for what could not be looked at.
	What string
	Run  func(ctx context.Context, found *Found) error
}

// Found collects what a check finds; several may add at the same time.
type Found struct {
	mu     *sync.Mutex
	report *Report
	check  string
}

func (f *Found) add(findings ...Finding) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, found := range findings {
		found.Check = f.check
		f.report.Findings = append(f.report.Findings, found)
	}
}

func (f *Found) unseen(what string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Unseen = append(f.report.Unseen, Unseen{what, reason(err), f.check})
}

func (f *Found) note(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.report.Notes = append(f.report.Notes, fmt.Sprintf(format, args...))
}

// Outside says what is left out where a plug-in serves the environment.
func Outside(plugin, environment string) Check {
	return Check{"what is in AWS alone", func(_ context.Context, found *Found) error {
		found.note("resources of stacks, versions of the cluster and of databases, the rights of CloudFormation: not looked at, %s serves %s, not AWS.", plugin, environment)
		return nil
	}}
}

// Look runs the checks at the same time. What one of them cannot look at keeps no other from looking; told hears of each that
// is done. The context's end ends them, and what they have not seen by then is unseen.
func Look(ctx context.Context, environment string, checks []Check, told func(what string)) *Report {
	report := &Report{Environment: environment, Findings: []Finding{}}
	var mu sync.Mutex
	var group errgroup.Group
	for _, c := range checks {
		report.Checks = append(report.Checks, c.What)
		found := &Found{&mu, report, c.What}
		group.Go(func() error {
			if err := c.Run(ctx, found); err != nil {
				found.unseen(c.What, err)
			}
			told(c.What)
			return nil
		})
	}
	_ = group.Wait() // no check returns an error here
	slices.SortStableFunc(report.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(slices.Index(worst, a.State), slices.Index(worst, b.State)), cmp.Compare(a.Half, b.Half), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Detail, b.Detail))
	})
	slices.SortFunc(report.Unseen, func(a, b Unseen) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	slices.Sort(report.Notes)
	slices.Sort(report.Checks)
	return report
}

// reason says in one line why something was not looked at.
func reason(err error) string { return cause.Of(err, "docs/guides/drift.md") }

func oneLine(text string) string { return cause.OneLine(text) }
