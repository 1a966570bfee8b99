// Package comment keeps exactly one comment of the review on a pull request, through GitHub's REST API.
package comment

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// API is GitHub's public address; a GitHub Enterprise Server has https://HOST/api/v3.
const API = "https://api.github.com"

// PullRequest is where the comment goes.
type PullRequest struct {
	Owner, Repository string
	Number            int
}

// Client writes comments.
type Client struct {
	// API is the address without a trailing slash; default: API.
	API string
	// Token is sent to that address alone and is in no error.
	Token Token
	// Marker starts the comment; it is how the next review finds it.
	Marker string
	// HTTP sends the requests; default: a client with a timeout.
	HTTP *http.Client
}

// Find returns the number of the open pull request of a commit towards a branch, for pipelines that are told the commit
// only.
func (c Client) Find(ctx context.Context, owner, repository, commit, branch string) (int, error) {
	var pulls []struct {
		Number int    `json:"number"`
		State  string `json:"state"`
		Base   struct {
			Ref string `json:"ref"`
		} `json:"base"`
	}
	path := PullRequest{Owner: owner, Repository: repository}.path("commits", commit, "pulls")
	if err := c.send(ctx, http.MethodGet, path+"?per_page=100", nil, &pulls); err != nil {
		return 0, err
	}
	for _, pull := range pulls {
		if pull.State == "open" && pull.Base.Ref == branch {
			return pull.Number, nil
		}
	}
	return 0, fmt.Errorf("no open pull request brings commit %.8s to %q; give --pull-request", commit, branch)
}

// existing is what is read of a comment.
type existing struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
	URL  string `json:"html_url"`
	User struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"user"`
}

// pages bounds how many pages of 100 comments are read.
const pages = 50

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
	var written existing
	if len(own) == 0 {
		err = c.send(ctx, http.MethodPost, pr.path("issues", strconv.Itoa(pr.Number), "comments"), map[string]string{"body": body}, &written)
		return written.URL, err
	}
	for _, extra := range own[1:] {
		if err := c.send(ctx, http.MethodDelete, pr.path("issues", "comments", strconv.FormatInt(extra.ID, 10)), nil, nil); err != nil {
			return "", err
		}
	}
	if own[0].Body == body {
		return own[0].URL, nil
	}
	err = c.send(ctx, http.MethodPatch, pr.path("issues", "comments", strconv.FormatInt(own[0].ID, 10)), map[string]string{"body": body}, &written)
	return written.URL, err
}

// own lists the comments of the token's owner that start with the marker, oldest first. Somebody else may quote it.
func (c Client) own(ctx context.Context, pr PullRequest) ([]existing, error) {
	login, err := c.login(ctx)
	if err != nil {
		return nil, err
	}
	var own []existing
	for page := 1; page <= pages; page++ {
		var batch []existing
		path := pr.path("issues", strconv.Itoa(pr.Number), "comments") + "?per_page=100&page=" + strconv.Itoa(page)
		if err := c.send(ctx, http.MethodGet, path, nil, &batch); err != nil {
			return nil, err
		}
		for _, comment := range batch {
			mine := comment.User.Login == login || login == "" && comment.User.Type == "Bot"
			if mine && strings.HasPrefix(comment.Body, c.Marker) {
				own = append(own, comment)
			}
		}
		if len(batch) < 100 {
			break
		}
	}
	return own, nil
}

// login is the user of the token; empty for a GitHub App, which is no user and comments as a bot.
func (c Client) login(ctx context.Context) (string, error) {
	var user struct {
		Login string `json:"login"`
	}
	err := c.send(ctx, http.MethodGet, "/user", nil, &user)
	var refused *statusError
	if errors.As(err, &refused) && refused.code == http.StatusForbidden {
		return "", nil
	}
	return user.Login, err
}

// path is an address below the repository.
func (pr PullRequest) path(parts ...string) string {
	path := "/repos/" + url.PathEscape(pr.Owner) + "/" + url.PathEscape(pr.Repository)
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// statusError is an answer that is no success.
type statusError struct {
	method, path string
	code         int
	message      string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("GitHub %s %s: %d %s%s", e.method, e.path, e.code, e.message, e.remedy())
}

func (e *statusError) remedy() string {
	switch e.code {
	case http.StatusUnauthorized:
		return "; the token is wrong or has expired, store a new one"
	case http.StatusForbidden:
		return "; the token needs the permission to write pull requests (fine-grained: Pull requests, read and write)"
	case http.StatusNotFound:
		return "; check the repository and the number, and that the token may read the repository"
	default:
		return ""
	}
}

// send sends one request and reads the answer into out, if there is one.
func (c Client) send(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		content, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(content)
	}
	api := c.API
	if api == "" {
		api = API
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(api, "/")+path, body)
	if err != nil {
		return fmt.Errorf("GitHub %s %s: %w", method, path, err)
	}
	request.Header.Set("Authorization", "Bearer "+string(c.Token))
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	response, err := c.client().Do(request)
	if err != nil {
		return fmt.Errorf("GitHub %s %s: %w", method, path, err)
	}
	defer response.Body.Close()
	// A page of 100 comments of 64 KiB each is the longest answer.
	content, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err != nil {
		return fmt.Errorf("GitHub %s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		var said struct {
			Message string `json:"message"`
		}
		_ = json.Unmarshal(content, &said) // a proxy's answer may be no JSON; the code says enough
		return &statusError{method, path, response.StatusCode, said.Message}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(content, out); err != nil {
		return fmt.Errorf("GitHub %s %s: %w", method, path, err)
	}
	return nil
}

// client does not follow redirects: a redirected POST would become a GET, and the token belongs to one host.
func (c Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
