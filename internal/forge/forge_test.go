package forge_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

var platform = forge.Repository{Owner: "me", Name: "platform"}

const commit = "0123456789012345678901234567890123456789"

func clientOf(s *forgetest.Server) forge.Client {
	return forge.Client{API: s.URL, Token: forgetest.Token}
}

func TestParse(t *testing.T) {
	for address, want := range map[string]string{
		"https://github.com/me/platform.git":       "github.com me/platform",
		"https://github.com/me/platform":           "github.com me/platform",
		"https://token@git.example.com:8443/a/b.c": "git.example.com a/b.c",
		"ssh://git@github.com/me/platform.git":     "github.com me/platform",
		"ssh://git@github.com:22/me/platform.git":  "github.com me/platform",
		"git@github.com:me/platform.git":           "github.com me/platform",
		"http://git.localhost/platform.git":        "",
		"/srv/git/me/platform.git":                 "",
		"https://git.example.com/group/sub/name":   "",
	} {
		t.Run(address, func(t *testing.T) {
			host, r, ok := forge.Parse(address)
			if got := host + " " + r.String(); ok != (want != "") || ok && got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

func TestSetStatus(t *testing.T) {
	long := strings.Repeat("ä", 200)
	deploying := forge.Status{Context: forge.Context("dev"), State: forge.Pending, Description: "Deploys the network", URL: "https://build/1"}
	for name, c := range map[string]struct {
		before []forge.Status
		status forge.Status
		writes bool
		text   string // of the newest
	}{
		"first":             {nil, deploying, true, "Deploys the network"},
		"same":              {[]forge.Status{deploying}, deploying, false, "Deploys the network"},
		"same, other case":  {[]forge.Status{deploying}, forge.Status{Context: "GitOps/Dev", State: forge.Pending, Description: "Deploys  the\nnetwork", URL: "https://build/1"}, false, "Deploys the network"},
		"other state":       {[]forge.Status{deploying}, forge.Status{Context: "gitops/dev", State: forge.Success}, true, ""},
		"back again":        {[]forge.Status{deploying, {Context: "gitops/dev", State: forge.Success}}, deploying, true, "Deploys the network"},
		"other context":     {[]forge.Status{deploying}, forge.Status{Context: forge.ReviewContext, State: forge.Pending, Description: deploying.Description, URL: deploying.URL}, true, "Deploys the network"},
		"too long":          {nil, forge.Status{Context: "gitops/dev", State: forge.Errored, Description: long}, true, strings.Repeat("ä", 139) + "…"},
		"too long, again":   {[]forge.Status{{Context: "gitops/dev", State: forge.Errored, Description: long}}, forge.Status{Context: "gitops/dev", State: forge.Errored, Description: long}, false, strings.Repeat("ä", 139) + "…"},
		"without anything":  {nil, forge.Status{Context: "gitops/dev", State: forge.Failure}, true, ""},
		"nothing, and same": {[]forge.Status{{Context: "gitops/dev", State: forge.Failure}}, forge.Status{Context: "gitops/dev", State: forge.Failure}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := forgetest.New(t)
			s.Commits = []string{commit}
			for _, status := range c.before {
				if _, err := clientOf(s).SetStatus(t.Context(), platform, commit, status); err != nil {
					t.Fatal(err)
				}
			}
			written, err := clientOf(s).SetStatus(t.Context(), platform, commit, c.status)
			newest := s.Statuses[len(s.Statuses)-1]
			text, _ := newest["description"].(string)
			if err != nil || written != c.writes || len(s.Statuses) != len(c.before)+map[bool]int{true: 1}[c.writes] || text != c.text {
				t.Errorf("written %v, want %v; %v, %v", written, c.writes, s.Statuses, err)
			}
		})
	}
}

func TestSetStatusBehindManyPages(t *testing.T) {
	s := forgetest.New(t)
	want := forge.Status{Context: "gitops/dev", State: forge.Success}
	if _, err := clientOf(s).SetStatus(t.Context(), platform, commit, want); err != nil {
		t.Fatal(err)
	}
	for i := range 250 {
		s.Statuses = append(s.Statuses, forgetest.Object{"sha": commit, "context": fmt.Sprint("ci/", i), "state": "success"})
	}
	if written, err := clientOf(s).SetStatus(t.Context(), platform, commit, want); written || err != nil {
		t.Error(written, err)
	}
	if reads := len(s.Calls) - len(s.Writes()); reads != 1+3 {
		t.Errorf("%d reads: %v", reads, s.Calls)
	}
}

func TestErrors(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*forgetest.Server)
		status forge.Status
		commit string
		want   string
		denied bool
	}{
		"not allowed":           {func(s *forgetest.Server) { s.Lacks = []string{"Commit statuses: write"} }, forge.Status{}, commit, "403 Resource not accessible by personal access token; the token must have 'Commit statuses: write' on me/platform", true},
		"not even to read":      {func(s *forgetest.Server) { s.Lacks = []string{"Commit statuses: read"} }, forge.Status{}, commit, "the token must have 'Commit statuses: read' on me/platform", true},
		"not even to see":       {func(s *forgetest.Server) { s.Lacks, s.Hidden = []string{"Commit statuses: write"}, true }, forge.Status{}, commit, "404 Not Found; the token must have 'Commit statuses: write' on me/platform, which must be there", true},
		"no such commit":        {func(*forgetest.Server) {}, forge.Status{}, "abc", "422 No commit found for SHA: abc", false},
		"no state":              {func(*forgetest.Server) {}, forge.Status{Context: "x", State: "done"}, commit, `state must be one of ["pending" "success" "failure" "error"], got "done"`, false},
		"no context":            {func(*forgetest.Server) {}, forge.Status{State: forge.Success, Description: "x"}, commit, "context must not be empty", false},
		"renamed":               {func(s *forgetest.Server) { s.Fail(http.StatusMovedPermanently) }, forge.Status{}, commit, "301 Server Error; me/platform has another name now, correct it", false},
		"out of order":          {func(s *forgetest.Server) { fail(s, 4, http.StatusBadGateway) }, forge.Status{}, commit, "502 Server Error", false},
		"limit for an hour":     {func(s *forgetest.Server) { s.LimitUntil(time.Now().Add(time.Hour)) }, forge.Status{}, commit, "403 API rate limit exceeded for user ID 4711.; the rate limit ends at ", false},
		"limit without an end":  {func(s *forgetest.Server) { s.LimitSecondary(http.StatusForbidden, "") }, forge.Status{}, commit, "secondary rate limit", false},
		"another limit, longer": {func(s *forgetest.Server) { s.LimitSecondary(http.StatusTooManyRequests, "3600") }, forge.Status{}, commit, "429 You have exceeded", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := forgetest.New(t)
			c.change(s)
			if c.status == (forge.Status{}) {
				c.status = forge.Status{Context: "gitops/dev", State: forge.Success}
			}
			client := clientOf(s)
			client.Patience = 10 * time.Second
			_, err := client.SetStatus(t.Context(), platform, c.commit, c.status)
			var refused *forge.Error
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || errors.As(err, &refused) && refused.Denied() != c.denied {
				t.Errorf("got %v, want %q", err, c.want)
			}
			if len(s.Statuses) > 0 {
				t.Errorf("written: %v", s.Statuses)
			}
		})
	}
}

