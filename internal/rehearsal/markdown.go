package rehearsal

import (
	"fmt"
	"html"
	"strings"

	"k8s-plus-aws-gitops/internal/review/markdown"
)

// most lines of a list in the comment; the JSON has all.
const most = 40

// Markdown is the section of a pull request's comment. It begins with an empty line and ends with one line's end.
func (r *Result) Markdown() string {
	var d strings.Builder
	r.head(&d, r.Headline())
	r.listFindings(&d)
	switch {
	case r.unmerged():
		return d.String()
	case r.With != "":
		r.detailOrders(&d)
	default:
		r.details(&d)
	}
	fmt.Fprintf(&d, "\nRehearsed %s on %s. A rehearsal cannot show: %s.\n", r.what(markdown.Code), markdown.Code(short(r.Base)), markdown.Inline(strings.Join(r.CannotShow, "; ")))
	if title, all := r.otherwise(); len(all) > 0 {
		collapsed(&d, title, all)
	}
	return d.String()
}

// Within is Markdown in at most limit bytes: without the details where there is no room for them, and without the findings where
// there is none for those either.
func (r *Result) Within(limit int) string {
	text := r.Markdown()
	for _, findings := range []bool{true, false} {
		if len(text) <= limit {
			break
		}
		var d strings.Builder
		r.head(&d, shorten(r.Headline(), headlineLength))
		if findings {
			r.listFindings(&d)
		}
		d.WriteString("\nThere is no room for the rest; the JSON of the rehearsal has it.\n")
		text = d.String()
	}
	return text
}

// headlineLength keeps a headline a line, where there is no room for more.
const headlineLength = 500

func (r *Result) head(d *strings.Builder, line string) {
	fmt.Fprintf(d, "\n### Rehearsal in %s\n\n**%s**\n", markdown.Inline(r.Environment), markdown.Inline(line))
}

func (r *Result) listFindings(d *strings.Builder) {
	if len(r.Findings) > 0 {
		d.WriteString("\n")
	}
	for i, f := range r.Findings {
		if i == most {
			fmt.Fprintf(d, "- and %d more\n", len(r.Findings)-most)
			break
		}
		word := "look at"
		if f.Broke {
			word = "BROKE"
		}
		line := fmt.Sprintf("- **%s** %s: %s", word, markdown.Inline(f.What), markdown.Code(f.Where))
		if f.Detail != "" {
			line += ": " + markdown.Inline(f.Detail)
		}
		d.WriteString(line + "\n")
	}
}

func (r *Result) details(d *strings.Builder) {
	if len(r.Hosts) > 0 {
		d.WriteString("\n| Host | Requests | Lost | ms before | merge | held | Session |\n|---|---:|---:|---:|---:|---:|---|\n")
	}
	for _, h := range r.Hosts {
		fmt.Fprintf(d, "| %s | %s | %s | %s | %s | %s | %s |\n", markdown.Inline(h.Name+h.change()), grouped(h.Requests()), grouped(h.Lost()),
			h.Period(Before).latency(), h.Period(Merge).latency(), h.Period(Hold).latency(), h.Session.word())
	}
	_, heads := r.halves()
	fmt.Fprintf(d, "\n<details><summary>Stages</summary>\n\n| Stage | %s |\n|---|%s\n", strings.Join(heads, " | "), strings.Repeat("---:|", len(heads)))
	names, times := r.stages()
	for i, name := range names {
		fmt.Fprintf(d, "| %s | %s |\n", markdown.Inline(name), strings.Join(times[i], " | "))
	}
	d.WriteString("\n</details>\n")
	for _, line := range r.filled() {
		fmt.Fprintf(d, "\nData of %s\n", markdown.Inline(line))
	}
	if len(r.Migrations) > 0 {
		d.WriteString("\n| Migration | Seconds | Others waited | State |\n|---|---:|---:|---|\n")
	}
	for _, m := range r.Migrations {
		fmt.Fprintf(d, "| %s | %.1f | %s | %s |\n", markdown.Inline(m.String()), m.Seconds, locked(m), m.State)
	}
	collapsed(d, "AWS: "+r.AWS.sentence(), r.AWS.marked())
	collapsed(d, "Kubernetes: "+r.Kubernetes.sentence(), r.Kubernetes.marked())
	collapsed(d, "Said once while pods were replaced", r.Passing())
	collapsed(d, "Not looked at", r.Unseen)
}

// collapsed is a list that opens; without lines there is only its title, when that says something by itself.
func collapsed(d *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		if strings.Contains(title, ":") {
			fmt.Fprintf(d, "\n%s\n", markdown.Inline(title))
		}
		return
	}
	fmt.Fprintf(d, "\n<details><summary>%s</summary>\n\n", html.EscapeString(title))
	for i, line := range lines {
		if i == most {
			fmt.Fprintf(d, "- and %d more\n", len(lines)-most)
			break
		}
		fmt.Fprintf(d, "- %s\n", markdown.Code(line))
	}
	d.WriteString("\n</details>\n")
}
