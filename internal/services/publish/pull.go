package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Pull opens pull requests for proposals.
type Pull struct {
	// URL of the manifests repository.
	URL string
	// Token of GitHub, with the right to write pull requests there. Empty: only the address to open one by hand is known.
	Token string
	// API is GitHub's; default https://api.github.com.
	API string
}

// page is the repository's address for people; empty if it is not on GitHub.
func (p Pull) page() string {
	u, err := url.Parse(p.URL)
	if err != nil || u.Hostname() != "github.com" {
		return ""
	}
	return "https://github.com/" + strings.Trim(strings.TrimSuffix(u.Path, ".git"), "/")
}

// Open opens a pull request for a proposal, unless one is open, and returns its address. Without a token it returns the
// address where a person can open it; empty if the repository is not on GitHub.
func (p Pull) Open(ctx context.Context, r Result, title, body string) (string, error) {
	page := p.page()
	if page == "" {
		return "", nil
	}
	if p.Token == "" {
		return page + "/compare/" + r.Base + "..." + r.Branch + "?expand=1", nil
	}
	request, err := json.Marshal(map[string]string{"title": title, "body": body, "head": r.Branch, "base": r.Base})
	if err != nil {
		return "", err
	}
	name := strings.TrimPrefix(page, "https://github.com/")
	answer, status, err := p.call(ctx, http.MethodPost, "/repos/"+name+"/pulls", request)
	if err != nil {
		return "", err
	}
	if status == http.StatusUnprocessableEntity {
		// There is one for this branch: the push has updated it.
		owner, _, _ := strings.Cut(name, "/")
		query := url.Values{"head": {owner + ":" + r.Branch}, "base": {r.Base}, "state": {"open"}}
		answer, status, err = p.call(ctx, http.MethodGet, "/repos/"+name+"/pulls?"+query.Encode(), nil)
		if err != nil {
			return "", err
		}
		answer = bytes.TrimSuffix(bytes.TrimPrefix(bytes.TrimSpace(answer), []byte("[")), []byte("]"))
	}
	var pull struct {
		URL     string `json:"html_url"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer, &pull); err != nil || status/100 != 2 || pull.URL == "" {
		return "", fmt.Errorf("pull request for %s: GitHub answered %d %s; the branch is pushed, open it at %s/compare/%s...%s", r.Branch, status, pull.Message, page, r.Base, r.Branch)
	}
	return pull.URL, nil
}

func (p Pull) call(ctx context.Context, method, path string, body []byte) ([]byte, int, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	api := p.API
	if api == "" {
		api = "https://api.github.com"
	}
	request, err := http.NewRequestWithContext(ctx, method, api+path, bytes.NewReader(body))
	if err != nil {
		return nil, 0, err
	}
	request.Header.Set("Accept", "application/vnd.github+json")
	request.Header.Set("Authorization", "Bearer "+p.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, 0, fmt.Errorf("GitHub: %w; the branch is pushed, open the pull request by hand", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return answer, response.StatusCode, err
}
