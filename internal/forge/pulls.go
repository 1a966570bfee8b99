package forge

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Pull is a pull request.
type Pull struct {
	Number int `json:"number"`
	// State is open or closed.
	State string `json:"state"`
	URL   string `json:"html_url"`
	Title string `json:"title"`
	User  User   `json:"user"`
	// Merged is when it was merged; nil while it is not.
	Merged *time.Time `json:"merged_at"`
	Labels []Label    `json:"labels"`
	Base   struct {
		// Ref is the branch that it goes to.
		Ref string `json:"ref"`
	} `json:"base"`
}

// Label is one of a pull request.
type Label struct {
	Name string `json:"name"`
}

// PullsOf lists the pull requests that bring a commit.
func (c Client) PullsOf(ctx context.Context, r Repository, commit string) ([]Pull, error) {
	return list[Pull](ctx, c, request{path: r.path("commits", commit, "pulls"), need: "Pull requests: read", of: r})
}

// Review is what a reviewer said of a pull request as a whole.
type Review struct {
	User User `json:"user"`
	// State is APPROVED, CHANGES_REQUESTED, COMMENTED, DISMISSED or PENDING.
	State string `json:"state"`
	// Commit that was reviewed.
	Commit    string    `json:"commit_id"`
	Submitted time.Time `json:"submitted_at"`
}

// Reviews lists the reviews of a pull request, oldest first: https://docs.github.com/rest/pulls/reviews.
func (c Client) Reviews(ctx context.Context, r Repository, number int) ([]Review, error) {
	return list[Review](ctx, c, request{path: r.path("pulls", strconv.Itoa(number), "reviews"), need: "Pull requests: read", of: r})
}

// MergedBy is who merged a pull request; its login is empty while nobody has.
func (c Client) MergedBy(ctx context.Context, r Repository, number int) (User, error) {
	var one struct {
		By User `json:"merged_by"`
	}
	_, err := c.send(ctx, request{method: http.MethodGet, path: r.path("pulls", strconv.Itoa(number)), need: "Pull requests: read", of: r, out: &one})
	return one.By, err
}

// OpenPull opens a pull request from one branch of the repository to another; one that is open is returned as it is.
func (c Client) OpenPull(ctx context.Context, r Repository, head, base, title, body string) (Pull, error) {
	var made Pull
	q := request{method: http.MethodPost, path: r.path("pulls"), need: "Pull requests: write", of: r, out: &made}
	q.in = map[string]string{"title": title, "body": body, "head": head, "base": base}
	_, err := c.send(ctx, q)
	var refused *Error
	if !errors.As(err, &refused) || refused.Code != http.StatusUnprocessableEntity {
		return made, err
	}
	query := url.Values{"head": {r.Owner + ":" + head}, "base": {base}, "state": {"open"}}
	open, listed := list[Pull](ctx, c, request{path: r.path("pulls") + "?" + query.Encode(), need: "Pull requests: read", of: r})
	if listed != nil || len(open) == 0 {
		return Pull{}, err // why it was refused is what counts
	}
	return open[0], nil
}

// Comment is a comment on a pull request.
type Comment struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	URL  string `json:"html_url"`
	User User   `json:"user"`
}

// Comments lists the comments of a pull request, oldest first.
func (c Client) Comments(ctx context.Context, r Repository, number int) ([]Comment, error) {
	return list[Comment](ctx, c, request{path: r.path("issues", strconv.Itoa(number), "comments"), need: "Pull requests: read", of: r})
}

// AddComment adds a comment to a pull request.
func (c Client) AddComment(ctx context.Context, r Repository, number int, body string) (Comment, error) {
	return c.comment(ctx, r, http.MethodPost, body, strconv.Itoa(number), "comments")
}

// EditComment changes a comment.
func (c Client) EditComment(ctx context.Context, r Repository, id int64, body string) (Comment, error) {
	return c.comment(ctx, r, http.MethodPatch, body, "comments", strconv.FormatInt(id, 10))
}

func (c Client) comment(ctx context.Context, r Repository, method, body string, parts ...string) (Comment, error) {
	var written Comment
	q := request{method: method, path: r.path(append([]string{"issues"}, parts...)...), need: "Pull requests: write", of: r, out: &written}
	q.in = map[string]string{"body": body}
	_, err := c.send(ctx, q)
	return written, err
}

// DeleteComment deletes a comment.
func (c Client) DeleteComment(ctx context.Context, r Repository, id int64) error {
	_, err := c.send(ctx, request{method: http.MethodDelete, path: r.path("issues", "comments", strconv.FormatInt(id, 10)), need: "Pull requests: write", of: r})
	return err
}
