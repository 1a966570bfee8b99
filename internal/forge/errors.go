package forge

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// Error is an answer of GitHub that is no success.
type Error struct {
	Method, Path string
	// Code is the HTTP status.
	Code int
	// Message is GitHub's, with what it says of each field.
	Message string
	// Until is when a rate limit ends; zero if none was reached.
	Until time.Time

	need string
	of   Repository
}

// newError reads an answer. That of a proxy may be no JSON; then the code has to say enough.
func newError(q request, response *http.Response, content []byte) *Error {
	var said struct {
		Message string            `json:"message"`
		Errors  []json.RawMessage `json:"errors"`
	}
	_ = json.Unmarshal(content, &said)
	e := &Error{Method: q.method, Path: q.path, Code: response.StatusCode, Message: said.Message, need: q.need, of: q.of}
	for _, detail := range said.Errors {
		e.Message += ": " + explain(detail)
	}
	if limited(response.StatusCode, response.Header, content) {
		e.Until = time.Now().Add(wait(response.Header, 0))
	}
	return e
}

// explain says one of a validation's errors: a text, or an object with a message or a field and a code.
func explain(detail json.RawMessage) string {
	var text string
	if json.Unmarshal(detail, &text) == nil {
		return text
	}
	var o struct{ Resource, Field, Code, Message string }
	switch err := json.Unmarshal(detail, &o); {
	case err != nil:
		return string(detail)
	case o.Message != "":
		return o.Message
	}
	return strings.TrimSpace(strings.Join([]string{o.Resource, o.Field, o.Code}, " "))
}

// Error is one line with the remedy.
func (e *Error) Error() string {
	return strings.TrimSpace(fmt.Sprintf("GitHub %s %s: %d %s", e.Method, e.Path, e.Code, e.Message)) + e.remedy()
}

func (e *Error) remedy() string {
	switch {
	case !e.Until.IsZero():
		return "; the rate limit ends at " + e.Until.UTC().Format("15:04:05 UTC") + ", try again then"
	case e.Code == http.StatusUnauthorized:
		return "; the token is wrong or has expired, store a new one"
	case strings.HasPrefix(e.Message, "Upgrade to "):
		return "; GitHub's plan of " + e.of.Owner + " has this for public repositories only"
	case e.Code == http.StatusForbidden && e.need != "":
		return fmt.Sprintf("; the token must have '%s' on %s", e.need, e.of)
	case e.Code == http.StatusNotFound && e.need != "":
		// GitHub does not say of what a token may not see whether it is there.
		return fmt.Sprintf("; the token must have '%s' on %s, which must be there", e.need, e.of)
	case e.Code/100 == 3 && e.of != Repository{}:
		return fmt.Sprintf("; %s has another name now, correct it", e.of)
	}
	return ""
}

// Denied reports whether the token lacks a right, or what it asked for is not there, which GitHub does not tell apart.
func (e *Error) Denied() bool {
	return e.Until.IsZero() && (e.Code == http.StatusForbidden || e.Code == http.StatusNotFound)
}

// limited reports whether the answer is about a rate limit:
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit. The header with
// the requests that remain is in every answer, so it does not tell a limit from a missing right.
func limited(code int, h http.Header, content []byte) bool {
	switch code {
	case http.StatusTooManyRequests:
		return true
	case http.StatusForbidden:
		return h.Get("Retry-After") != "" || strings.Contains(strings.ToLower(string(content)), "rate limit")
	}
	return false
}

// wait is how long GitHub asks to wait: as Retry-After says, or until the limit is reset, or a minute, longer each time.
func wait(h http.Header, attempt int) time.Duration {
	if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second
	}
	if reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64); err == nil && h.Get("X-RateLimit-Remaining") == "0" {
		return max(0, time.Until(time.Unix(reset, 0)).Truncate(time.Second)) + time.Second
	}
	return time.Minute << attempt
}

// pause is the wait before another attempt. Only limits are tried again of what is no failure of the server.
func pause(shortest, longest time.Duration, attempt int, response *http.Response) time.Duration {
	if response == nil || response.StatusCode >= http.StatusInternalServerError {
		return retryablehttp.DefaultBackoff(shortest, longest, attempt, response)
	}
	return wait(response.Header, attempt)
}

// again decides whether a request is sent again. A POST whose answer is lost may have made something, and would make it
// twice; one that met a limit has made nothing.
func (c Client) again(method string) retryablehttp.CheckRetry {
	patience := c.Patience
	if patience == 0 {
		patience = 2 * time.Minute
	}
	return func(ctx context.Context, response *http.Response, err error) (bool, error) {
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case err != nil || response.StatusCode >= http.StatusInternalServerError:
			if method == http.MethodPost {
				return false, nil
			}
			retry, _ := retryablehttp.DefaultRetryPolicy(ctx, response, err)
			return retry, nil
		case response.StatusCode != http.StatusForbidden && response.StatusCode != http.StatusTooManyRequests:
			return false, nil
		}
		return limited(response.StatusCode, response.Header, peek(response)) && wait(response.Header, 0) <= patience, nil
	}
}
