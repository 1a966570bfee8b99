package rollback

import (
	"fmt"
	"io"
	"strings"

	"k8s-plus-aws-gitops/internal/cli"
)

const (
	// width is what the table fits into.
	width = 80
	// indent is where the second column begins.
	indent = 14
	// shown is how many objects of a half are named; JSON has all.
	shown = 20
)

// Print writes the report as one table.
func (r *Report) Print(w io.Writer) {
	names := strings.Join(r.environments(), ", ")
	if r.Done {
		fmt.Fprintf(w, "%s: nothing to take back, %.12s has the content of %.12s.\n", names, r.From, r.To)
		return
	}
	fmt.Fprintf(w, "%s: from %.12s back to %.12s\n\n", names, r.From, r.To)
	row := func(what, text string) {
		for _, line := range cli.Lines(text, width-indent) {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s", indent, what, line), " "))
			what = ""
		}
	}
	for n, name := range r.Also {
		row(first(n, "also"), fmt.Sprintf("%s follows branch %s, too, and goes back with it", name, r.Branch))
	}
	for n, c := range r.Reverted {
		row(first(n, "reverts"), fmt.Sprintf("%.12s %s", c.ID, c.Subject))
	}
	list := func(what string, lines []string) {
		for n, line := range lines {
			if n == shown {
				row("", fmt.Sprintf("and %d more: --output json", len(lines)-n))
				break
			}
			row(first(n, what), line)
		}
	}
	list("AWS", orNothing(r.AWS))
	list("Kubernetes", orNothing(r.Kubernetes))
	list("stays", r.Stays)
	list("refused", r.Refusals)
}

func first(n int, what string) string {
	if n == 0 {
		return what
	}
	return ""
}

func orNothing(lines []string) []string {
	if len(lines) == 0 {
		return []string{"nothing goes back"}
	}
	return lines
}

// Body is the text of the pull request.
func (r *Report) Body() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Takes %s back from %.12s to %.12s, by reverts of:\n\n", strings.Join(r.environments(), ", "), r.From, r.To)
	for _, c := range r.Reverted {
		fmt.Fprintf(&b, "- %.12s %s\n", c.ID, c.Subject)
	}
	for _, part := range []struct {
		title string
		lines []string
	}{{"Goes back in AWS", r.AWS}, {"Goes back in Kubernetes", r.Kubernetes}, {"Does not go back", r.Stays}} {
		fmt.Fprintf(&b, "\n**%s**\n\n", part.title)
		for _, line := range orNothing(part.lines) {
			fmt.Fprintf(&b, "- %s\n", line)
		}
	}
	b.WriteString("\nMade by `gitops rollback`.\n")
	return b.String()
}
