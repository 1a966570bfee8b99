package forge

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// State is what a commit status says.
type State string

// The states that GitHub knows: https://docs.github.com/rest/commits/statuses#create-a-commit-status.
const (
	Pending State = "pending"
	Success State = "success"
	// Failure is a verdict, Error is that there is none.
	Failure State = "failure"
	Errored State = "error"
)

// States lists them.
var States = []State{Pending, Success, Failure, Errored}

// ReviewContext is the context of the review's status. That of a deployment is Context(environment).
const ReviewContext = "gitops/review"

// RehearsalContext is the context of the rehearsal's status.
const RehearsalContext = "gitops/rehearsal"

// Context is the context of the status of an environment's deployment.
func Context(environment string) string { return "gitops/" + environment }

// descriptionLimit is GitHub's, in characters.
const descriptionLimit = 140

// Status is a commit status: a line that a pull request shows among its checks.
type Status struct {
	// Context tells this status from others of the commit; GitHub ignores its case.
	Context string `json:"context"`
	State   State  `json:"state"`
	// Description is one line; what is longer than 140 characters is cut.
	Description string `json:"description"`
	// URL is where the line leads.
	URL string `json:"target_url,omitempty"`
}

// SetStatus gives a commit, by its whole id, a status. It reports whether it wrote: a commit that has it is left alone, as
// GitHub keeps each one that is written, and no more than 1,000 of a context.
func (c Client) SetStatus(ctx context.Context, r Repository, commit string, s Status) (bool, error) {
	if !slices.Contains(States, s.State) {
		return false, fmt.Errorf("state must be one of %q, got %q", States, s.State)
	}
	if s.Context == "" {
		return false, fmt.Errorf("context must not be empty; for example %q", ReviewContext)
	}
	s.Description = shorten(s.Description, descriptionLimit)
	q := request{path: r.path("commits", commit, "statuses"), need: "Commit statuses: read", of: r}
	have, err := list[Status](ctx, c, q) // newest first
	if err != nil {
		return false, err
	}
	at := slices.IndexFunc(have, func(h Status) bool { return strings.EqualFold(h.Context, s.Context) })
	if at >= 0 && have[at].State == s.State && have[at].Description == s.Description && have[at].URL == s.URL {
		return false, nil
	}
	_, err = c.send(ctx, request{method: http.MethodPost, path: r.path("statuses", commit), need: "Commit statuses: write", of: r, in: s})
	return err == nil, err
}

// shorten cuts a text to so many characters.
func shorten(text string, limit int) string {
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > limit {
		return strings.TrimSpace(string(runes[:limit-1])) + "…"
	}
	return text
}
