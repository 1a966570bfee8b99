package doctor

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
)

// Print writes the report as a table, and below it what mends what is missing, in order.
func (r Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s in account %s, %s\n\n%-7s  %-18s  %s\n", r.Environment, r.Account, r.Region, "STATE", "CHECK", "DETAIL")
	var fixes []string
	for _, l := range r.Lines {
		cli.Wrap(w, fmt.Sprintf("%-7s  %-18s  ", l.State, l.Check), l.Detail)
		if l.State == Missing && !slices.Contains(fixes, l.Fix) {
			fixes = append(fixes, l.Fix)
		}
	}
	if len(fixes) > 0 {
		fmt.Fprintf(w, "\nTo mend, in this order:\n")
	}
	for i, fix := range fixes {
		fmt.Fprintf(w, "%2d. %s\n", i+1, fix) // whole, to be copied
	}
	fmt.Fprintf(w, "\n%s\n", r.Verdict())
}

// Verdict is the report in one line.
func (r Report) Verdict() string {
	gone, dark := r.Count(Missing), r.Count(Unknown)
	var parts []string
	if parts = append(parts, "nothing is missing"); gone > 0 {
		parts[0] = fmt.Sprintf("%d missing", gone)
	}
	if dark > 0 {
		parts = append(parts, fmt.Sprintf("%d could not be looked at", dark))
	}
	return r.Environment + ": " + strings.Join(parts, ", ") + "."
}
