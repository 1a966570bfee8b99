package rehearsal

import (
	"fmt"
	"io"
	"strings"

	"k8s-plus-aws-gitops/internal/review/markdown"
)

// Conflict is a file that two changes change at the same place, so that not both can be merged.
type Conflict struct {
	File string `json:"file"`
	// Between names the two.
	Between []string `json:"between"`
}

// Healed reports whether the revert brought the base back.
func (r *Result) Healed() bool {
	apart := len(r.AWS.Left) + len(r.AWS.Missing) + len(r.AWS.Stays) + len(r.Kubernetes.Left) + len(r.Kubernetes.Missing)
	return r.Revert.State == Succeeded && apart == 0
}

// judgeOrders judges a rehearsal of two pull requests. What broke in one order is told before what kept the other from running.
func (r *Result) judgeOrders() {
	r.Verdict, r.Cause = Verified, ""
	for _, c := range r.Conflicts {
		detail := strings.Join(c.Between, " and ") + " change the same place: merge one, and rebase the other onto it"
		r.Findings = append(r.Findings, Finding{true, "conflict", c.File, detail})
	}
	if len(r.Findings) > 0 {
		r.Verdict, r.Cause = Broke, r.Findings[0].String()
		return
	}
	same := len(r.Orders) > 1
	for _, o := range r.Orders {
		o.Judge()
		same = same && o.Verdict == r.Orders[0].Verdict && o.Cause == r.Orders[0].Cause
		if o.Verdict != Verified && (r.Verdict == Verified || r.Verdict == CouldNotRun && o.Verdict == Broke) {
			r.Verdict, r.Cause = o.Verdict, o.order()+": "+o.Cause
		}
	}
	if same && r.Verdict != Verified {
		r.Cause = "in both orders: " + r.Orders[0].Cause
	}
}

// order is the order of the merges, in words.
func (r *Result) order() string { return strings.Join(r.Order, ", then ") }

// headlineOrders is the headline where both orders verified.
func (r *Result) headlineOrders() string {
	line := "Rehearsed with " + r.With + ": both orders verified"
	if n := len(r.Orders[0].Findings) + len(r.Orders[1].Findings); n > 0 {
		line += fmt.Sprintf("; %d to look at", n)
	}
	return line
}

// printOrders writes one order after the other.
func (r *Result) printOrders(w io.Writer) {
	for _, o := range r.Orders {
		fmt.Fprintln(w)
		lines(w, "ORDER: "+o.order())
		lines(w, o.Headline())
		o.printFindings(w)
		if o.Verdict != CouldNotRun {
			o.printSeen(w)
		}
	}
	printList(w, "WHAT A REHEARSAL CANNOT SHOW", r.CannotShow)
}

// detailOrders is one order after the other for a comment.
func (r *Result) detailOrders(d *strings.Builder) {
	for _, o := range r.Orders {
		fmt.Fprintf(d, "\n#### %s\n\n**%s**\n", markdown.Inline(o.order()), markdown.Inline(o.Headline()))
		o.listFindings(d)
		if o.Verdict != CouldNotRun {
			o.details(d)
		}
	}
}
