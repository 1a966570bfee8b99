package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// width is what every table fits into.
const width = 80

const (
	kindWidth  = 13
	nameWidth  = 28
	stateWidth = 9
)

type row struct{ kind, name, state, detail string }

// Write writes the status as one table of 80 columns, and below it what is
// wrong, in full.
func (s *Status) Write(w io.Writer, now time.Time) {
	fmt.Fprintf(w, "%-*s  %-*s  %-*s  %s\n", kindWidth, "KIND", nameWidth, "NAME", stateWidth, "STATE", "DETAIL")
	for _, r := range s.rows(now) {
		if r.kind == "url" {
			// A URL is worth more than the columns: it must stay whole.
			fmt.Fprintf(w, "%-*s  %-12s  %-*s  %s\n", kindWidth, r.kind, r.name, stateWidth, r.state, r.detail)
			continue
		}
		line := fmt.Sprintf("%-*s  %-*s  %-*s  %s", kindWidth, r.kind, nameWidth, clip(r.name, nameWidth), stateWidth, clip(r.state, stateWidth), r.detail)
		fmt.Fprintln(w, strings.TrimRight(clip(line, width), " "))
	}
	problems := s.Problems()
	if len(problems) > 0 {
		fmt.Fprintln(w, "\nWhat is wrong:")
	}
	for _, p := range problems {
		for i, line := range wrap(p, width-4) {
			if i == 0 {
				fmt.Fprintln(w, "  - "+line)
			} else {
				fmt.Fprintln(w, "    "+line)
			}
		}
	}
	if len(s.Recorded) > 0 {
		fmt.Fprintln(w, "\nRecorded only, no service acts on them:")
		for _, line := range wrap(strings.Join(s.Recorded, ", "), width-2) {
			fmt.Fprintln(w, "  "+line)
		}
	}
}

func (s *Status) rows(now time.Time) []row {
	var out []row
	for _, p := range s.Processes {
		r := row{"process", p.Name, p.State, ""}
		if p.Running {
			r.detail = fmt.Sprintf("up %s, pid %d", ago(now.Sub(p.Since)), p.PID)
		} else if p.Restarts > 0 {
			r.detail = fmt.Sprintf("started %d times", p.Restarts+1)
		}
		out = append(out, r)
	}
	if len(s.Programs) > 0 {
		out = append(out, row{"programs", Origins(s.Programs), "ready", "gitops local programs"})
	}
	if m := s.Memory; m != nil {
		out = append(out, row{"memory", fmt.Sprintf("%d processes", m.Processes), "", fmt.Sprintf("%.2f GiB", float64(m.Bytes)/(1<<30))})
	}
	for _, x := range s.Stacks {
		state := "ready"
		switch {
		case x.Busy():
			state = "working"
		case s.failed(x):
			state = "failed"
		}
		out = append(out, row{"stack", x.Name, state, x.Status})
	}
	if d := s.Deployment; d != nil {
		r := row{"bootstrap", fmt.Sprintf("#%d %.8s %s", d.Number, d.Commit, d.Subject), "working", "since " + d.Started.Format("15:04:05")}
		if !d.Ended.IsZero() {
			r.state, r.detail = "failed", ago(now.Sub(d.Ended))+" ago"
			if d.OK {
				r.state = "ready"
			}
		}
		out = append(out, r)
	}
	for _, e := range s.Pipelines {
		out = append(out, execution(e, now))
	}
	out = append(out, items("source", s.Sources)...)
	out = append(out, items("kustomization", s.Kustomizations)...)
	out = append(out, items("helmrelease", s.HelmReleases)...)
	for _, a := range s.Apps {
		out = append(out, row{"app", a.Namespace + "/" + a.Name, appState(a), fmt.Sprintf("%d of %d", a.Ready, a.Wanted)})
	}
	out = append(out, services(s.Services)...)
	for _, u := range s.URLs {
		state := u.Answer
		switch {
		case u.Error != "":
			state = "failed"
		case u.Answer != "" && u.OK():
			state = "ready"
		}
		out = append(out, row{"url", u.Name, state, u.URL})
	}
	return out
}

func execution(e *pipelines.Execution, now time.Time) row {
	r := row{"pipeline", e.Pipeline, "working", fmt.Sprintf("%.8s %s", e.Commit, e.Stage)}
	switch e.Shown() {
	case pipelines.Succeeded:
		r.state = "ready"
	case pipelines.Failed:
		r.state = "failed"
	case pipelines.Waiting, pipelines.Held, pipelines.Queued:
		r.state = "waiting"
	case pipelines.Cancelled, pipelines.Superseded:
		r.state = "stopped"
	}
	if e.Status.Ended() {
		r.detail += ", " + ago(now.Sub(e.Ended)) + " ago"
	}
	return r
}

func appState(a observe.App) string {
	switch {
	case a.Healthy():
		return "ready"
	case a.Broken:
		return "failed"
	}
	return "working"
}

func items(kind string, all []observe.Item) []row {
	var out []row
	for _, i := range all {
		state := "working"
		switch {
		case i.Suspended:
			state = "suspended"
		case i.Ready == "True":
			state = "ready"
		case i.Failed():
			state = "failed"
		case i.Reason == "DependencyNotReady":
			state = "waiting"
		}
		out = append(out, row{kind, i.Namespace + "/" + i.Name, state, Short(i.Revision)})
	}
	return out
}

// Short makes main@1a2b3c4d of Flux's main@sha1:1a2b3c4d5e….
func Short(revision string) string {
	ref, digest, ok := strings.Cut(revision, "sha1:")
	if !ok || len(digest) < 8 {
		return revision
	}
	return ref + digest[:8]
}

// ago writes a duration in its largest unit: 12s, 3m, 5h, 2d.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-2]) + ".."
	}
	return s
}
