package drift

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
)

const (
	// width is what the table fits into.
	width = 80
	// indent is where the second column begins.
	indent = 11
)

// Print writes the report as one table, the worst first, each finding with what to do; then what could not be looked at.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s", r.Environment, count(len(r.Findings), "difference"))
	if len(r.Unseen) > 0 {
		fmt.Fprintf(w, ", and %s not looked at", count(len(r.Unseen), "thing"))
	}
	fmt.Fprintln(w, ".")
	if len(r.Findings)+len(r.Unseen) > 0 {
		fmt.Fprintf(w, "\n%-*s%s\n", indent, "STATE", "OBJECT, AND WHAT TO DO")
	}
	r.rows(w)
	if len(r.Repairs) > 0 {
		fmt.Fprintf(w, "\n%-*s%s\n", indent, "REPAIR", "OBJECT, AND WHAT WAS DONE")
		r.repairs(w)
	}
	if len(r.Notes) > 0 {
		fmt.Fprintln(w)
	}
	for _, n := range r.Notes {
		for _, line := range cli.Lines(n, width) {
			fmt.Fprintln(w, line)
		}
	}
}

// rows writes the findings, and what could not be looked at.
func (r *Report) rows(w io.Writer) {
	for _, f := range r.Findings {
		row(w, string(f.State), f.Object)
		row(w, "", f.Detail)
		for _, d := range f.Differences {
			row(w, "", d.String())
		}
		row(w, "", "-> "+f.Do)
	}
	for _, u := range r.Unseen {
		row(w, "unseen", u.What)
		row(w, "", u.Why)
	}
}

// repairs writes what was done about the findings.
func (r *Report) repairs(w io.Writer) {
	for _, done := range r.Repairs {
		word := "put back"
		if done.Done == "" {
			word = "left"
		}
		row(w, word, done.Object)
		row(w, "", cmp.Or(done.Done, done.Left))
	}
}

// String is a difference in one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: expected %s, is %s", d.Path, shown(d.Expected), shown(d.Actual))
}

// shown is a value as a table has it: a whole policy would be most of it. JSON has all of it.
func shown(value string) string {
	if all := []rune(value); len(all) > 200 {
		return string(all[:199]) + "…"
	}
	return cmp.Or(value, "nothing")
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// row writes a text beside a state, in as many lines as it needs.
func row(w io.Writer, state, text string) {
	for _, line := range cli.Lines(text, width-indent) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s", indent, state, line), " "))
		state = ""
	}
}
