package main

import (
	"context"
	"fmt"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/rehearsal"
	"k8s-plus-aws-gitops/internal/review/comment"
	"k8s-plus-aws-gitops/internal/review/render"
)

// rehearsalMarker begins the comment of a rehearsal that is reported without a review.
const rehearsalMarker = "<!-- gitops-rehearsal -->"

// rehearsalStatus is the commit status of a rehearsal. One that could not run is no verdict, and lets nothing in.
func rehearsalStatus(r *rehearsal.Result) forge.Status {
	state := map[rehearsal.Verdict]forge.State{
		rehearsal.Verified: forge.Success, rehearsal.Broke: forge.Failure, rehearsal.CouldNotRun: forge.Errored,
	}[r.Verdict]
	return forge.Status{Context: forge.RehearsalContext, State: state, Description: r.Headline()}
}

// rehearsed takes the status from a rehearsal of the commit, and returns its section, which a comment has room for. Without a commit
// it could not run.
func (f *commitStatusFlags) rehearsed(commit string) (string, error) {
	r, err := rehearsal.ReadFile(f.rehearsal)
	if err != nil {
		return "", fmt.Errorf("--rehearsal: %w", err)
	}
	if r.Commit != "" && r.Commit != commit {
		return "", fmt.Errorf("--rehearsal %s: must be of commit %.12s, got %.12s; name the commit with --commit", f.rehearsal, commit, r.Commit)
	}
	url := f.status.URL
	f.status = rehearsalStatus(r)
	f.status.URL = url
	return r.Within(render.Limit - len(rehearsalMarker) - 1), nil
}

// putRehearsal writes the result as the comment of a pull request, in the place of the one before, and returns its address.
func putRehearsal(ctx context.Context, client forge.Client, repository forge.Repository, number int, markdown string) (string, error) {
	comments := comment.Client{Forge: client, Marker: rehearsalMarker}
	return comments.Put(ctx, comment.PullRequest{Repository: repository, Number: number}, rehearsalMarker+"\n"+markdown)
}
