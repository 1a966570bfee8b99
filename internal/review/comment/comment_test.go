package comment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

const (
	marker = "<!-- gitops-review -->"
	secret = "ghp_thisIsTheToken"
)

// github is the part of GitHub's API that comments need.
type github struct {
	t        *testing.T
	comments []existing
	// login of the token; empty: a GitHub App, which has no user.
	login string
	// fail is the status of every write, if it is not 0.
	fail  int
	calls []string
}

func (g *github) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+secret {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"message": "Bad credentials"}`)
		return
	}
	g.calls = append(g.calls, r.Method+" "+r.URL.Path)
	if r.URL.Path == "/user" {
		if g.login == "" {
			w.WriteHeader(http.StatusForbidden)
		}
		json.NewEncoder(w).Encode(map[string]string{"login": g.login})
		return
	}
	if r.URL.Path == "/repos/me/platform/commits/abc/pulls" {
		fmt.Fprint(w, `[{"number": 1, "state": "closed", "base": {"ref": "main"}}, {"number": 2, "state": "open", "base": {"ref": "production"}},
			{"number": 3, "state": "open", "base": {"ref": "main"}}]`)
		return
	}
	if r.Method != http.MethodGet && g.fail != 0 {
		w.WriteHeader(g.fail)
		fmt.Fprint(w, `{"message": "Resource not accessible"}`)
		return
	}
	g.comment(w, r)
}

func (g *github) comment(w http.ResponseWriter, r *http.Request) {
	var in struct{ Body string }
	json.NewDecoder(r.Body).Decode(&in)
	id, _ := strconv.ParseInt(r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], 10, 64)
	at := slices.IndexFunc(g.comments, func(c existing) bool { return c.ID == id })
	switch {
	case r.Method == http.MethodGet && r.URL.Path == "/repos/me/platform/issues/7/comments":
		page, _ := strconv.Atoi(r.URL.Query().Get("page"))
		from := min((page-1)*100, len(g.comments))
		json.NewEncoder(w).Encode(g.comments[from:min(from+100, len(g.comments))])
	case r.Method == http.MethodPost && r.URL.Path == "/repos/me/platform/issues/7/comments":
		c := by(g.login, "User", in.Body)
		c.ID = int64(1000 + len(g.comments))
		g.comments = append(g.comments, c)
		w.WriteHeader(http.StatusCreated)
		json.NewEncoder(w).Encode(c)
	case r.Method == http.MethodPatch && at >= 0:
		g.comments[at].Body = in.Body
		json.NewEncoder(w).Encode(g.comments[at])
	case r.Method == http.MethodDelete && at >= 0:
		g.comments = slices.Delete(g.comments, at, at+1)
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message": "Not Found"}`)
	}
}

// by is a comment of a user.
func by(login, kind, body string) existing {
	c := existing{Body: body, URL: "https://github.com/me/platform/pull/7#issuecomment"}
	c.User.Login, c.User.Type = login, kind
	return c
}

func TestPut(t *testing.T) {
	many := make([]existing, 150)
	for i := range many {
		many[i] = by("someone", "User", "looks good")
	}
	for name, c := range map[string]struct {
		login    string
		comments []existing
		writes   string // the methods that change something
		bodies   int    // comments with the new text afterwards
	}{
		"first":                {"me", nil, "POST", 1},
		"update":               {"me", []existing{by("me", "User", marker+"old")}, "PATCH", 1},
		"nothing new":          {"me", []existing{by("me", "User", marker+"new")}, "", 1},
		"on the second page":   {"me", append(slices.Clone(many), by("me", "User", marker+"old")), "PATCH", 1},
		"a reader quotes it":   {"me", []existing{by("eve", "User", marker+"old"), by("me", "User", "> "+marker)}, "POST", 1},
		"two wrote at once":    {"me", []existing{by("me", "User", marker+"a"), by("me", "User", marker+"b")}, "DELETE PATCH", 1},
		"an app's own comment": {"", []existing{by("eve", "User", marker+"x"), by("gitops[bot]", "Bot", marker+"old")}, "PATCH", 1},
	} {
		t.Run(name, func(t *testing.T) {
			g := &github{t: t, comments: slices.Clone(c.comments), login: c.login}
			for i := range g.comments {
				g.comments[i].ID = int64(i + 1)
			}
			server := httptest.NewServer(g)
			defer server.Close()
			client := Client{API: server.URL + "/", Token: secret, Marker: marker}
			address, err := client.Put(t.Context(), PullRequest{"me", "platform", 7}, marker+"new")
			if err != nil || address == "" {
				t.Fatal(address, err)
			}
			var writes []string
			for _, call := range g.calls {
				if method, _, _ := strings.Cut(call, " "); method != http.MethodGet {
					writes = append(writes, method)
				}
			}
			count := 0
			for _, comment := range g.comments {
				if comment.Body == marker+"new" {
					count++
				}
			}
			if strings.Join(writes, " ") != c.writes || count != c.bodies {
				t.Errorf("writes %q, want %q; %d comments", writes, c.writes, count)
			}
		})
	}
}

