package rehearsal

import (
	"fmt"
	"io"
	"slices"
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
	lines(w, fmt.Sprintf("%s: %s on %s", r.Environment, r.what(strings.Clone), short(r.Base)))
	r.printFindings(w)
	switch {
	case r.unmerged():
	case r.With != "":
		r.printOrders(w)
	default:
		r.printSeen(w)
		printList(w, "WHAT A REHEARSAL CANNOT SHOW", r.CannotShow)
		title, all := r.otherwise()
		printList(w, strings.ToUpper(title), all)
	}
}

// what was rehearsed, each name as written by code.
func (r *Result) what(code func(string) string) string {
	if r.With == "" {
		return code(short(r.Commit))
	}
	return code(short(r.Commit)) + " and " + code(r.With)
}

// unmerged reports whether nothing was merged, so that there is nothing to tell but why.
func (r *Result) unmerged() bool {
	return len(r.Conflicts) > 0 || r.Verdict == CouldNotRun && len(r.Orders) == 0
}

// printSeen writes how the merge and the revert went, and what was seen.
func (r *Result) printSeen(w io.Writer) {
	r.printStages(w)
	r.printHosts(w)
	printList(w, "DATA BEFORE THE MERGE", r.filled())
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

// filled are the databases that were filled, a line each.
func (r *Result) filled() []string {
	var all []string
	for _, d := range r.Data {
		all = append(all, d.String())
	}
	return all
}

// halves are the merge, or both, and the revert; each with the head of its column.
func (r *Result) halves() (all []Half, heads []string) {
	if r.Second == nil {
		return []Half{r.Merge, r.Revert}, []string{"Merge", "Revert"}
	}
	return []Half{r.Merge, *r.Second, r.Revert}, []string{"First merge", "Second", "Revert"}
}

// stages are the times of all halves by the stage's name, in the order of the pipeline; the last row is of the halves.
func (r *Result) stages() (names []string, times [][]string) {
	halves, _ := r.halves()
	for i, h := range halves {
		for _, s := range h.Stages {
			at := slices.Index(names, s.Name)
			if at < 0 {
				at, names, times = len(names), append(names, s.Name), append(times, slices.Repeat([]string{Stage{}.took()}, len(halves)))
			}
			times[at][i] = s.took()
		}
	}
	last := make([]string, len(halves))
	for i, h := range halves {
		last[i] = h.took()
	}
	return append(names, "both halves"), append(times, last)
}

func (r *Result) printStages(w io.Writer) {
	line := func(name string, cells []string) {
		fmt.Fprintf(w, "%-30s", shorten(name, 30))
		for _, c := range cells {
			fmt.Fprintf(w, " %14s", c)
		}
		fmt.Fprintln(w)
	}
	_, heads := r.halves()
	fmt.Fprintln(w)
	line("STAGE", strings.Split(strings.ToUpper(strings.Join(heads, "|")), "|"))
	names, times := r.stages()
	for i, name := range names {
		line(name, times[i])
	}
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
