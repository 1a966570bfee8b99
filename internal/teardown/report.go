package teardown

import (
	"fmt"
	"io"

	"k8s-plus-aws-gitops/internal/cli"
)

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
		cli.Wrap(w, fmt.Sprintf("%-9s", item.Result), text)
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
		cli.Wrap(w, "  ", fmt.Sprintf("stack %s, %d resources", s.Name, len(s.Resources)))
		for _, b := range s.Buckets {
			more := ""
			if b.More {
				more = "more than "
			}
			cli.Wrap(w, "    ", fmt.Sprintf("bucket %s, %s%d objects and versions", b.Name, more, b.Objects))
		}
	}
	for _, record := range p.Records {
		cli.Wrap(w, "  ", "record "+record)
	}
	if len(p.Kept) > 0 {
		fmt.Fprintln(w, "These are kept:")
	}
	for _, k := range p.Kept {
		cli.Wrap(w, "  ", k.What+": "+k.Why)
	}
}
