package publish

import (
	"context"
	"strings"
	"time"

	"k8s-plus-aws-gitops/internal/flux"
)

// Tip is the newest commit of a service's branch.
type Tip struct {
	// Commit is empty if there is no branch.
	Commit string
	// Source is what the commit says it was made of.
	Source Source
	// Time of the publication.
	Time time.Time
	// Proposed is true if a proposal waits to be merged.
	Proposed bool
}

// Tips reads the tips of branches. It fetches the commits alone.
func Tips(ctx context.Context, url string, branches []string) (map[string]Tip, error) {
	scratch, err := scratchRepository(ctx)
	if err != nil {
		return nil, err
	}
	defer scratch.remove()
	var all []string
	for _, b := range branches {
		all = append(all, b, proposals+b)
	}
	found, err := list(ctx, scratch.dir, url, all)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	if err := fetch(ctx, scratch.dir, url, found); err != nil {
		return nil, err
	}
	var names, commits []string
	for branch, commit := range found {
		names, commits = append(names, branch), append(commits, commit)
	}
	objects, err := contents(ctx, scratch.dir, commits)
	if err != nil {
		return nil, err
	}
	read := map[string]tip{}
	for i, name := range names {
		read[name] = parseCommit(string(objects[i]))
	}
	tips := map[string]Tip{}
	for _, b := range branches {
		t := read[b]
		proposal, proposed := read[proposals+b]
		tips[b] = Tip{
			Commit: found[b], Source: t.source, Time: time.Unix(t.time, 0),
			// A proposal that was merged stays until the next one, or until its branch is deleted.
			Proposed: proposed && proposal.parent == found[b],
		}
	}
	return tips, nil
}

// State of a service in an environment: what is published, and what runs.
type State struct {
	Service string `json:"service"`
	Branch  string `json:"branch"`
	Commit  string `json:"commit,omitempty"`
	Source  Source `json:"source"`
	Applied string `json:"applied,omitempty"`
	// Ready is True when what is published is what runs, else False or Unknown, and Message says why.
	Ready   string `json:"ready"`
	Message string `json:"message,omitempty"`
	// Published is the time of the branch's commit.
	Published *time.Time `json:"published,omitempty"`
}

// Describe puts together what is known of a service: the tip of its branch, and its Kustomization if the cluster has one.
func Describe(service, branch string, tip Tip, item flux.Item, known bool) State {
	s := State{Service: service, Branch: branch, Commit: tip.Commit, Source: tip.Source, Ready: "False"}
	if tip.Commit != "" {
		s.Published = &tip.Time
	}
	_, s.Applied, _ = strings.Cut(item.Revision, "sha1:")
	switch {
	case tip.Commit == "":
		s.Message = "not published yet"
	case !known:
		s.Message = "not in the cluster: is the fleet merged?"
	case item.Suspended:
		s.Message = "suspended"
	case item.Ready != "True":
		s.Ready, s.Message = item.Ready, strings.Join(strings.Fields(item.Message), " ")
	case s.Applied != tip.Commit:
		s.Ready, s.Message = "Unknown", "waits for Flux"
	default:
		s.Ready = "True"
	}
	if tip.Proposed {
		s.Message = strings.TrimPrefix(s.Message+", a proposal waits for its merge", ", ")
	}
	return s
}
