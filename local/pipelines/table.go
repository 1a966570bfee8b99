package pipelines

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// tailLines is how much of a failed action's log is shown.
const tailLines = 15

// Of picks the executions of the named pipelines, or of all, at most limit.
func Of(all []*Execution, names []string, limit int) []*Execution {
	var out []*Execution
	for _, e := range all {
		if (len(names) == 0 || slices.Contains(names, e.Pipeline)) && (limit < 0 || len(out) < limit) {
			out = append(out, e)
		}
	}
	return out
}

// Shown is an execution with the end of its failed action's log.
type Shown struct {
	*Execution
	LogTail []string `json:"logTail,omitempty"`
	// Told is what builds told of it; see Tell.
	Told []Told `json:"told,omitempty"`
}

// WithTails adds the ends of logs.
func WithTails(all []*Execution) []Shown {
	out := make([]Shown, len(all))
	for i, e := range all {
		out[i] = Shown{Execution: e, LogTail: e.Tail()}
	}
	return out
}

var colours = regexp.MustCompile("\x1b\\[[0-9;?]*[A-Za-z]")

// Tail is the end of the log of the action that failed.
func (e *Execution) Tail() []string {
	a := e.FailedAction()
	if a == nil || a.Log == "" {
		return nil
	}
	raw, err := os.ReadFile(a.Log)
	if err != nil {
		return nil
	}
	lines := bytes.Split(bytes.TrimSpace(colours.ReplaceAll(raw, nil)), []byte("\n"))
	var out []string
	for _, l := range lines[max(0, len(lines)-tailLines):] {
		out = append(out, string(l))
	}
	return out
}

// Write writes a table of executions, and below it what needs a look.
func Write(w io.Writer, all []*Execution, now time.Time) {
	if len(all) == 0 {
		fmt.Fprintln(w, "No execution yet. A push whose changes match a pipeline's triggers starts one.")
		return
	}
	row := func(cells ...any) {
		line := fmt.Sprintf("%-21s  %-8s  %-18s  %-12s  %-8s  %-14s  %-8s  %s", cells...)
		fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
	row("PIPELINE", "ID", "STATUS", "STAGE", "COMMIT", "STARTED", "DURATION", "SKIPPED")
	for _, e := range all {
		started, took := "-", "-"
		if !e.Started.IsZero() {
			started = e.Started.Local().Format("Jan 02 15:04:05")
			if now.Sub(e.Started) < 12*time.Hour {
				started = e.Started.Local().Format("15:04:05")
			}
			took = e.Duration(now).Round(time.Second).String()
		}
		row(e.Pipeline, e.ID[:8], e.Shown(), cmp.Or(e.Stage, "-"), fmt.Sprintf("%.8s", e.Commit), started, took, strings.Join(e.Skipped(), ", "))
	}
	for _, e := range all {
		if a := e.waits(); a != nil && !e.Status.Ended() {
			fmt.Fprintf(w, "\n%s %s waits for `gitops local approve %[1]s` [--reject]\n", e.Pipeline, e.ID[:8])
			for _, text := range []string{a.Reason, a.Link} {
				if text != "" {
					fmt.Fprintln(w, "  "+text)
				}
			}
		}
		if e.Shown() == Held {
			fmt.Fprintf(w, "\n%s %s waits for its window, which %s; `gitops local override %[1]s` lets it in\n", e.Pipeline, e.ID[:8], e.Opens())
		}
		for _, s := range e.Stages {
			if s.Override != nil {
				fmt.Fprintf(w, "\n%s %s: %s was %s\n", e.Pipeline, e.ID[:8], s.Name, s.Reason)
			}
		}
	}
	for _, e := range all {
		if e.Type == typeRollback {
			fmt.Fprintf(w, "\n%s %.8s is a rollback of stage %s to %.8s: %.8s failed\n", e.Pipeline, e.ID, e.Stage, e.RollbackTarget, e.Failed)
		}
	}
	if i := slices.IndexFunc(all, func(e *Execution) bool { return e.Status == Failed }); i >= 0 {
		writeFailure(w, all[i])
	}
}

func writeFailure(w io.Writer, e *Execution) {
	fmt.Fprintf(w, "\n%s %s failed: %s\n", e.Pipeline, e.ID[:8], e.Reason)
	if lines := e.Tail(); len(lines) > 0 {
		fmt.Fprintf(w, "%s:\n  %s\n", e.FailedAction().Log, strings.Join(lines, "\n  "))
	}
}
