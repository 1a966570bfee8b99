package teardown

import (
	"fmt"
	"io"
	"strings"
)

// width is the number of columns that plan and report fit into.
const width = 80

// Result is what became of a thing.
type Result string

// Results.
const (
	Removed Result = "removed"
	// Kept is what is meant to stay.
	Kept Result = "kept"
	// Left is what should be gone and is not.
	Left Result = "left"
)

// Item is a thing and what became of it.
type Item struct {
	Result Result
	What   string
	// Why it is kept or left; empty where it says itself.
	Why string
}

// Report is what a removal did.
type Report struct {
	Environment string
	Items       []Item

	stacks int // removed
}

func (r *Report) add(result Result, what, why string) {
	r.Items = append(r.Items, Item{result, what, why})
}

// Print writes the report as a table.
func (r Report) Print(w io.Writer) {
	if len(r.Items) == 0 {
		return
	}
	fmt.Fprintln(w, "RESULT   WHAT")
	for _, item := range r.Items {
		text := item.What
		if item.Why != "" {
			text += ": " + item.Why
		}
		wrap(w, fmt.Sprintf("%-9s", item.Result), text)
	}
}

// Print writes the plan for the one who confirms it.
func (p Plan) Print(w io.Writer) {
	fmt.Fprintf(w, "Environment %s in account %s, %s.\n", p.Environment, p.Account, p.Region)
	if p.Empty() {
		fmt.Fprintln(w, "Nothing of it is there.")
	} else {
		fmt.Fprintln(w, "These go, with everything in them, in this order:")
	}
	for _, s := range p.Stacks {
		wrap(w, "  ", fmt.Sprintf("stack %s, %d resources", s.Name, len(s.Resources)))
		for _, b := range s.Buckets {
			more := ""
			if b.More {
				more = "more than "
			}
			wrap(w, "    ", fmt.Sprintf("bucket %s, %s%d objects and versions", b.Name, more, b.Objects))
		}
	}
	for _, record := range p.Records {
		wrap(w, "  ", "record "+record)
	}
	if len(p.Kept) > 0 {
		fmt.Fprintln(w, "These are kept:")
	}
	for _, k := range p.Kept {
		wrap(w, "  ", k.What+": "+k.Why)
	}
}

// wrap writes a text behind a mark, in lines that fit. A word that does not fit has a line of its own.
func wrap(w io.Writer, mark, text string) {
	line := mark
	for i, word := range strings.Fields(text) {
		switch {
		case i == 0:
			line += word
		case len(line)+1+len(word) > width:
			fmt.Fprintln(w, line)
			line = strings.Repeat(" ", len(mark)) + "  " + word
		default:
			line += " " + word
		}
	}
	fmt.Fprintln(w, line)
}