func TestPutFails(t *testing.T) {
	for name, c := range map[string]struct {
		token Token
		pr    PullRequest
		fail  int
		body  string
		want  string
	}{
		"wrong token":           {"ghp_other", PullRequest{"me", "platform", 7}, 0, marker, "401 Bad credentials; the token is wrong"},
		"not allowed":           {secret, PullRequest{"me", "platform", 7}, http.StatusForbidden, marker, "POST /repos/me/platform/issues/7/comments: 403 Resource not accessible; the token needs the permission"},
		"no such repository":    {secret, PullRequest{"me", "other", 7}, 0, marker, "404 Not Found; check the repository"},
		"broken server":         {secret, PullRequest{"me", "platform", 7}, http.StatusInternalServerError, marker, "500"},
		"without its marker":    {secret, PullRequest{"me", "platform", 7}, 0, "text", "does not start with its marker"},
		"redirect not followed": {secret, PullRequest{"me", "platform", 7}, http.StatusTemporaryRedirect, marker, "307"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(&github{t: t, login: "me", fail: c.fail})
			defer server.Close()
			_, err := Client{API: server.URL, Token: c.token, Marker: marker}.Put(t.Context(), c.pr, c.body)
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
	server := httptest.NewServer(&github{t: t})
	defer server.Close()
	client := Client{API: server.URL, Token: secret}
	for branch, want := range map[string]int{"main": 3, "production": 2, "dev": 0} {
		got, err := client.Find(t.Context(), "me", "platform", "abc", branch)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%s: got %d, %v", branch, got, err)
		}
	}
}

// secrets answers as Secrets Manager does.
type secrets struct {
	value string
	err   error
}

func (s secrets) GetSecretValue(_ context.Context, in *secretsmanager.GetSecretValueInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	if aws.ToString(in.SecretId) != "/dev/gitops/review-token" {
		return nil, fmt.Errorf("asked for %s", aws.ToString(in.SecretId))
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(s.value)}, s.err
}

func TestToken(t *testing.T) {
	for name, c := range map[string]struct {
		answer    secrets
		want      Token
		wantError string
	}{
		"object":      {secrets{value: `{"token": "ghp_x"}`}, "ghp_x", ""},
		"plain":       {secrets{value: "ghp_x\n"}, "ghp_x", ""},
		"missing":     {secrets{err: &types.ResourceNotFoundException{}}, "", ""},
		"not allowed": {secrets{err: errors.New("AccessDeniedException")}, "", "grant secretsmanager:GetSecretValue"},
		"broken":      {secrets{value: `{"token": ghp_x}`}, "", `has no "token"`},
		"other key":   {secrets{value: `{"password": "ghp_x"}`}, "", `has no "token"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromSecret(t.Context(), c.answer, SecretName("dev"))
			if got != c.want || (err == nil) != (c.wantError == "") || err != nil && !strings.Contains(err.Error(), c.wantError) {
				t.Errorf("got %q, %v", string(got), err)
			}
			if err != nil && strings.Contains(err.Error(), "ghp_") {
				t.Errorf("the error holds the token: %v", err)
			}
		})
	}
	env := func(values map[string]string) func(string) (string, bool) {
		return func(name string) (string, bool) { value, ok := values[name]; return value, ok }
	}
	if got := FromEnvironment(env(map[string]string{"GITHUB_TOKEN": "b", "GITOPS_REVIEW_TOKEN": " a\n"})); got != "a" {
		t.Errorf("got %q", string(got))
	}
	if got := FromEnvironment(env(map[string]string{"GITOPS_REVIEW_TOKEN": " "})); got != "" {
		t.Errorf("got %q", string(got))
	}
}

func TestTokenDoesNotPrint(t *testing.T) {
	token := Token(secret)
	encoded, err := json.Marshal(struct{ Token Token }{token})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(token), fmt.Sprintf("%v %s %q %#v %+v", token, token, token, token, Client{Token: token}), token.LogValue().String(), string(encoded)} {
		if strings.Contains(text, "ghp_") {
			t.Error(text)
		}
	}
}
