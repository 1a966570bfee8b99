package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge/forgetest"
	"k8s-plus-aws-gitops/internal/rehearsal"
)

// rehearsed writes the result of a rehearsal of a commit, which lost a request or could not run.
func rehearsed(t *testing.T, commit string, lost int, fails string) string {
	t.Helper()
	r := &rehearsal.Result{
		Environment: "local", Base: strings.Repeat("b", 40), Commit: commit,
		Merge: rehearsal.Half{State: rehearsal.Succeeded, Seconds: 41}, Revert: rehearsal.Half{State: rehearsal.Succeeded, Seconds: 38},
	}
	r.Hosts = []rehearsal.Host{{Name: "ghost.localhost", Session: rehearsal.Session{Kept: true}, Periods: []rehearsal.Period{{Phase: rehearsal.Merge, Requests: 1117, Lost: lost}}}}
	if fails != "" {
		r.Verdict, r.Cause = rehearsal.CouldNotRun, fails
	}
	r.Judge()
	content, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rehearsal.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestRehearsalStatus(t *testing.T) {
	commit := strings.Repeat("a", 40)
	for name, c := range map[string]struct {
		file               func(t *testing.T) string
		state, description string
	}{
		"verified":      {func(t *testing.T) string { return rehearsed(t, commit, 0, "") }, "success", "Rehearsed: both halves verified in 41 s, 0 of 1,117 requests lost, reverted in 38 s, nothing left behind"},
		"broke":         {func(t *testing.T) string { return rehearsed(t, commit, 2, "") }, "failure", "Rehearsed: it broke: requests lost: ghost.localhost: 2 of 1,117"},
		"could not run": {func(t *testing.T) string { return rehearsed(t, "", 0, "the disk is full") }, "error", "Not rehearsed: the disk is full"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := onGitHub(t)
			file := c.file(t)
			for range 2 { // a second time changes nothing
				gitops(t, 0, "commit-status", "--github-api", s.URL, "--rehearsal", file, "--commit", commit, "--url", "https://run/1", "--pull-request", "7")
			}
			if len(s.Statuses) != 1 || len(s.Comments) != 1 {
				t.Fatalf("%v %v", s.Statuses, s.Comments)
			}
			got, body := s.Statuses[0], s.Comments[0]["body"].(string)
			if got["context"] != "gitops/rehearsal" || got["state"] != c.state || got["description"] != c.description || got["sha"] != commit || got["target_url"] != "https://run/1" {
				t.Errorf("status %v", got)
			}
			t.Setenv("GITHUB_TOKEN", "")
			if says := gitops(t, 0, "commit-status", "--rehearsal", file, "--commit", commit); !strings.Contains(says, "**"+c.description+"**") || len(s.Statuses) != 1 {
				t.Errorf("without a token: %s", says)
			}
			if !strings.HasPrefix(body, rehearsalMarker+"\n\n### Rehearsal in local\n\n**"+c.description+"**") {
				t.Errorf("comment %q", body)
			}
		})
	}
}

// A result that has no room in a comment is told in short.
func TestALongRehearsal(t *testing.T) {
	s, _ := onGitHub(t)
	commit := strings.Repeat("a", 40)
	r := &rehearsal.Result{Environment: "local", Commit: commit, Merge: rehearsal.Half{State: rehearsal.Failed}}
	for range 60 {
		r.Unseen = append(r.Unseen, strings.Repeat("long ", 1000))
	}
	r.Judge()
	content, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	gitops(t, 0, "commit-status", "--github-api", s.URL, "--rehearsal", file, "--commit", commit, "--pull-request", "7")
	if body := s.Comments[0]["body"].(string); !strings.Contains(body, "**BROKE**") || !strings.Contains(body, "There is no room for the rest") || s.Statuses[0]["state"] != "failure" {
		t.Errorf("%v, comment %s", s.Statuses, body)
	}
}

func TestRehearsalStatusRefuses(t *testing.T) {
	s, _ := onGitHub(t)
	commit := strings.Repeat("a", 40)
	file := rehearsed(t, commit, 0, "")
	for name, c := range map[string]struct {
		code int
		args []string
		says string
	}{
		"another commit":            {1, []string{"--rehearsal", file, "--commit", strings.Repeat("c", 40)}, "must be of commit cccccccccccc, got aaaaaaaaaaaa"},
		"a state beside it":         {2, []string{"--rehearsal", file, "--state", "success"}, "leave them out"},
		"a pull request without it": {2, []string{"--context", "gitops/dev", "--state", "success", "--pull-request", "7"}, "goes with --rehearsal"},
		"no commit of its own":      {1, []string{"--rehearsal", rehearsed(t, "", 0, ""), "--commit", commit}, "commit must be that of the change where the verdict is verified"},
		"no such file":              {1, []string{"--rehearsal", file + "x", "--commit", commit}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			if says := gitops(t, c.code, append([]string{"commit-status", "--github-api", s.URL}, c.args...)...); !strings.Contains(says, c.says) || len(s.Statuses) > 0 {
				t.Errorf("says %q, %v", says, s.Statuses)
			}
		})
	}
}

// The review's comment has the rehearsal's section, and the commit both statuses.
func TestReviewWithRehearsal(t *testing.T) {
	t.Setenv("GITOPS_REVIEW_TOKEN", forgetest.Token)
	commit := strings.Repeat("a", 40)
	s := forgetest.New(t)
	f := &reviewFlags{comment: true, pullRequest: 7, api: s.URL, rehearsal: rehearsed(t, commit, 2, "")}
	r := reviewOf(commit, 0)
	if err := f.rehearsed(r); err != nil {
		t.Fatal(err)
	}
	out, _, err := reportIn(t, f, r)
	if err != nil || len(s.Comments) != 1 || len(s.Statuses) != 2 {
		t.Fatal(err, s.Comments, s.Statuses)
	}
	const line = "Rehearsed: it broke: requests lost: ghost.localhost: 2 of 1,117"
	if body := s.Comments[0]["body"].(string); !strings.Contains(body, "\n### Rehearsal in local\n\n**"+line+"**\n") {
		t.Errorf("comment %q", body)
	}
	if !strings.Contains(out, line+"\n") {
		t.Errorf("text %q", out)
	}
	for _, status := range s.Statuses {
		if want := map[any]string{"gitops/review": "success", "gitops/rehearsal": "failure"}[status["context"]]; status["state"] != want || status["target_url"] != s.Comments[0]["html_url"] {
			t.Errorf("status %v", status)
		}
	}
	f.rehearsal = rehearsed(t, strings.Repeat("c", 40), 0, "")
	if err := f.rehearsed(reviewOf(commit, 0)); err == nil || !strings.Contains(err.Error(), "must be of commit aaaaaaaaaaaa, which is reviewed, got cccccccccccc") {
		t.Error(err)
	}
}
