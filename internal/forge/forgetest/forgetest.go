// Package forgetest is a GitHub for tests: a server on loopback that keeps comments, pull requests, commit statuses, rulesets
// and webhooks, and answers as https://docs.github.com/rest documents. It reads requests as raw JSON and shares no type with
// the client, so that a wrong name in one is not hidden by the other.
package forgetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Object is JSON as it is sent.
type Object = map[string]any

// Token is the token that the server knows as the one of its user.
const Token = "ghp_thisIsTheToken"

// Server is a GitHub with the one repository me/platform. Its fields may be set before a request and read after it.
type Server struct {
	// URL is the address of the API.
	URL string
	// Login is the user of Token, whose id is UserID; empty: the token is of a GitHub App, which is no user.
	Login string
	// Tokens of other users, with their ids.
	Tokens map[string]int64
	// Lacks are permissions that the token does not have, as documented: "Webhooks: write". A write is refused without the
	// read as well.
	Lacks []string
	// Hidden answers 404 instead of 403 for what a token may not do, as GitHub does for what it may not see.
	Hidden bool
	// Commits that are there; nil: every one.
	Commits []string
	// What is there, oldest first.
	Comments, Pulls, Reviews, Statuses, Rulesets, Hooks []Object
	// Deliveries to the webhooks, newest first.
	Deliveries []Object
	// Calls are the requests that were not refused for a limit or the token: "POST /repos/me/platform/hooks".
	Calls []string

	t      testing.TB
	mu     sync.Mutex
	limits []limit
	last   int64
}

// UserID is the id of the token's user.
const UserID = 4711

// limit is a refusal to come.
type limit struct {
	code    int
	headers map[string]string
	message string
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, Login: "platform-bot", last: 100}
	server := httptest.NewServer(s.handler())
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Writes are the calls that change something.
func (s *Server) Writes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var writes []string
	for _, call := range s.Calls {
		if !strings.HasPrefix(call, http.MethodGet+" ") {
			writes = append(writes, call)
		}
	}
	return writes
}

// LimitUntil refuses the next request because the primary rate limit is used up until then.
func (s *Server) LimitUntil(reset time.Time) {
	s.limits = append(s.limits, limit{http.StatusForbidden, map[string]string{"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": strconv.FormatInt(reset.Unix(), 10)},
		"API rate limit exceeded for user ID 4711."})
}

// LimitSecondary refuses the next request because of a secondary rate limit; after is Retry-After, which may be missing.
func (s *Server) LimitSecondary(code int, after string) {
	l := limit{code, map[string]string{"X-RateLimit-Remaining": "4000"}, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."}
	if after != "" {
		l.headers["Retry-After"] = after
	}
	s.limits = append(s.limits, l)
}

// Fail answers the next request with an error of the server.
func (s *Server) Fail(code int) {
	s.limits = append(s.limits, limit{code, nil, "Server Error"})
}

// refusal is an answer that is no success.
type refusal struct {
	code    int
	message string
	errors  []any
}

func (r refusal) Error() string { return r.message }

// invalid is a failed validation; an error is a text, or an object with resource, field and code.
func invalid(errors ...any) error {
	return refusal{http.StatusUnprocessableEntity, "Validation Failed", errors}
}

// missing is a required field that is not there.
func missing(resource, field string) error {
	return invalid(Object{"resource": resource, "field": field, "code": "missing_field"})
}

var notFound = refusal{code: http.StatusNotFound, message: "Not Found"}

// answer is what an operation returns: a code and an object, or a list that is paged.
type answer func(r *http.Request, in Object) (int, any, error)

// handle registers an operation with the permission that is documented for it.
func (s *Server) handle(mux *http.ServeMux, pattern, permission string, do answer) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var code int
		var out any
		err := s.admit(r, permission)
		if err == nil {
			s.Calls = append(s.Calls, r.Method+" "+r.URL.Path)
			var in Object
			if in, err = body(r); err == nil {
				code, out, err = do(r, in)
			}
		}
		if list, ok := out.([]Object); ok && err == nil {
			out = page(w, r, list)
		}
		send(w, code, out, err)
	})
}

