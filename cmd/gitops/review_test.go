package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/render"
)

// sample is a checkout's cdk.json.
const sample = `{"context": {"gitops": {"repository": {"owner": "me", "name": "platform"}, "environments": {
	"dev": {"account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main"}}}}}`

func TestPullRequestNumber(t *testing.T) {
	for name, c := range map[string]struct {
		flag int
		env  map[string]string
		want int
		says string
	}{
		"flag":            {7, map[string]string{"PULL_REQUEST": "8"}, 7, ""},
		"variable":        {0, map[string]string{"PULL_REQUEST": "8"}, 8, ""},
		"webhook":         {0, map[string]string{"CODEBUILD_WEBHOOK_TRIGGER": "pr/9"}, 9, ""},
		"webhook of push": {0, map[string]string{"CODEBUILD_WEBHOOK_TRIGGER": "branch/main"}, 0, ""},
		"no number":       {0, map[string]string{"PULL_REQUEST": "main"}, 0, `PULL_REQUEST "main"`},
		"nothing":         {0, nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &reviewFlags{pullRequest: c.flag}
			got, err := f.number(func(name string) (string, bool) { value, ok := c.env[name]; return value, ok })
			if got != c.want || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %d, %v", got, err)
			}
		})
	}
}

// reviewIn reports an empty review in a checkout with the environment's variables.
func reviewIn(t *testing.T, f *reviewFlags) (out, errs string, err error) {
	t.Helper()
	f.Root = t.TempDir()
	if err := os.WriteFile(filepath.Join(f.Root, "cdk.json"), []byte(sample), 0o600); err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	cmd := newReview()
	cmd.SetOut(&o)
	cmd.SetErr(&e)
	cmd.SetContext(t.Context())
	err = f.report(cmd, &review.Review{Base: review.Side{Name: "origin/main"}, Head: review.Side{Name: "working tree"}})
	return o.String(), e.String(), err
}

func TestReportComments(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", "ghp_secret")
	posted := ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/user":
			fmt.Fprint(w, `{"login": "me"}`)
		case r.Method == http.MethodGet:
			fmt.Fprint(w, `[]`)
		default:
			body, _ := io.ReadAll(r.Body)
			posted = r.URL.Path + " " + string(body)
			fmt.Fprint(w, `{"html_url": "https://github.com/me/platform/pull/7#issuecomment-1"}`)
		}
	}))
	defer server.Close()
	file := filepath.Join(t.TempDir(), "review.md")
	out, errs, err := reviewIn(t, &reviewFlags{comment: true, pullRequest: 7, api: server.URL, markdown: file})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(posted, "/repos/me/platform/issues/7/comments ") || !strings.Contains(posted, "gitops-review") {
		t.Errorf("posted %q", posted)
	}
	if !strings.Contains(errs, "issuecomment-1") || !strings.Contains(out, "Nothing changes") || strings.Contains(out+errs, "ghp_") {
		t.Errorf("out %q, errors %q", out, errs)
	}
	if content, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(content), render.Marker) {
		t.Errorf("file %q, %v", content, err)
	}
}

func TestReportWithoutToken(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", "")
	t.Setenv("GITHUB_TOKEN", "")
	out, errs, err := reviewIn(t, &reviewFlags{comment: true, pullRequest: 7, api: "http://127.0.0.1:1"})
	if err != nil || !strings.HasPrefix(out, render.Marker) || !strings.Contains(errs, "No comment was written: there is no token") {
		t.Errorf("out %q, errors %q, %v", out, errs, err)
	}
}

func TestReportJSON(t *testing.T) {
	out, _, err := reviewIn(t, &reviewFlags{output: "json"})
	if err != nil || !strings.Contains(out, `"exitCode": 0`) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestReportOfUncommittedWork(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", "ghp_secret")
	t.Setenv("PULL_REQUEST", "")
	t.Setenv("CODEBUILD_WEBHOOK_TRIGGER", "")
	_, _, err := reviewIn(t, &reviewFlags{comment: true, api: "http://127.0.0.1:1"})
	if err == nil || !strings.Contains(err.Error(), "which pull request?") {
		t.Error(err)
	}
}
