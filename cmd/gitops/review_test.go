package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/render"
	"k8s-plus-aws-gitops/internal/review/risk"
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

// reviewOf is a review of a commit in which so many changes are forbidden.
func reviewOf(commit string, forbidden int) *review.Review {
	r := &review.Review{Base: review.Side{Name: "origin/main"}, Head: review.Side{Name: "working tree", Commit: commit}}
	if forbidden > 0 {
		r.Environments = []review.Environment{{Name: "dev", Findings: slices.Repeat([]risk.Finding{{Verdict: risk.Forbidden}}, forbidden)}}
	}
	return r
}

// reportIn reports a review in a checkout with the environment's variables.
func reportIn(t *testing.T, f *reviewFlags, r *review.Review) (out, errs string, err error) {
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
	err = f.report(cmd, r)
	return o.String(), e.String(), err
}

func TestReportComments(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", forgetest.Token)
	commit := strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		commit    string
		forbidden int
		lacks     []string
		state     any // of the commit; nil: it has no status
		says      string
	}{
		"nothing forbidden":  {commit, 0, nil, "success", ""},
		"forbidden":          {commit, 2, nil, "failure", ""},
		"uncommitted":        {"", 0, nil, nil, "No commit status is written: the working tree has changes of its own"},
		"a token to comment": {commit, 0, []string{"Commit statuses: write"}, nil, "No commit status is written: GitHub POST /repos/me/platform/statuses/" + commit + ": 403"},
	} {
		t.Run(name, func(t *testing.T) {
			s := forgetest.New(t)
			s.Lacks = c.lacks
			file := filepath.Join(t.TempDir(), "review.md")
			_, errs, err := reportIn(t, &reviewFlags{comment: true, pullRequest: 7, api: s.URL, markdown: file}, reviewOf(c.commit, c.forbidden))
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Comments) != 1 || !strings.Contains(s.Comments[0]["body"].(string), "gitops-review") || !strings.Contains(errs, "issuecomment-") {
				t.Errorf("comments %v, errors %q", s.Comments, errs)
			}
			if !strings.Contains(errs, c.says) || strings.Contains(errs, "ghp_") {
				t.Errorf("errors %q", errs)
			}
			if content, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(content), render.Marker) {
				t.Errorf("file %q, %v", content, err)
			}
			if (c.state == nil) != (len(s.Statuses) == 0) || c.state != nil && (s.Statuses[0]["state"] != c.state || s.Statuses[0]["context"] != "gitops/review" || s.Statuses[0]["target_url"] != s.Comments[0]["html_url"]) {
				t.Errorf("statuses %v", s.Statuses)
			}
		})
	}
}

func TestReportWithoutToken(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", "")
	t.Setenv("GITHUB_TOKEN", "")
	out, errs, err := reportIn(t, &reviewFlags{comment: true, pullRequest: 7, api: "http://127.0.0.1:1"}, reviewOf("", 0))
	if err != nil || !strings.HasPrefix(out, render.Marker) || !strings.Contains(errs, "No comment was written: there is no token") {
		t.Errorf("out %q, errors %q, %v", out, errs, err)
	}
}

func TestReportJSON(t *testing.T) {
	out, _, err := reportIn(t, &reviewFlags{output: "json"}, reviewOf("", 0))
	if err != nil || !strings.Contains(out, `"exitCode": 0`) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestReportOfUncommittedWork(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", "ghp_secret")
	t.Setenv("PULL_REQUEST", "")
	t.Setenv("CODEBUILD_WEBHOOK_TRIGGER", "")
	_, _, err := reportIn(t, &reviewFlags{comment: true, api: "http://127.0.0.1:1"}, reviewOf("", 0))
	if err == nil || !strings.Contains(err.Error(), "which pull request?") {
		t.Error(err)
	}
}
