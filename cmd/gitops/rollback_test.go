package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/git"
	"k8s-plus-aws-gitops/internal/rollback"
)

// secretsAnswering serves Secrets Manager of eu-west-1 with one secret, and points this process at it. The caller's own region is another.
func secretsAnswering(t *testing.T, name, value string) {
	t.Helper()
	bucketOf(t, "any") // an account
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		here := strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/secretsmanager/")
		if !here || !strings.Contains(string(asked), `"`+name+`"`) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"__type": "ResourceNotFoundException", "message": "there is none"}`)
			return
		}
		_, _ = io.WriteString(w, `{"SecretString": "`+value+`"}`)
	}))
	t.Cleanup(s.Close)
	t.Setenv("AWS_ENDPOINT_URL", s.URL)
	t.Setenv("AWS_REGION", "us-east-1")
}

// Git gets a token for GitHub alone, and only one that may push.
func TestRollbackSignsIn(t *testing.T) {
	for name, c := range map[string]struct {
		url, variable, flag string
		pushes, pulls, says string
	}{
		"a variable":              {"https://github.com/me/platform.git", "mine", "", "mine", "mine", ""},
		"the environment's":       {"https://github.com/Me/Platform", "", "", "", "secret", ""},
		"a secret that is named":  {"https://github.com/me/platform.git", "", "/dev/gitops/review-token", "secret", "secret", ""},
		"a secret that is not":    {"https://github.com/me/platform.git", "", "/none", "", "", "there is no secret /none"},
		"another host":            {"https://git.example.com/me/platform.git", "mine", "", "", "", "dev follows https://git.example.com/me/platform.git, not me/platform on GitHub"},
		"another repository":      {"https://github.com/you/platform.git", "mine", "", "", "", "not me/platform on GitHub"},
		"another host, by secret": {"https://u:own@git.example.com/me/platform.git", "", "/dev/gitops/review-token", "own", "", "dev follows https://git.example.com/me/platform.git"},
	} {
		t.Run(name, func(t *testing.T) {
			secretsAnswering(t, "/dev/gitops/review-token", "secret")
			for name, value := range map[string]string{
				"GITOPS_REVIEW_TOKEN": c.variable, "GITHUB_TOKEN": "", "REVIEW_TOKEN_SECRET": "", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "false",
				"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
			} {
				t.Setenv(name, value)
			}
			env := config.Environment{Name: "dev", RepositoryURL: c.url, Region: "eu-west-1", Repository: config.Repository{Owner: "me", Name: "platform"}}
			ctx, token, none := (&rollbackFlags{secret: c.flag}).signIn(t.Context(), env)
			if pushes := signedIn(ctx, t.TempDir(), c.url); pushes != c.pushes || string(token) != c.pulls || !strings.Contains(none, c.says) {
				t.Errorf("git gets %q and the API %q, %q; want %q and %q, %q", pushes, string(token), none, c.pushes, c.pulls, c.says)
			}
		})
	}
}

// signedIn is the password by which git signs in to an address.
func signedIn(ctx context.Context, dir, url string) string {
	out, _ := git.Run(ctx, dir, strings.NewReader("url="+url+"\n\n"), "credential", "fill")
	_, after, _ := strings.Cut(out, "password=")
	password, _, _ := strings.Cut(after, "\n")
	return password
}

// What is left to a person depends on where the repository is.
func TestRollbackNext(t *testing.T) {
	for url, want := range map[string]string{
		"https://github.com/me/platform.git":      "because.\nOpen it, and merge it:\n  gh pr create --head rollback/x --base main --fill\n",
		"https://git.example.com/me/platform.git": "because.\nOpen one of branch rollback/x into main there, and merge it.\n",
	} {
		cmd := newRollback()
		var said strings.Builder
		cmd.SetErr(&said)
		env := config.Environment{Name: "dev", Branch: "main", RepositoryURL: url, Repository: config.Repository{Owner: "me", Name: "platform"}}
		(&rollbackFlags{}).next(cmd, env, &rollback.Report{Head: "rollback/x"}, "because")
		if !strings.HasSuffix(said.String(), want) {
			t.Errorf("%s: %q", url, said.String())
		}
	}
}
