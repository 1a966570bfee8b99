package rehearsal

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Finding is something that went wrong.
type Finding struct {
	// Broke is true for what makes the verdict; the rest is to be looked at.
	Broke bool `json:"broke"`
	// What it is, in a word or two.
	What string `json:"what"`
	// Where: a stage, a host, namespace/kind/name, a resource.
	Where string `json:"where"`
	// Detail in one line.
	Detail string `json:"detail,omitempty"`
}

func (f Finding) String() string {
	return strings.TrimSuffix(f.What+": "+f.Where+": "+f.Detail, ": ")
}

// Judge finds what went wrong and sets the verdict. A rehearsal that could not run stays one, without findings. What broke comes
// first: the merge, which says its own cause, then what was seen, then the revert.
func (r *Result) Judge() {
	if r.CannotShow == nil {
		r.CannotShow = CannotShow()
	}
	r.Findings = nil
	if r.Verdict == CouldNotRun {
		return
	}
	if r.With != "" {
		r.judgeOrders()
		return
	}
	for _, found := range [][]Finding{
		r.Checks, r.merges(), r.restarts(), r.hosts(), r.targets(), r.migrations(), r.refused(), r.errors(), r.events(),
		r.reverted(), r.AWS.findings("AWS"), r.Kubernetes.findings("Kubernetes"),
	} {
		r.Findings = append(r.Findings, found...)
	}
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		return cmp.Compare(rank(a), rank(b))
	})
	r.Verdict, r.Cause = Verified, ""
	if len(r.Findings) > 0 && r.Findings[0].Broke {
		r.Verdict, r.Cause = Broke, r.Findings[0].String()
	}
}

func rank(f Finding) int {
	if f.Broke {
		return 0
	}
	return 1
}

// merges are the findings of the merge, or of two, each by the name of what was merged.
func (r *Result) merges() []Finding {
	if len(r.Order) < 2 {
		return r.Merge.findings("merge")
	}
	all := r.Merge.findings("merge of " + r.Order[0])
	if r.Second != nil {
		all = append(all, r.Second.findings("merge of "+r.Order[1]+" on top")...)
	}
	return all
}

func (h Half) findings(name string) []Finding {
	var all []Finding
	for _, s := range h.Stages {
		if s.State == Failed {
			all = append(all, Finding{true, "failed", s.Name + " of the " + name, oneLine(cmp.Or(s.Cause, h.Cause))})
		}
	}
	if len(all) == 0 && h.State != Succeeded {
		all = append(all, Finding{true, "failed", "the " + name, oneLine(cmp.Or(h.Cause, "it was not verified"))})
	}
	return all
}

// reverted are the findings of the revert. After a merge that failed there may be none.
func (r *Result) reverted() []Finding {
	if r.Revert.State == "" && r.Merge.State != Succeeded {
		return nil
	}
	return r.Revert.findings("revert")
}

func (o Observations) restarts() []Finding {
	var all []Finding
	for _, r := range o.Restarts {
		where := r.String()
		if r.Container != "" {
			where += " (" + r.Container + ")"
		}
		all = append(all, Finding{true, "restart", where, fmt.Sprintf("%s in %s: %s", times(r.Count), r.Phase, oneLine(r.Reason))})
	}
	return all
}

func (o Observations) hosts() []Finding {
	var all []Finding
	for _, h := range o.Hosts {
		if lost := h.Lost(); lost > 0 {
			f := Finding{h.judged(), "requests lost", h.Name, fmt.Sprintf("%s of %s", grouped(lost), grouped(h.Requests()))}
			if h.FirstLost != nil && !h.going(h.FirstLost.Phase) {
				f.Detail += fmt.Sprintf(", the first %s into %s: %s", seconds(h.FirstLost.Seconds), h.FirstLost.Phase, oneLine(h.FirstLost.Said))
			}
			if !f.Broke {
				f.Detail += "; the base lost requests, too"
			}
			all = append(all, f)
		}
		if s := h.Session; !s.Kept && s.Why != "" && !h.going(s.Phase) {
			all = append(all, Finding{h.judged(), "session lost", h.Name, strings.TrimSuffix(oneLine(s.Why)+" in "+string(s.Phase), " in ")})
		}
		if f, slower := h.slower(); slower {
			all = append(all, f)
		}
	}
	return all
}