// admit refuses whom GitHub refuses before it looks at what is asked.
func (s *Server) admit(r *http.Request, permission string) error {
	_, other := s.Tokens[bearer(r)]
	switch version := r.Header.Get("X-GitHub-Api-Version"); {
	case r.Header.Get("User-Agent") == "":
		return refusal{code: http.StatusForbidden, message: "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"}
	case version != "2022-11-28" && version != "2026-03-10":
		return refusal{code: http.StatusBadRequest, message: fmt.Sprintf("%q is not a supported version", version)}
	case bearer(r) != Token && !other:
		return refusal{code: http.StatusUnauthorized, message: "Bad credentials"}
	case r.PathValue("owner") != "" && r.PathValue("owner")+"/"+r.PathValue("repo") != "me/platform":
		return notFound
	case s.lacks(permission) && s.Hidden:
		return notFound
	case s.lacks(permission):
		return refusal{code: http.StatusForbidden, message: "Resource not accessible by personal access token"}
	}
	return nil
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// lacks reports whether the token lacks a permission: who may write may read.
func (s *Server) lacks(permission string) bool {
	name, level, _ := strings.Cut(permission, ": ")
	for _, l := range s.Lacks {
		if l == permission || level == "write" && l == name+": read" {
			return true
		}
	}
	return false
}

// body reads a request's body, which is an object or nothing.
func body(r *http.Request) (Object, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	var in Object
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return nil, refusal{code: http.StatusBadRequest, message: "Problems parsing JSON"}
	}
	return in, nil
}

// page cuts a list as its query asks, 30 at a time or at most 100, and links to the pages beside it.
func page(w http.ResponseWriter, r *http.Request, list []Object) []Object {
	query := r.URL.Query()
	size, number := 30, 1
	if n, err := strconv.Atoi(query.Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	if n, err := strconv.Atoi(query.Get("page")); err == nil && n > 0 {
		number = n
	}
	var links []string
	link := func(n int, rel string) {
		query.Set("page", strconv.Itoa(n))
		links = append(links, fmt.Sprintf(`<http://%s%s?%s>; rel="%s"`, r.Host, r.URL.Path, query.Encode(), rel))
	}
	if number > 1 {
		link(number-1, "prev")
	}
	if number*size < len(list) {
		link(number+1, "next")
		link((len(list)+size-1)/size, "last")
	}
	if number > 1 {
		link(1, "first")
	}
	if len(links) > 0 {
		w.Header().Set("Link", strings.Join(links, ", "))
	}
	from := min((number-1)*size, len(list))
	return append([]Object{}, list[from:min(from+size, len(list))]...)
}

func send(w http.ResponseWriter, code int, out any, err error) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if err != nil {
		r, ok := err.(refusal) //nolint:errorlint // made here and never wrapped
		if !ok {
			r = refusal{code: http.StatusInternalServerError, message: err.Error()}
		}
		code, out = r.code, Object{"message": r.message, "documentation_url": "https://docs.github.com/rest"}
		if r.errors != nil {
			out = Object{"message": r.message, "errors": r.errors}
		}
	}
	w.WriteHeader(code)
	if code != http.StatusNoContent {
		_ = json.NewEncoder(w).Encode(out)
	}
}

// handler refuses what is to be refused and routes the rest.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	s.pulls(mux)
	s.statuses(mux)
	s.settings(mux)
	s.handle(mux, "/", "", func(r *http.Request, _ Object) (int, any, error) {
		s.t.Errorf("GitHub has no %s %s here", r.Method, r.URL.Path)
		return 0, nil, notFound
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if len(s.limits) == 0 {
			s.mu.Unlock()
			mux.ServeHTTP(w, r)
			return
		}
		l := s.limits[0]
		s.limits = s.limits[1:]
		s.mu.Unlock()
		for name, value := range l.headers {
			w.Header().Set(name, value)
		}
		send(w, 0, nil, refusal{code: l.code, message: l.message})
	})
}

// id numbers what is made.
func (s *Server) id() float64 { s.last++; return float64(s.last) }

// text is a field that is a text and not empty.
func text(in Object, field string) string { value, _ := in[field].(string); return value }

// find is the index of the object with the id in the path.
func find(list []Object, r *http.Request) int {
	for i, o := range list {
		if fmt.Sprint(o["id"]) == r.PathValue("id") {
			return i
		}
	}
	return -1
}
