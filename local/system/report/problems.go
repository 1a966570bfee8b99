package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/local/pipelines"
	"k8s-plus-aws-gitops/local/system/observe"
)

// Problems lists what is not well, each with its cause, the most telling
// first: a stack or an app before the Kustomization that waits for it.
func (s *Status) Problems() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, oneLine(fmt.Sprintf(format, args...))) }
	for _, p := range s.Processes {
		if p.State != "ready" {
			text := p.State
			if p.LastExit != "" {
				text += ", last exit: " + p.LastExit
			}
			add("process %s: %s (gitops local logs %s)", p.Name, text, p.Name)
		}
	}
	for _, x := range s.Stacks {
		if s.failed(x) {
			add("stack %s: %s: %s", x.Name, x.Status, x.Cause)
		}
	}
	if d := s.Deployment; d != nil && !d.Ended.IsZero() && !d.OK {
		add("bootstrap %d of %.8s: %s (%s)", d.Number, d.Commit, d.Error, d.Log)
	}
	for _, e := range s.Pipelines {
		if e.Status != pipelines.Failed {
			continue
		}
		log := ""
		if a := e.FailedAction(); a != nil && a.Log != "" {
			log = " (" + a.Log + ")"
		}
		add("pipeline %s, commit %.8s: %s%s", e.Pipeline, e.Commit, e.Reason, log)
	}
	for _, a := range s.Apps {
		if a.Cause != "" {
			add("app %s/%s: %s", a.Namespace, a.Name, a.Cause)
		}
	}
	for _, k := range []struct {
		kind  string
		items []observe.Item
	}{{"GitRepository", s.Sources}, {"HelmRelease", s.HelmReleases}, {"Kustomization", s.Kustomizations}} {
		for _, i := range k.items {
			if i.Failed() {
				add("%s %s/%s: %s: %s", k.kind, i.Namespace, i.Name, i.Reason, i.Message)
			}
		}
	}
	for _, i := range s.Services {
		if i.Failed() && !unpublished(i) {
			add("service %s: %s: %s", i.Name, i.Reason, i.Message)
		}
	}
	for _, u := range s.URLs {
		if !u.OK() {
			add("url %s: %s", u.URL, cmp.Or(u.Error, "answers "+u.Answer))
		}
	}
	for _, w := range s.Warnings {
		add("%s", w)
	}
	for _, u := range s.Unknown {
		add("no answer: %s", u)
	}
	return out
}

// failed reports whether a stack is in trouble. One that is back at its old
// state after a failed update is, until the pipelines succeed again.
func (s *Status) failed(x Stack) bool {
	calm := !slices.ContainsFunc(s.Pipelines, func(e *pipelines.Execution) bool { return e.Status == pipelines.Failed })
	reverted := x.Stable() && (x.Complete() || calm && (s.Deployment == nil || s.Deployment.OK))
	return !reverted && !x.Busy()
}

// Waiting lists what of the platform is neither well nor failed: it still works
// or waits. Services are left out: each is its owner's, who publishes whenever.
func (s *Status) Waiting() []string {
	var out []string
	for _, x := range s.Stacks {
		if x.Busy() {
			out = append(out, "stack "+x.Name)
		}
	}
	if d := s.Deployment; d != nil && d.Ended.IsZero() {
		out = append(out, fmt.Sprintf("bootstrap %d", d.Number))
	}
	for _, e := range s.Pipelines {
		if !e.Status.Ended() {
			out = append(out, "pipeline "+e.Pipeline)
		}
	}
	for _, items := range [][]observe.Item{s.Sources, s.Kustomizations, s.HelmReleases} {
		for _, i := range items {
			if i.Ready != "True" && !i.Failed() && !i.Suspended {
				out = append(out, i.Namespace+"/"+i.Name)
			}
		}
	}
	for _, a := range s.Apps {
		if a.Cause == "" && !a.Healthy() {
			out = append(out, a.Namespace+"/"+a.Name)
		}
	}
	return out
}

// wrap breaks text into lines of at most width characters; a word that is
// longer stays whole, so that paths can be copied.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(text) {
		if line != "" && len([]rune(line))+1+len([]rune(w)) > width {
			lines = append(lines, line)
			line = w
			continue
		}
		line = strings.TrimSpace(line + " " + w)
	}
	return append(lines, line)
}