// judged reports whether the base served the host well enough to say that the change did harm.
func (h Host) judged() bool { return h.Period(Before).Lost == 0 }

// slower reports whether the change answers much slower than the base. It is no verdict: the machine is not production's.
func (h Host) slower() (Finding, bool) {
	before, hold := h.Period(Before), h.Period(Hold)
	// Below 20 answers the slowest is the percentile. A busy machine, which another build shares, made hosts that a change did
	// not touch three times as slow, by 180 ms.
	if min(before.Requests, hold.Requests) < 20 || hold.P50 < 3*before.P50 || hold.P50-before.P50 < 250 {
		return Finding{}, false
	}
	return Finding{false, "slower", h.Name, fmt.Sprintf("half of the answers took %.0f ms before, %.0f ms with the change", before.P50, hold.P50)}, true
}

// unhealthyLimit is how long the load balancer may find no pod of a Service healthy, in seconds, while pods are replaced.
const unhealthyLimit = 10

func (o Observations) targets() []Finding {
	var all []Finding
	for _, u := range o.Unhealthy {
		if u.Seconds >= unhealthyLimit {
			detail := fmt.Sprintf("no pod passes the load balancer's health check for %s from %s on: %s", seconds(u.Seconds), u.Phase, oneLine(u.Reason))
			all = append(all, Finding{true, "unhealthy", u.String(), strings.TrimSuffix(detail, ": ")})
		}
	}
	return all
}

// lockLimit is how long a migration may keep others waiting, in seconds: clients of the applications give up after some.
const lockLimit = 5

func (o Observations) migrations() []Finding {
	var all []Finding
	for _, m := range o.Migrations {
		switch {
		case m.State == Failed:
			all = append(all, Finding{true, "migration failed", m.String(), "after " + seconds(m.Seconds) + " in " + string(m.Phase)})
		case m.LockedSeconds >= lockLimit:
			all = append(all, Finding{true, "migration locks", m.String(), "others waited " + seconds(m.LockedSeconds)})
		}
	}
	return all
}

func (o Observations) refused() []Finding {
	var all []Finding
	for _, r := range o.Refused {
		all = append(all, Finding{true, "AWS would refuse", r.ServiceAccount, fmt.Sprintf("%s (%s)", strings.TrimSpace(r.Action+" "+r.Resource), times(r.Count))})
	}
	return all
}

// errors are new lines. One that is still written while the change is live is harm; one of a rollout is to be looked at, when it
// is there more than once.
func (o Observations) errors() []Finding {
	var all []Finding
	for _, l := range o.Errors {
		if !passing(l.Count, l.First, l.Last) {
			all = append(all, Finding{l.Count > 1 && lasts(l.First, l.Last), "error in log", l.place(), l.said()})
		}
	}
	return all
}

func (l LogLine) place() string { return l.String() + " (" + l.Container + ")" }
func (l LogLine) said() string {
	return fmt.Sprintf("%s: %s", times(l.Count), shorten(oneLine(l.Text), 200))
}

func (o Observations) events() []Finding {
	var all []Finding
	for _, e := range o.Events {
		if !passing(e.Count, e.First, e.Last) {
			all = append(all, Finding{e.Count > 1 && lasts(e.First, e.Last), "warning", e.String(), e.said()})
		}
	}
	return all
}

func (e Event) said() string {
	return fmt.Sprintf("%s (%s): %s", e.Reason, times(e.Count), shorten(oneLine(e.Message), 200))
}

// passing reports whether something was said once while pods were replaced: what starts may miss what is not ready yet.
func passing(count int, first, last Phase) bool { return count == 1 && !lasts(first, last) }

