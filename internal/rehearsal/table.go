package rehearsal

import (
	"fmt"
	"io"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
)

const (
	// width is what the table fits into.
	width = 80
	// indent is where the second column of findings begins.
	indent = 9
)

// Print writes the result as text of at most 80 columns.
func (r *Result) Print(w io.Writer) {
	lines(w, r.Headline())
	lines(w, fmt.Sprintf("%s: %s on %s", r.Environment, short(r.Commit), short(r.Base)))
	r.printFindings(w)
	if r.Verdict == CouldNotRun {
		return
	}
	r.printStages(w)
	r.printHosts(w)
	if len(r.Migrations) > 0 {
		fmt.Fprintf(w, "\n%-8s  %-8s  %-10s  %s\n", "SECONDS", "LOCKED", "STATE", "MIGRATION")
	}
	for _, m := range r.Migrations {
		fmt.Fprintf(w, "%7.1f  %8s  %-10s  %s\n", m.Seconds, locked(m), m.State, m.Where)
	}
	printChanges(w, "AWS", r.AWS)
	printChanges(w, "KUBERNETES", r.Kubernetes)
	printList(w, "SAID ONCE WHILE PODS WERE REPLACED", r.Passing())
	printList(w, "NOT LOOKED AT", r.Unseen)
	printList(w, "WHAT A REHEARSAL CANNOT SHOW", r.CannotShow)
}

func (r *Result) printFindings(w io.Writer) {
	if len(r.Findings) > 0 {
		fmt.Fprintf(w, "\n%-*s%s\n", indent, "FINDING", "WHAT, WHERE")
	}
	for _, f := range r.Findings {
		word := "look at"
		if f.Broke {
			word = "broke"
		}
		row(w, word, f.What+": "+f.Where)
		row(w, "", f.Detail)
	}
}

// stages are those of both halves by name, in the order of the pipeline.
func (r *Result) stages() [][2]Stage {
	var all [][2]Stage
	for _, s := range r.Merge.Stages {
		all = append(all, [2]Stage{s, {}})
	}
next:
	for _, s := range r.Revert.Stages {
		for i := range all {
			if all[i][0].Name == s.Name {
				all[i][1] = s
				continue next
			}
		}
		all = append(all, [2]Stage{{Name: s.Name}, s})
	}
	return all
}

func (r *Result) printStages(w io.Writer) {
	fmt.Fprintf(w, "\n%-30s %14s %14s\n", "STAGE", "MERGE", "REVERT")
	for _, both := range r.stages() {
		fmt.Fprintf(w, "%-30s %14s %14s\n", shorten(both[0].Name, 30), both[0].took(), both[1].took())
	}
	fmt.Fprintf(w, "%-30s %14s %14s\n", "both halves", r.Merge.took(), r.Revert.took())
}

// took is a stage's time, or why it has none.
func (s Stage) took() string {
	switch s.State {
	case Succeeded:
		return seconds(s.Seconds)
	case Failed:
		return "failed, " + seconds(s.Seconds)
	case Skipped:
		return "skipped"
	default:
		return "-"
	}
}

func (h Half) took() string { return Stage{State: h.State, Seconds: h.Seconds}.took() }

func (r *Result) printHosts(w io.Writer) {
	if len(r.Hosts) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%10s%7s%14s%14s%14s   %s\n", "REQUESTS", "LOST", "MS BEFORE", "MERGE", "HELD", "SESSION")
	for _, h := range r.Hosts {
		lines(w, h.Name+h.change())
		fmt.Fprintf(w, "%10s%7s%14s%14s%14s   %s\n", grouped(h.Requests()), grouped(h.Lost()),
			h.Period(Before).latency(), h.Period(Merge).latency(), h.Period(Hold).latency(), h.Session.word())
	}
	lines(w, "Milliseconds are of half of the answers / of 95 in a hundred.")
}

// change says whether the host came or went with the change.
func (h Host) change() string {
	switch {
	case h.Added:
		return " (new)"
	case h.Removed:
		return " (removed)"
	default:
		return ""
	}
}

// latency of half and of 95 in a hundred answers.
func (p Period) latency() string {
	if p.Requests == p.Lost {
		return "-"
	}
	return fmt.Sprintf("%.0f/%.0f", p.P50, p.P95)
}

func (s Session) word() string {
	switch {
	case s.Kept:
		return "kept"
	case s.Why != "":
		return "lost"
	default:
		return "-"
	}
}

func locked(m Migration) string {
	if m.LockedSeconds == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", m.LockedSeconds)
}

// sentence counts what changed.
func (c Changes) sentence() string {
	if len(c.Made)+len(c.Changed)+len(c.Removed)+len(c.Left)+len(c.Missing) == 0 {
		return "nothing changed"
	}
	text := fmt.Sprintf("%d made, %d changed, %d removed; after the revert %d left", len(c.Made), len(c.Changed), len(c.Removed), len(c.Left))
	if len(c.Missing) > 0 {
		text += fmt.Sprintf(", %d missing", len(c.Missing))
	}
	return text
}

// marked are the changed things, each behind +, ~ or -.
func (c Changes) marked() []string {
	var all []string
	for _, m := range []struct {
		mark  string
		names []string
	}{{"+", c.Made}, {"~", c.Changed}, {"-", c.Removed}} {
		for _, name := range m.names {
			all = append(all, m.mark+" "+name)
		}
	}
	return all
}

func printChanges(w io.Writer, half string, c Changes) {
	fmt.Fprintln(w)
	lines(w, half+": "+c.sentence())
	for _, line := range c.marked() {
		cli.Wrap(w, "  ", line)
	}
}

func printList(w io.Writer, title string, all []string) {
	if len(all) > 0 {
		fmt.Fprintf(w, "\n%s\n", title)
	}
	for _, text := range all {
		cli.Wrap(w, "  ", text)
	}
}

func lines(w io.Writer, text string) {
	for _, line := range cli.Lines(text, width) {
		fmt.Fprintln(w, line)
	}
}

// row writes a text beside a word, in as many lines as it needs.
func row(w io.Writer, word, text string) {
	for _, line := range cli.Lines(text, width-indent) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s", indent, word, line), " "))
		word = ""
	}
}
