package publish

import (
	"context"
	"time"
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