// Passing are the warnings and errors that were said once while pods were replaced. They are no findings.
func (o Observations) Passing() []string {
	var all []string
	for _, e := range o.Events {
		if passing(e.Count, e.First, e.Last) {
			all = append(all, fmt.Sprintf("%s in %s: %s", e.Where, e.First, e.said()))
		}
	}
	for _, l := range o.Errors {
		if passing(l.Count, l.First, l.Last) {
			all = append(all, fmt.Sprintf("%s in %s: %s", l.place(), l.First, l.said()))
		}
	}
	return all
}

// lasts reports whether something was still said while the change was live.
func lasts(first, last Phase) bool {
	at := func(p Phase) int { return slices.Index(Phases(), p) }
	return at(first) <= at(Hold) && at(last) >= at(Hold)
}

func (c Changes) findings(half string) []Finding {
	var all []Finding
	for _, what := range c.Left {
		all = append(all, Finding{true, "left behind", what, "the revert did not take it back from " + half})
	}
	for _, what := range c.Missing {
		all = append(all, Finding{true, "did not come back", what, "the revert did not bring it back to " + half})
	}
	for _, what := range c.Kept {
		all = append(all, Finding{false, "kept", what, "its DeletionPolicy keeps it when the change is reverted: remove it by hand"})
	}
	for _, what := range c.Stays {
		all = append(all, Finding{false, "stays", "stack " + what, "no deployment destroys a stack that has left the app: remove it by gitops teardown with --stack"})
	}
	return all
}

// left says what a good revert left.
func (c Changes) left() string {
	var but []string
	if n := len(c.Kept); n > 0 {
		but = append(but, fmt.Sprintf("%d that policies keep", n))
	}
	if len(c.Stays) > 0 {
		but = append(but, "stack "+strings.Join(c.Stays, ", "))
	}
	return strings.TrimSuffix("nothing left behind but "+strings.Join(but, " and "), " but ")
}

// Period is the one of a phase; zero when the host was not asked in it.
func (h Host) Period(phase Phase) Period {
	for _, p := range h.Periods {
		if p.Phase == phase {
			return p
		}
	}
	return Period{Phase: phase}
}

// going reports whether the host is on its way out in a phase: its pods may end before its Ingress, and nobody is to ask it any more.
func (h Host) going(p Phase) bool {
	return h.Added && p == Revert || h.Removed && (p == Merge || p == Second)
}

// Requests counts those after Before, while the host was to be there.
func (h Host) Requests() int {
	return h.sum(func(p Period) int { return p.Requests })
}

// Lost counts those after Before, while the host was to be there.
func (h Host) Lost() int {
	return h.sum(func(p Period) int { return p.Lost })
}

func (h Host) sum(of func(Period) int) int {
	n := 0
	for _, p := range h.Periods {
		if p.Phase != Before && !h.going(p.Phase) {
			n += of(p)
		}
	}
	return n
}

// merged is how many seconds the merges took.
func (r *Result) merged() float64 {
	if r.Second == nil {
		return r.Merge.Seconds
	}
	return r.Merge.Seconds + r.Second.Seconds
}

// Headline is the result in one line.
func (r *Result) Headline() string {
	switch r.Verdict {
	case Verified:
		if r.With != "" && len(r.Orders) == 2 {
			return r.headlineOrders()
		}
		lost, requests := 0, 0
		for _, h := range r.Hosts {
			lost, requests = lost+h.Lost(), requests+h.Requests()
		}
		line := fmt.Sprintf("Rehearsed: both halves verified in %s, %s of %s requests lost, reverted in %s, %s",
			seconds(r.merged()), grouped(lost), grouped(requests), seconds(r.Revert.Seconds), r.AWS.left())
		if n := len(r.Findings); n > 0 {
			line += fmt.Sprintf("; %d to look at", n)
		}
		return line
	case Broke:
		if len(r.Conflicts) > 0 {
			return "Not rehearsed: " + r.Cause
		}
		return "Rehearsed: it broke: " + r.Cause
	default:
		return "Not rehearsed: " + cmp.Or(r.Cause, "no verdict")
	}
}