func fail(s *forgetest.Server, times, code int) {
	for range times {
		s.Fail(code)
	}
}

// What a limit or a failure interrupts is done once, after the time that GitHub names.
func TestLimits(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*forgetest.Server)
		least  time.Duration
	}{
		"retry after":       {func(s *forgetest.Server) { s.LimitSecondary(http.StatusForbidden, "1") }, time.Second},
		"too many requests": {func(s *forgetest.Server) { s.LimitSecondary(http.StatusTooManyRequests, "1") }, time.Second},
		"reset":             {func(s *forgetest.Server) { s.LimitUntil(time.Now().Add(2 * time.Second)) }, time.Second},
		"reset is over":     {func(s *forgetest.Server) { s.LimitUntil(time.Now().Add(-time.Minute)) }, 0},
		"out of order":      {func(s *forgetest.Server) { fail(s, 2, http.StatusServiceUnavailable) }, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := forgetest.New(t)
			c.change(s)
			began := time.Now()
			written, err := clientOf(s).SetStatus(t.Context(), platform, commit, forge.Status{Context: "gitops/dev", State: forge.Success})
			if took := time.Since(began); err != nil || !written || len(s.Statuses) != 1 || took < c.least {
				t.Errorf("%v after %s: %v, %v", written, took, s.Statuses, err)
			}
		})
	}
}

// A wait ends with the context.
func TestLimitInterrupted(t *testing.T) {
	s := forgetest.New(t)
	s.LimitSecondary(http.StatusForbidden, "60")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := clientOf(s).SetStatus(ctx, platform, commit, forge.Status{Context: "gitops/dev", State: forge.Success})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// What a POST made although its answer was lost is not made twice; after a limit it is.
func TestPostIsSentOnce(t *testing.T) {
	s := forgetest.New(t)
	s.Fail(http.StatusBadGateway)
	if _, err := clientOf(s).AddComment(t.Context(), platform, 7, "text"); err == nil || len(s.Comments) != 0 {
		t.Error(err, s.Comments)
	}
	s.LimitSecondary(http.StatusForbidden, "0")
	if _, err := clientOf(s).AddComment(t.Context(), platform, 7, "text"); err != nil || len(s.Comments) != 1 {
		t.Error(err, s.Comments)
	}
}

func TestFindActor(t *testing.T) {
	for name, c := range map[string]struct {
		want   forge.Actor
		failed string
	}{
		"user:bot":    {forge.NewActor("User", 1), ""},
		"app:release": {forge.NewActor("Integration", 2), ""},
		"team:ops":    {forge.NewActor("Team", 3), ""},
		"deploy-keys": {forge.NewActor("DeployKey", 0), ""},
		"user:nobody": {forge.Actor{}, "user:nobody: GitHub GET /users/nobody: 404 Not Found; check the name"},
		"user:":       {forge.Actor{}, `an actor must be user:LOGIN, app:SLUG, team:SLUG or deploy-keys, got "user:"`},
		"bot":         {forge.Actor{}, `got "bot"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := clientOf(forgetest.New(t)).FindActor(t.Context(), "me", name)
			if (err != nil) != (c.failed != "") || err != nil && !strings.Contains(err.Error(), c.failed) || err == nil && got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

// The next page is asked for at the API's own address only: the token goes with it.
func TestNextPageElsewhere(t *testing.T) {
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Link", "<http://"+r.Host+`.example.com/repos/me/platform/hooks?page=2>; rel="next"`)
		w.Write([]byte("[]"))
	}))
	defer server.Close()
	_, err := forge.Client{API: server.URL, Token: forgetest.Token}.Hooks(t.Context(), platform)
	if err == nil || !strings.Contains(err.Error(), "is not below "+server.URL) || asked != 1 {
		t.Errorf("%v after %d requests", err, asked)
	}
}
