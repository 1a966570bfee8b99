// Package forge is what the platform asks of GitHub: pull requests and their comments, commit statuses, and the settings of
// a repository. It speaks version 2022-11-28 of the REST API, which GitHub supports until March 2028 at least and every
// GitHub Enterprise Server understands: https://docs.github.com/rest/about-the-rest-api/api-versions.
//
// The client is its own: google/go-github v92 adds 6.3 MB to the tool, where this adds 0.2 MB, and its types drop what they
// do not know of a ruleset, which an update would then take away. The package forgetest has a GitHub for tests.
package forge

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// API is GitHub's public address; a GitHub Enterprise Server has https://HOST/api/v3.
const API = "https://api.github.com"

// Repository is a repository on GitHub.
type Repository struct{ Owner, Name string }

// String is the name that people use, OWNER/NAME.
func (r Repository) String() string { return r.Owner + "/" + r.Name }

// address is https://HOST/OWNER/NAME.git, and git@HOST:OWNER/NAME.git or ssh://git@HOST/OWNER/NAME.git.
var address = regexp.MustCompile(`^(?:https?://|ssh://)?(?:[^@/]*@)?([^:/]+)(?::[0-9]+)?[:/]([^/]+)/([^/]+?)(?:\.git)?/?$`)

// Parse reads the address of a Git repository; it reports whether the address has the form HOST/OWNER/NAME.
func Parse(git string) (host string, r Repository, ok bool) {
	match := address.FindStringSubmatch(git)
	if match == nil {
		return "", Repository{}, false
	}
	return match[1], Repository{Owner: match[2], Name: match[3]}, true
}

// At reports whether the address of a Git repository is that of this one on GitHub, where its token counts.
func (r Repository) At(git string) bool {
	host, at, ok := Parse(git)
	return ok && strings.EqualFold(host, "github.com") && strings.EqualFold(at.String(), r.String())
}

// path is an address below the repository, or below what parts name there.
func (r Repository) path(parts ...string) string {
	path := "/repos"
	for _, part := range append([]string{r.Owner, r.Name}, parts...) {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// Client asks GitHub.
type Client struct {
	// API is the address without a trailing slash; default: API.
	API string
	// Token is sent to that address alone and is in no error.
	Token Token
	// Patience is the longest wait for a rate limit; a longer one is an error that says until when. Default: 2 minutes.
	Patience time.Duration
}

// request is one question to the API.
type request struct {
	method, path string
	// need is the permission of a fine-grained token that GitHub documents for it, as its pages name it.
	need string
	// of is the repository that the permission is on.
	of      Repository
	in, out any
}

// maxAnswer is a page of 100 comments of 64 KiB each, escaped.
const maxAnswer = 32 << 20

// send sends one request, again when GitHub was out of order or a rate limit was reached, and reads the answer into out. It
// returns the address of the next page.
func (c Client) send(ctx context.Context, q request) (next string, err error) {
	var body any // nil for none: of an empty slice a busy machine makes an empty body of unknown length, which no JSON is
	if q.in != nil {
		if body, err = json.Marshal(q.in); err != nil {
			return "", err
		}
	}
	fail := func(err error) (string, error) { return "", fmt.Errorf("GitHub %s %s: %w", q.method, q.path, err) }
	r, err := retryablehttp.NewRequestWithContext(ctx, q.method, c.api()+q.path, body)
	if err != nil {
		return fail(err)
	}
	r.Header.Set("Authorization", "Bearer "+string(c.Token))
	r.Header.Set("Accept", "application/vnd.github+json")
	r.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	r.Header.Set("User-Agent", "gitops")
	response, err := c.http(q.method).Do(r)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fail(err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return "", newError(q, response, content)
	}
	if q.out != nil {
		if err := json.Unmarshal(content, q.out); err != nil {
			return fail(err)
		}
	}
	return c.next(response.Header)
}

// http follows no redirects: a redirected POST would become a GET, and the token belongs to one host.
func (c Client) http(method string) *retryablehttp.Client {
	return &retryablehttp.Client{
		HTTPClient: &http.Client{
			Timeout:       30 * time.Second,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax:     3,
		RetryWaitMin: 500 * time.Millisecond,
		RetryWaitMax: 10 * time.Second,
		CheckRetry:   c.again(method),
		Backoff:      pause,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
}

func (c Client) api() string { return strings.TrimSuffix(cmp.Or(c.API, API), "/") }

// nextPage is a link of RFC 8288: https://docs.github.com/rest/using-the-rest-api/using-pagination-in-the-rest-api.
var nextPage = regexp.MustCompile(`<([^<>]+)>; *rel="next"`)

// next is the path of the next page; empty for the last one.
func (c Client) next(h http.Header) (string, error) {
	match := nextPage.FindStringSubmatch(strings.Join(h.Values("Link"), ", "))
	if match == nil {
		return "", nil
	}
	path, ours := strings.CutPrefix(match[1], c.api()+"/")
	if !ours {
		return "", fmt.Errorf("GitHub names a next page at %q, which is not below %s: correct the API's address", match[1], c.api())
	}
	return "/" + path, nil
}

// maxPages bounds how many pages of 100 are read.
const maxPages = 50

// list reads all pages of a list.
func list[T any](ctx context.Context, c Client, q request) ([]T, error) {
	separator := "?"
	if strings.Contains(q.path, "?") {
		separator = "&"
	}
	q.method, q.path = http.MethodGet, q.path+separator+"per_page=100"
	var all []T
	for range maxPages {
		var page []T
		q.out = &page
		next, err := c.send(ctx, q)
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if next == "" {
			return all, nil
		}
		q.path = next
	}
	return nil, fmt.Errorf("GitHub %s: has more than %d pages", q.path, maxPages)
}

// peek reads a body and puts it back.
func peek(response *http.Response) []byte {
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	response.Body.Close()
	if err != nil {
		content = nil
	}
	response.Body = io.NopCloser(bytes.NewReader(content))
	return content
}
