// Package comment keeps exactly one comment of the review on a pull request.
package comment

import (
	"context"
	"fmt"
	"strings"

	"k8s-plus-aws-gitops/internal/forge"
)

// PullRequest is where the comment goes.
type PullRequest struct {
	Repository forge.Repository
	Number     int
}

// Client writes comments.
type Client struct {
	Forge forge.Client
	// Marker starts the comment; it is how the next review finds it.
	Marker string
}

// Find returns the number of the open pull request of a commit towards a branch, for pipelines that are told the commit
// only.
func (c Client) Find(ctx context.Context, r forge.Repository, commit, branch string) (int, error) {
	pulls, err := c.Forge.PullsOf(ctx, r, commit)
	if err != nil {
		return 0, err
	}
	for _, pull := range pulls {
		if pull.State == "open" && pull.Base.Ref == branch {
			return pull.Number, nil
		}
	}
	return 0, fmt.Errorf("no open pull request brings commit %.8s to %q; give --pull-request", commit, branch)
}

// Put makes the comment, or updates the one that is there, and returns its address. Should two reviews have written at
// once, the older comment is kept and the others are removed.
func (c Client) Put(ctx context.Context, pr PullRequest, body string) (string, error) {
	if !strings.HasPrefix(body, c.Marker) {
		return "", fmt.Errorf("the comment does not start with its marker %q", c.Marker)
	}
	own, err := c.own(ctx, pr)
	if err != nil {
		return "", err
	}
	if len(own) == 0 {
		written, err := c.Forge.AddComment(ctx, pr.Repository, pr.Number, body)
		return written.URL, err
	}
	for _, extra := range own[1:] {
		if err := c.Forge.DeleteComment(ctx, pr.Repository, extra.ID); err != nil {
			return "", err
		}
	}
	if own[0].Body == body {
		return own[0].URL, nil
	}
	written, err := c.Forge.EditComment(ctx, pr.Repository, own[0].ID, body)
	return written.URL, err
}

// own lists the comments of the token's owner that start with the marker, oldest first. Somebody else may quote it.
func (c Client) own(ctx context.Context, pr PullRequest) ([]forge.Comment, error) {
	self, err := c.Forge.Self(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.Forge.Comments(ctx, pr.Repository, pr.Number)
	var own []forge.Comment
	for _, comment := range all {
		mine := comment.User.Login == self.Login || self.Login == "" && comment.User.Type == "Bot"
		if mine && strings.HasPrefix(comment.Body, c.Marker) {
			own = append(own, comment)
		}
	}
	return own, err
}
