package comment

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge"
	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

const marker = "<!-- gitops-review -->"

var platform = forge.Repository{Owner: "me", Name: "platform"}

// client writes to a server.
func client(s *forgetest.Server, token string) Client {
	return Client{Forge: forge.Client{API: s.URL + "/", Token: forge.Token(token)}, Marker: marker}
}

func TestPut(t *testing.T) {
	type comments []forgetest.Object
	by := forgetest.Comment
	many := make(comments, 150)
	for i := range many {
		many[i] = by(1000+i, "someone", "User", "looks good")
	}
	for name, c := range map[string]struct {
		login    string
		comments comments
		writes   string // the methods that change something
	}{
		"first":                {"me", nil, "POST"},
		"update":               {"me", comments{by(1, "me", "User", marker+"old")}, "PATCH"},
		"nothing new":          {"me", comments{by(1, "me", "User", marker+"new")}, ""},
		"on the second page":   {"me", append(slices.Clone(many), by(1, "me", "User", marker+"old")), "PATCH"},
		"a reader quotes it":   {"me", comments{by(1, "eve", "User", marker+"old"), by(2, "me", "User", "> "+marker)}, "POST"},
		"two wrote at once":    {"me", comments{by(1, "me", "User", marker+"a"), by(2, "me", "User", marker+"b")}, "DELETE PATCH"},
		"an app's own comment": {"", comments{by(1, "eve", "User", marker+"x"), by(2, "gitops[bot]", "Bot", marker+"old")}, "PATCH"},
	} {
		t.Run(name, func(t *testing.T) {
			s := forgetest.New(t)
			s.Login, s.Comments = c.login, c.comments
			address, err := client(s, forgetest.Token).Put(t.Context(), PullRequest{platform, 7}, marker+"new")
			if err != nil || !strings.Contains(address, "#issuecomment-") {
				t.Fatal(address, err)
			}
			var writes []string
			for _, call := range s.Writes() {
				method, _, _ := strings.Cut(call, " ")
				writes = append(writes, method)
			}
			count := 0
			for _, comment := range s.Comments {
				if comment["body"] == marker+"new" {
					count++
				}
			}
			if strings.Join(writes, " ") != c.writes || count != 1 {
				t.Errorf("writes %q, want %q; %d comments", writes, c.writes, count)
			}
		})
	}
}

func TestPutFails(t *testing.T) {
	for name, c := range map[string]struct {
		token      string
		repository forge.Repository
		lacks      []string
		fail       int
		body       string
		want       string
	}{
		"wrong token":           {"ghp_other", platform, nil, 0, marker, "401 Bad credentials; the token is wrong"},
		"not allowed":           {forgetest.Token, platform, []string{"Pull requests: write"}, 0, marker, "POST /repos/me/platform/issues/7/comments: 403 Resource not accessible by personal access token; the token must have 'Pull requests: write' on me/platform"},
		"no such repository":    {forgetest.Token, forge.Repository{Owner: "me", Name: "other"}, nil, 0, marker, "404 Not Found; the token must have 'Pull requests: read' on me/other, which must be there"},
		"without its marker":    {forgetest.Token, platform, nil, 0, "text", "does not start with its marker"},
		"redirect not followed": {forgetest.Token, platform, nil, http.StatusTemporaryRedirect, marker, "307"},
	} {
		t.Run(name, func(t *testing.T) {
			s := forgetest.New(t)
			s.Lacks = c.lacks
			if c.fail != 0 {
				s.Fail(c.fail)
			}
			_, err := client(s, c.token).Put(t.Context(), PullRequest{c.repository, 7}, c.body)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), "ghp_") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
}

func TestFind(t *testing.T) {
	s := forgetest.New(t)
	s.Pulls = []forgetest.Object{forgetest.Pull(1, "closed", "x", "main"), forgetest.Pull(2, "open", "x", "production"), forgetest.Pull(3, "open", "x", "main")}
	for branch, want := range map[string]int{"main": 3, "production": 2, "dev": 0} {
		got, err := client(s, forgetest.Token).Find(t.Context(), platform, "abc", branch)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %d, %v", branch, got, err)
		}
	}
}
