package render

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"k8s-plus-aws-gitops/internal/review"
)

// Text writes a review for a terminal.
func Text(w io.Writer, r *review.Review) {
	fmt.Fprintf(w, "%s against %s\n%s\n", name(r.Head), name(r.Base), verdict(r))
	if !r.Changed() {
		textNotes(w, r)
		textRehearsal(w, r)
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "ENVIRONMENT\tBRANCH\tAWS\tKUBERNETES\tPER MONTH")
	for _, e := range r.Environments {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", e.Name, e.Branch, stacksCell(e), objectsCell(e), costCell(e, r.Prices.Currency))
	}
	t.Flush()
	textFindings(w, r)
	textNotes(w, r)
	textBlocks(w, r)
	textCost(w, r)
	textRehearsal(w, r)
}

// textRehearsal writes what a rehearsal found.
func textRehearsal(w io.Writer, r *review.Review) {
	if r.Rehearsal != nil {
		fmt.Fprintln(w)
		r.Rehearsal.Print(w)
	}
}

// textFindings writes what a reviewer has to see first.
func textFindings(w io.Writer, r *review.Review) {
	title := "\nRead first\n"
	for _, f := range findings(r) {
		fmt.Fprintf(w, "%s  %s: %s", title, word(f.Finding), f.Resource)
		title = ""
		if f.Type != "" {
			fmt.Fprintf(w, " (%s)", f.Type)
		}
		fmt.Fprintln(w, f.elsewhere())
		for _, line := range []string{f.Message, f.Remedy, f.Note} {
			if line != "" {
				fmt.Fprintf(w, "      %s\n", line)
			}
		}
	}
}

func textNotes(w io.Writer, r *review.Review) {
	title := "\nNotes\n"
	for _, e := range r.Environments {
		for _, note := range e.Notes {
			fmt.Fprintf(w, "%s  %s: %s\n", title, e.Name, note)
			title = ""
		}
	}
}

// textBlocks writes every difference in full.
func textBlocks(w io.Writer, r *review.Review) {
	group := ""
	for _, b := range blocks(r) {
		if key := string(b.half) + ", " + b.group; key != group {
			group = key
			fmt.Fprintf(w, "\n%s\n", key)
		}
		fmt.Fprintf(w, "\n  %s  [%s]\n", b.title, strings.Join(b.environments, ", "))
		textBody(w, b, "  ")
	}
}

func textBody(w io.Writer, b block, indent string) {
	if b.note != "" {
		fmt.Fprintf(w, "%s%s\n", indent, b.note)
	}
	for line := range strings.Lines(b.diff) {
		fmt.Fprintf(w, "%s%s", indent, line)
	}
	for _, v := range b.variants {
		fmt.Fprintf(w, "%sThe same in %s, but for these lines:\n", indent, strings.Join(v.environments, ", "))
		for line := range strings.Lines(v.lines) {
			fmt.Fprintf(w, "%s%s", indent, line)
		}
	}
	for _, inner := range b.inner {
		fmt.Fprintf(w, "\n%s  %s: %s\n", indent, inner.group, inner.title)
		textBody(w, inner, indent+"  ")
	}
}

// textCost writes what costs more or less.
func textCost(w io.Writer, r *review.Review) {
	written := false
	for _, e := range r.Environments {
		if len(e.Cost.Lines)+len(e.Cost.Unknown)+len(e.Cost.Usage) == 0 {
			continue
		}
		written = true
		fmt.Fprintf(w, "\nCost of %s per month: %s\n", e.Name, costSentence(e, r.Prices.Currency))
		t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		for _, line := range e.Cost.Lines {
			fmt.Fprintf(t, "  %s\t%s\t%s\n", signed(line.Monthly), line.Item, line.Where)
		}
		t.Flush()
		for _, item := range e.Cost.Unknown {
			fmt.Fprintf(w, "  no price known: %s\n", item)
		}
		for _, item := range e.Cost.Usage {
			fmt.Fprintf(w, "  paid by use: %s\n", item)
		}
	}
	if written {
		fmt.Fprintf(w, "\n%s\n", provenance(r.Prices))
	}
}

// costSentence is the delta with both totals, where they are known.
func costSentence(e review.Environment, currency string) string {
	text := costCell(e, currency)
	if e.Cost.Totals {
		text += fmt.Sprintf(", from %.2f to %.2f", e.Cost.Before, e.Cost.After)
	}
	if simulated(e) {
		text += " (this environment runs on one machine and costs nothing; on AWS it would)"
	}
	return text
}
