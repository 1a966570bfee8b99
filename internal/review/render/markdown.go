package render

import (
	"fmt"
	"html"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/markdown"
)

// Marker starts the comment, so that the next review finds it.
const Marker = "<!-- gitops-review -->"

// Limit is how long a comment may be: GitHub refuses more than 65,536 characters.
const Limit = 65536

// Lengths that keep a comment readable, and how much of it the list of findings may take.
const (
	diffLines     = 200
	shortLines    = 30
	findingsShare = Limit / 3
	// reserve is room for the sentence that says what was left out, and the prices' provenance.
	reserve = 1000
)

// Markdown writes a review as one comment of at most limit characters. What does not fit is shortened or left out, and the
// comment says so.
func Markdown(r *review.Review, limit int) string {
	d := &document{limit: limit - reserve}
	d.add(fmt.Sprintf("%s\n## Review of %s against %s\n\n**%s**\n", Marker, markdown.Code(name(r.Head)), markdown.Code(name(r.Base)), verdict(r)))
	if r.Changed() {
		d.add(summary(r))
	}
	d.findings(r)
	d.notes(r)
	d.rehearsal(r)
	d.blocks(r)
	d.costs(r)
	d.close(r)
	return d.text.String()
}

// document is a comment that is being written.
type document struct {
	text  strings.Builder
	limit int
	// shortened and omitted count the differences that are not there in full.
	shortened, omitted int
}

// fits tells whether there is room for more.
func (d *document) fits(text string) bool { return d.text.Len()+len(text) <= d.limit }

// add writes text if there is room. Lengths are in bytes, of which a character has one or more: never too long.
func (d *document) add(text string) bool {
	if !d.fits(text) {
		return false
	}
	d.text.WriteString(text)
	return true
}

// summary is the table of environments.
func summary(r *review.Review) string {
	var text strings.Builder
	text.WriteString("\n| Environment | Branch | AWS | Kubernetes | Per month |\n|---|---|---|---|---|\n")
	for _, e := range r.Environments {
		fmt.Fprintf(&text, "| %s | %s | %s | %s | %s |\n", markdown.Inline(e.Name), markdown.Inline(e.Branch), stacksCell(e), objectsCell(e), costCell(e, r.Prices.Currency))
	}
	return text.String()
}

// findings writes what a reviewer has to see first; forbidden changes come first in the list, so they are never cut off.
func (d *document) findings(r *review.Review) {
	all := findings(r)
	if len(all) == 0 {
		return
	}
	d.add("\n### Read first\n\n")
	end := min(d.limit, d.text.Len()+findingsShare)
	for i, f := range all {
		line := "- **" + word(f.Finding) + "** " + markdown.Code(f.Resource)
		if f.Type != "" {
			line += " " + f.Type
		}
		line += markdown.Inline(f.elsewhere()) + ": " + markdown.Inline(f.Message)
		for _, more := range []string{f.Remedy, f.Note} {
			if more != "" {
				line += "<br>" + markdown.Inline(more)
			}
		}
		if d.text.Len()+len(line) > end {
			d.add(fmt.Sprintf("- and %d more\n", len(all)-i))
			return
		}
		d.add(line + "\n")
	}
}

// notes writes what is to be known about exceptions and what could not be compared.
func (d *document) notes(r *review.Review) {
	title := "\n### Notes\n\n"
	for _, e := range r.Environments {
		for _, note := range e.Notes {
			if d.add(title + "- " + markdown.Inline(e.Name) + ": " + markdown.Inline(note) + "\n") {
				title = ""
			}
		}
	}
}

// rehearsal writes as much of what a rehearsal found as there is room for.
func (d *document) rehearsal(r *review.Review) {
	if r.Rehearsal != nil {
		d.add(r.Rehearsal.Within(d.limit - d.text.Len()))
	}
}

// blocks writes the differences, a collapsed part for each.
func (d *document) blocks(r *review.Review) {
	group := ""
	for _, b := range blocks(r) {
		heading := ""
		if key := string(b.half) + ": " + b.group; key != group {
			heading = "\n### " + markdown.Inline(key) + "\n"
			group = key
		}
		if d.add(heading + details(b, diffLines)) {
			if cut(b, diffLines) {
				d.shortened++
			}
			continue
		}
		if d.add(heading + details(b, shortLines)) {
			d.shortened++
			continue
		}
		d.omitted++
		if heading != "" {
			group = "" // its heading was not written
		}
	}
}

// details is a block as a collapsed part.
func details(b block, lines int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n<details><summary>%s <i>%s</i></summary>\n\n", html.EscapeString(b.title), html.EscapeString(strings.Join(b.environments, ", ")))
	body(&text, b, lines)
	text.WriteString("</details>\n")
	return text.String()
}

func body(text *strings.Builder, b block, lines int) {
	if b.note != "" {
		text.WriteString(markdown.Inline(b.note) + "\n\n")
	}
	text.WriteString(fenced(b.diff, lines))
	for _, v := range b.variants {
		text.WriteString("The same in " + markdown.Inline(strings.Join(v.environments, ", ")) + ", but for these lines:\n\n" + fenced(v.lines, lines))
	}
	for _, inner := range b.inner {
		fmt.Fprintf(text, "%s, %s\n\n", markdown.Code(inner.title), markdown.Inline(inner.group))
		body(text, inner, lines/2)
	}
}

// cut tells whether a block is longer than the lines.
func cut(b block, lines int) bool {
	return strings.Count(b.diff, "\n") > lines ||
		slices.ContainsFunc(b.variants, func(v variant) bool { return strings.Count(v.lines, "\n") > lines }) ||
		slices.ContainsFunc(b.inner, func(inner block) bool { return cut(inner, lines/2) })
}

// fenced is a difference as a code block, at most so many lines of it. The fence is longer than any in the text.
func fenced(diff string, lines int) string {
	if diff == "" {
		return ""
	}
	all := strings.SplitAfter(strings.TrimSuffix(diff, "\n"), "\n")
	rest := ""
	if len(all) > lines {
		rest = fmt.Sprintf("\n\n%d lines more.", len(all)-lines)
		all = all[:lines]
	}
	text := strings.TrimSuffix(strings.Join(all, ""), "\n")
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "diff\n" + text + "\n" + fence + rest + "\n\n"
}

// costs writes what costs more or less.
func (d *document) costs(r *review.Review) {
	title := "\n### Cost\n"
	for _, e := range r.Environments {
		if len(e.Cost.Lines)+len(e.Cost.Unknown)+len(e.Cost.Usage) == 0 {
			continue
		}
		var text strings.Builder
		fmt.Fprintf(&text, "%s\n<details><summary>%s per month: %s</summary>\n\n", title, html.EscapeString(e.Name), html.EscapeString(costSentence(e, r.Prices.Currency)))
		if len(e.Cost.Lines) > 0 {
			text.WriteString("| Per month | For | Where |\n|---:|---|---|\n")
		}
		for _, line := range e.Cost.Lines {
			fmt.Fprintf(&text, "| %s | %s | %s |\n", signed(line.Monthly), markdown.Inline(line.Item), markdown.Inline(line.Where))
		}
		text.WriteString("\n")
		for _, item := range e.Cost.Unknown {
			fmt.Fprintf(&text, "- no price known: %s\n", markdown.Inline(item))
		}
		for _, item := range e.Cost.Usage {
			fmt.Fprintf(&text, "- paid by use: %s\n", markdown.Inline(item))
		}
		text.WriteString("</details>\n")
		if d.add(text.String()) {
			title = ""
		} else {
			d.omitted++
		}
	}
	if title == "" {
		d.limit += reserve / 2
		d.add("\n" + provenance(r.Prices) + "\n")
		d.limit -= reserve / 2
	}
}

// close says what is not there.
func (d *document) close(r *review.Review) {
	d.limit += reserve
	if d.shortened+d.omitted == 0 {
		return
	}
	d.add(fmt.Sprintf("\n**This comment is not complete**: %s shortened, %s left out, because GitHub takes no longer ones. `gitops review --base %s` shows all.\n",
		count(d.shortened, "difference is", "differences are"), count(d.omitted, "is", "are"), r.Base.Name))
}
