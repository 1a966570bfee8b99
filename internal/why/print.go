package why

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/cli"
)

const (
	// width is what the table fits into.
	width = 80
	// indent is where the second column begins.
	indent = 15
)

// Print writes the answer as one table.
func (a *Answer) Print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\n", a.Environment, a.Object)
	row := func(what, format string, args ...any) {
		for _, line := range cli.Lines(fmt.Sprintf(format, args...), width-indent) {
			fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%-*s%s", indent, what, line), " "))
			what = ""
		}
	}
	a.printThing(row)
	if c := a.Commit; c != nil {
		printCommit(row, "commit", *c)
	}
	for _, c := range a.Others {
		printCommit(row, "or", c)
	}
	a.Pull.print(row)
	if e := a.Execution; e != nil {
		e.print(row)
	}
	for _, i := range a.Images {
		i.print(row)
	}
	for _, f := range a.Fields {
		f.print(row)
	}
	for n, u := range a.Unknown {
		if n == 0 {
			fmt.Fprintln(w)
		}
		row("not known", "%s: %s", u.What, u.Why)
	}
}

// rows writes a line of the table.
type rows func(what, format string, args ...any)

func (a *Answer) printThing(row rows) {
	if r := a.Resource; r != nil {
		row("resource", "%s %s", r.Type, r.PhysicalID)
		row("state", "%s at %s", strings.ToLower(strings.ReplaceAll(r.Status, "_", " ")), clock(r.Updated))
		if r.Construct != "" {
			row("construct", "%s", r.Construct)
		}
	}
	for _, m := range a.Made {
		row("made by", "%s", m)
	}
	if by := a.Applied; by != nil {
		row("applied by", "%s", by.By)
		if by.Chart != "" {
			row("chart", "%s", by.Chart)
			row("", "its HelmRelease by Kustomization %s", by.Kustomization)
		}
		row("", "%s at %.12s of %s", by.Path, short(by.Revision), strings.TrimSuffix(by.Revision, "@sha1:"+short(by.Revision)))
	}
	for _, f := range a.Files {
		row("file", "%s", f)
	}
}

func printCommit(row rows, what string, c Commit) {
	row(what, "%.12s %s", c.ID, c.Subject)
	if c.Author != "" {
		row("author", "%s at %s", c.Author, clock(c.Time))
	}
}

func (p *Pull) print(row rows) {
	if p == nil {
		return
	}
	row("pull request", "#%d %s", p.Number, p.Title)
	if p.Author != "" {
		row("", "by %s", p.Author)
	}
	if p.Merged != nil {
		row("merged", "by %s at %s", p.MergedBy, clock(*p.Merged))
	}
	for _, r := range p.Reviews {
		row("reviewer", "%s: %s at %s", r.By, strings.ToLower(strings.ReplaceAll(r.State, "_", " ")), clock(r.Time))
	}
	if p.Merged != nil && len(p.Reviews) == 0 {
		row("reviewer", "none")
	}
	if p.URL != "" {
		row("", "%s", p.URL)
	}
}

func (e Execution) print(row rows) {
	row("execution", "%s %s at %.12s: %s", e.Pipeline, e.ID, e.Commit, strings.ToLower(e.Status))
	row("", "began %s", clock(e.Started))
	for _, p := range e.Approvals {
		row("approval", "%s: %s by %s at %s", p.Stage, strings.ToLower(p.State), p.By, clock(p.Time))
		if p.Comment != "" {
			row("", "%s", p.Comment)
		}
	}
	if len(e.Approvals) == 0 {
		row("approval", "none was asked for")
	}
}

func (i Image) print(row rows) {
	row("image", "%s: %s", i.Container, i.Reference)
	for _, d := range i.Digests {
		row("digest", "%s", d)
	}
	if i.Pushed != nil {
		row("pushed", "%s", clock(*i.Pushed))
	}
	if i.Build != nil {
		row("build", "%s %s of %.12s, began %s", i.Build.Pipeline, i.Build.ID, i.Build.Commit, clock(i.Build.Started))
	}
}

func (f Field) print(row rows) {
	by := ""
	if f.Time != nil {
		by = " at " + clock(*f.Time)
	}
	row("field", "%s: %s (%s)%s", f.Path, f.Manager, f.Operation, by)
	for _, r := range f.By {
		row("", "%s of %s from %s at %s", r.Verb, r.User, strings.Join(r.From, ", "), clock(r.Time))
	}
}

func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }
