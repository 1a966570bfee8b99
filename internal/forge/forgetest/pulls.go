package forgetest

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const repository = "/repos/{owner}/{repo}"

// Comment is one of a user on a pull request.
func Comment(id int, login, kind, body string) Object {
	return Object{"id": float64(id), "body": body, "html_url": fmt.Sprintf("https://github.com/me/platform/pull/7#issuecomment-%d", id),
		"user": Object{"login": login, "type": kind}}
}

// Pull is a pull request of the repository's own branches.
func Pull(number int, state, head, base string) Object {
	return Object{"number": float64(number), "state": state, "head": Object{"ref": head}, "base": Object{"ref": base},
		"html_url": fmt.Sprintf("https://github.com/me/platform/pull/%d", number)}
}

// Review is what somebody said of a pull request: https://docs.github.com/rest/pulls/reviews. "pull" is the test's own.
func Review(pull int, login, state, commit, submitted string) Object {
	return Object{"pull": float64(pull), "user": Object{"login": login, "type": "User"}, "state": state, "commit_id": commit, "submitted_at": submitted}
}

// self is the user of a request's token.
func (s *Server) self(r *http.Request) (login string, id int64) {
	if id, other := s.Tokens[bearer(r)]; other {
		return "user-" + strconv.FormatInt(id, 10), id
	}
	return s.Login, UserID
}

// pulls are users, pull requests and their comments: https://docs.github.com/rest/pulls, https://docs.github.com/rest/issues/comments.
func (s *Server) pulls(mux *http.ServeMux) {
	s.handle(mux, "GET /user", "", func(r *http.Request, _ Object) (int, any, error) {
		login, id := s.self(r)
		if login == "" {
			return 0, nil, refusal{code: http.StatusForbidden, message: "Resource not accessible by integration"}
		}
		return http.StatusOK, Object{"login": login, "id": float64(id), "type": "User"}, nil
	})
	named := func(kind string, id float64) answer {
		return func(r *http.Request, _ Object) (int, any, error) {
			if r.PathValue("name") == "nobody" {
				return 0, nil, notFound
			}
			return http.StatusOK, Object{"id": id, "type": kind}, nil
		}
	}
	s.handle(mux, "GET /users/{name}", "", named("User", 1))
	s.handle(mux, "GET /apps/{name}", "", named("App", 2))
	s.handle(mux, "GET /orgs/{org}/teams/{name}", "Members: read", named("Team", 3))
	s.handle(mux, "GET "+repository+"/commits/{sha}/pulls", "Pull requests: read", func(*http.Request, Object) (int, any, error) {
		return http.StatusOK, s.Pulls, nil
	})
	s.handle(mux, "GET "+repository+"/pulls", "Pull requests: read", s.listPulls)
	s.handle(mux, "POST "+repository+"/pulls", "Pull requests: write", s.openPull)
	s.handle(mux, "GET "+repository+"/pulls/{number}", "Pull requests: read", func(r *http.Request, _ Object) (int, any, error) {
		for _, p := range s.Pulls {
			if fmt.Sprint(p["number"]) == r.PathValue("number") {
				return http.StatusOK, p, nil
			}
		}
		return 0, nil, notFound
	})
	s.handle(mux, "GET "+repository+"/pulls/{number}/reviews", "Pull requests: read", func(r *http.Request, _ Object) (int, any, error) {
		var found []Object
		for _, review := range s.Reviews {
			if fmt.Sprint(review["pull"]) == r.PathValue("number") {
				found = append(found, review)
			}
		}
		return http.StatusOK, found, nil
	})
	const comments = repository + "/issues/{number}/comments"
	s.handle(mux, "GET "+comments, "Pull requests: read", func(*http.Request, Object) (int, any, error) {
		return http.StatusOK, s.Comments, nil
	})
	s.handle(mux, "POST "+comments, "Pull requests: write", s.addComment)
	s.handle(mux, "PATCH "+repository+"/issues/comments/{id}", "Pull requests: write", s.editComment)
	s.handle(mux, "DELETE "+repository+"/issues/comments/{id}", "Pull requests: write", func(r *http.Request, _ Object) (int, any, error) {
		at := find(s.Comments, r)
		if at < 0 {
			return 0, nil, notFound
		}
		s.Comments = slices.Delete(s.Comments, at, at+1)
		return http.StatusNoContent, nil, nil
	})
}

func (s *Server) listPulls(r *http.Request, _ Object) (int, any, error) {
	query := r.URL.Query()
	var found []Object
	for _, p := range s.Pulls {
		head, base := text(p["head"].(Object), "ref"), text(p["base"].(Object), "ref")
		state := query.Get("state")
		if (state == "" || state == "all" || state == p["state"]) && (query.Get("base") == "" || query.Get("base") == base) &&
			(query.Get("head") == "" || query.Get("head") == "me:"+head) {
			found = append(found, p)
		}
	}
	return http.StatusOK, found, nil
}

func (s *Server) openPull(_ *http.Request, in Object) (int, any, error) {
	for _, field := range []string{"head", "base", "title"} { // title: unless it is for an issue
		if text(in, field) == "" {
			return 0, nil, missing("PullRequest", field)
		}
	}
	for _, p := range s.Pulls {
		if p["state"] == "open" && text(p["head"].(Object), "ref") == in["head"] && text(p["base"].(Object), "ref") == in["base"] {
			return 0, nil, invalid(Object{"resource": "PullRequest", "code": "custom", "message": "A pull request already exists for me:" + text(in, "head") + "."})
		}
	}
	p := Pull(len(s.Pulls)+1, "open", text(in, "head"), text(in, "base"))
	s.Pulls = append(s.Pulls, p)
	return http.StatusCreated, p, nil
}

func (s *Server) addComment(r *http.Request, in Object) (int, any, error) {
	if err := writable(in); err != nil {
		return 0, nil, err
	}
	login, kind := s.Login, "User"
	if login == "" {
		login, kind = "gitops[bot]", "Bot"
	}
	c := Comment(int(s.id()), login, kind, text(in, "body"))
	s.Comments = append(s.Comments, c)
	return http.StatusCreated, c, nil
}

// writable refuses what is no text of a comment: none, or more than 65,536 characters.
func writable(in Object) error {
	switch n := utf8.RuneCountInString(text(in, "body")); {
	case n == 0:
		return missing("IssueComment", "body")
	case n > 65536:
		return invalid(Object{"resource": "IssueComment", "code": "unprocessable", "field": "data", "message": "Body is too long (maximum is 65536 characters)"})
	}
	return nil
}

func (s *Server) editComment(r *http.Request, in Object) (int, any, error) {
	at := find(s.Comments, r)
	if at < 0 {
		return 0, nil, notFound
	}
	if err := writable(in); err != nil {
		return 0, nil, err
	}
	s.Comments[at]["body"] = in["body"]
	return http.StatusOK, s.Comments[at], nil
}

// statuses are of commits: https://docs.github.com/rest/commits/statuses.
func (s *Server) statuses(mux *http.ServeMux) {
	s.handle(mux, "GET "+repository+"/commits/{ref}/statuses", "Commit statuses: read", func(r *http.Request, _ Object) (int, any, error) {
		if !s.commit(r.PathValue("ref")) {
			return 0, nil, notFound
		}
		var found []Object
		for _, status := range slices.Backward(s.Statuses) { // newest first
			if status["sha"] == r.PathValue("ref") {
				found = append(found, status)
			}
		}
		return http.StatusOK, found, nil
	})
	s.handle(mux, "POST "+repository+"/statuses/{sha}", "Commit statuses: write", func(r *http.Request, in Object) (int, any, error) {
		sha := r.PathValue("sha")
		label := text(in, "context")
		if label == "" {
			label = "default"
		}
		count := 0
		for _, status := range s.Statuses {
			if status["sha"] == sha && strings.EqualFold(text(status, "context"), label) {
				count++
			}
		}
		switch {
		case len(sha) != 40 || !s.commit(sha):
			return 0, nil, refusal{code: http.StatusUnprocessableEntity, message: "No commit found for SHA: " + sha}
		case !slices.Contains([]string{"error", "failure", "pending", "success"}, text(in, "state")):
			return 0, nil, invalid(Object{"resource": "Status", "field": "state", "code": "invalid"})
		case len([]rune(text(in, "description"))) > 140:
			return 0, nil, invalid(Object{"resource": "Status", "code": "custom", "field": "description", "message": "description is too long (maximum is 140 characters)"})
		case count >= 1000:
			return 0, nil, invalid(Object{"resource": "Status", "code": "custom", "message": "This SHA and context has reached the maximum number of statuses."})
		}
		status := Object{"id": s.id(), "sha": sha, "context": label, "state": in["state"], "description": nil, "target_url": nil}
		for _, field := range []string{"description", "target_url"} {
			if text(in, field) != "" {
				status[field] = in[field]
			}
		}
		s.Statuses = append(s.Statuses, status)
		return http.StatusCreated, status, nil
	})
}

func (s *Server) commit(sha string) bool { return s.Commits == nil || slices.Contains(s.Commits, sha) }
