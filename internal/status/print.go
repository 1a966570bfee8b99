package status

import (
	"fmt"
	"io"
	"strings"

	"k8s-plus-aws-gitops/internal/flux"
)

// width is what the table fits into.
const width = 80

// Print writes the status as one table, and below it the cause in full.
func (s *Status) Print(w io.Writer) {
	fmt.Fprintf(w, "%s: commit %.12s is %s; Flux follows %s", s.Environment, s.Commit, s.State, s.Branch)
	if s.Tip != "" && s.Tip != s.Commit {
		fmt.Fprintf(w, " at %.12s", s.Tip)
	}
	fmt.Fprintf(w, ".\n\n%-13s  %-26s  %-9s  %s\n", "KIND", "NAME", "STATE", "DETAIL")
	s.Pipeline.print(w)
	for _, k := range s.Stacks {
		row(w, "Stack", k.Name, mark(k.Whole, "ok", "not whole"), strings.ToLower(strings.ReplaceAll(k.Status, "_", " ")))
	}
	for _, o := range s.Objects {
		row(w, o.Kind, o.Name, o.Word(), Short(o.Revision))
	}
	for _, k := range s.Services {
		row(w, "Service", k.Service, word(k.Item, k.At), Short(k.Revision))
	}
	if s.Pipeline != nil && s.Pipeline.Note != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimPrefix("pipeline "+s.Pipeline.Name+": "+s.Pipeline.Note, "pipeline : "))
	}
	if s.Cause != "" {
		fmt.Fprintf(w, "\n%s\n", s.Cause)
	}
	if s.Again != "" {
		fmt.Fprintf(w, "\nTo run the pipeline again, once the cause is mended:\n  %s\n", s.Again)
	}
}

// Word is the object's state in a word.
func (o Object) Word() string { return word(o.Item, o.At) }

// word is the state of an object of Flux in the table; at says whether it has the commit.
func word(i flux.Item, at bool) string {
	switch {
	case i.Suspended:
		return "suspended"
	case i.Failed():
		return "failed"
	case i.Ready != "True":
		return "waits"
	case !at:
		return "behind"
	}
	return "ready"
}

// print writes the pipeline's rows: the execution, then its stages.
func (p *Pipeline) print(w io.Writer) {
	if p == nil || p.Execution == "" {
		return
	}
	row(w, "Pipeline", p.Name, ExecutionWord(p.Status), fmt.Sprintf("%.8s at %.12s", p.Execution, p.Commit))
	for _, s := range p.Stages {
		state, detail := string(s.State), s.Cause
		switch s.State {
		case Approval:
			state, detail = "waits", "for an approval"
		case Pending:
			state = "-"
		}
		row(w, "Stage", s.Name, state, detail)
	}
}

// ExecutionWord is the state of a pipeline's execution in a word.
func ExecutionWord(status string) string { return executionStates[status] }

var executionStates = map[string]string{
	"InProgress": "running", "Succeeded": "passed", "Failed": "failed", "Stopping": "running", "Stopped": "stopped", "Cancelled": "cancelled", "Superseded": "replaced",
}

func row(w io.Writer, kind, name, state, detail string) {
	line := []rune(fmt.Sprintf("%-13s  %-26s  %-9s  %s", kind, clip(name, 26), state, detail))
	fmt.Fprintln(w, strings.TrimRight(clip(string(line), width), " "))
}

// clip shortens a text to a number of characters.
func clip(text string, most int) string {
	if all := []rune(text); len(all) > most {
		return string(all[:most-1]) + "…"
	}
	return text
}

// Short leaves twelve digits of a commit: released/dev@sha1:1f3a9c2….
func Short(revision string) string {
	branch, commit, ok := strings.Cut(revision, "@sha1:")
	if !ok {
		return revision
	}
	return fmt.Sprintf("%s %.12s", branch, commit)
}

func mark(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
