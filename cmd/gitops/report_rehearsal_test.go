package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

// build is one as CodeBuild knows it.
func build(number int, branch, status, version string) map[string]any {
	id := "dev-rehearsal:" + strings.Repeat(string(rune('a'+number)), 8)
	b := map[string]any{
		"id": id, "projectName": "dev-rehearsal", "buildNumber": number, "buildStatus": status,
		"environment": map[string]any{"environmentVariables": []any{
			map[string]any{"name": "REVIEW_COMMIT", "value": reportedCommit}, map[string]any{"name": "REVIEW_BRANCH", "value": branch},
		}},
	}
	if version != "" {
		b["exportedEnvironmentVariables"] = []any{map[string]any{"name": "RESULT", "value": version}}
	}
	return b
}

// refusals are what S3 answers by the version that it is asked for: a pull request's buildspec may name any.
var refusals = map[string]int{"NoSuchKey": 404, "NoSuchVersion": 404, "InvalidArgument": 400, "AccessDenied": 403, "NotImplemented": 501}

// rehearsalAPI is a CodeBuild with builds of dev-rehearsal, of which the last is asked for, and an S3 with the file of its result
// as the version v1. Once asked, the build has the status later.
func rehearsalAPI(t *testing.T, file, later string, builds ...map[string]any) (stopped *[]string) {
	t.Helper()
	stopped = &[]string{}
	last := builds[len(builds)-1]
	codebuild := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		var out any = map[string]any{}
		switch ids, _ := in["ids"].([]any); r.Header.Get("X-Amz-Target") {
		case "CodeBuild_20161006.BatchGetBuilds":
			out = map[string]any{"builds": builds}
			if len(ids) == 1 {
				out = map[string]any{"builds": []any{last}}
			}
		case "CodeBuild_20161006.ListBuildsForProject":
			out = map[string]any{"ids": []any{"one", "two"}}
		case "CodeBuild_20161006.StopBuild":
			*stopped = append(*stopped, in["id"].(string))
			if in["id"] == last["id"] {
				last["buildStatus"] = "STOPPED"
			}
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
		if later != "" && len(in) == 1 {
			last["buildStatus"] = later
		}
	}))
	t.Cleanup(codebuild.Close)
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := strings.TrimPrefix(last["id"].(string), "dev-rehearsal:")
		version := r.URL.Query().Get("versionId")
		if status, refused := refusals[version]; refused {
			w.WriteHeader(status)
			fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", version)
			return
		}
		if !strings.HasSuffix(r.URL.Path, "/results/"+id+".json") || version != "v1" {
			t.Errorf("reads %s", r.URL)
		}
		http.ServeFile(w, r, file)
	}))
	t.Cleanup(s3.Close)
	t.Setenv("AWS_ENDPOINT_URL_CODEBUILD", codebuild.URL)
	t.Setenv("AWS_ENDPOINT_URL_S3", s3.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
	return stopped
}

// Whatever becomes of a rehearsal, its commit gets the status that lets nothing in but a result that verified.
func TestReportRehearsal(t *testing.T) {
	other := strings.Repeat("c", 40)
	for name, c := range map[string]struct {
		file           func(t *testing.T) string
		status, result string
		label, branch  string
		later          string
		states         string // of the statuses in the order in which they are written
		says           string // the last description
		comments       int
		stopped        int
		exit           int
	}{
		"it runs":           {status: "IN_PROGRESS", states: "pending", says: "Merges the change in a system of its own, holds it and reverts it"},
		"it verified":       {file: func(t *testing.T) string { return rehearsed(t, reportedCommit, 0, "") }, status: "SUCCEEDED", result: "v1", states: "success", says: "Rehearsed: both halves verified", comments: 1},
		"it broke":          {file: func(t *testing.T) string { return rehearsed(t, reportedCommit, 2, "") }, status: "FAILED", result: "v1", states: "failure", says: "Rehearsed: it broke: requests lost", comments: 1},
		"it could not run":  {file: func(t *testing.T) string { return rehearsed(t, "", 0, "the disk is full") }, status: "FAILED", result: "v1", states: "error", says: "Not rehearsed: the disk is full", comments: 1},
		"no result":         {status: "TIMED_OUT", states: "error", says: "No result: the build ended as TIMED_OUT"},
		"of another commit": {file: func(t *testing.T) string { return rehearsed(t, other, 0, "") }, status: "SUCCEEDED", result: "v1", states: "error", says: "The result cannot be read"},
		"no JSON":           {file: func(*testing.T) string { return os.DevNull }, status: "SUCCEEDED", result: "v1", states: "error", says: "The result cannot be read"},
		"no object":         {status: "FAILED", result: "NoSuchKey", states: "error", says: "The result cannot be read"},
		"no such version":   {status: "SUCCEEDED", result: "NoSuchVersion", states: "error", says: "The result cannot be read"},
		"no version at all": {status: "SUCCEEDED", result: "InvalidArgument", states: "error", says: "The result cannot be read"},
		"not to be read":    {status: "SUCCEEDED", result: "AccessDenied", states: "error", says: "The result cannot be read"},
		"not S3's refusal":  {status: "SUCCEEDED", result: "NotImplemented", exit: 1},
		"it broke, and the build says so by its result alone": {file: func(t *testing.T) string { return rehearsed(t, reportedCommit, 2, "") }, status: "SUCCEEDED", result: "v1", states: "failure", says: "Rehearsed: it broke: requests lost", comments: 1},
		"an end without a result, as a success":               {status: "SUCCEEDED", states: "error", says: "No result: the build ended as SUCCEEDED"},
		"stopped":                                             {status: "STOPPED", states: "error", says: "Stopped, by a newer push or by hand"},
		"overtaken":                                           {status: "IN_PROGRESS", later: "FAULT", states: "pending error", says: "No result: the build ended as FAULT"},
		"with the label":                                      {status: "IN_PROGRESS", label: "no-rehearsal", stopped: 1},
		"the label comes in":                                  {file: func(t *testing.T) string { return rehearsed(t, reportedCommit, 0, "") }, status: "SUCCEEDED", result: "v1", label: "no-rehearsal", states: "success", says: "Rehearsed", comments: 1},
		"another label":                                       {status: "STOPPED", label: "rehearsal", states: "error", says: "Stopped"},
		"the branch itself":                                   {status: "SUCCEEDED", branch: "dev"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := onGitHub(t)
			pull := forgetest.Pull(7, "open", "feature", "dev")
			if c.label != "" {
				pull["labels"] = []any{map[string]any{"name": c.label}}
			}
			s.Pulls = []forgetest.Object{pull}
			file := os.DevNull
			if c.file != nil {
				file = c.file(t)
			}
			branch := "feature"
			if c.branch != "" {
				branch = c.branch
			}
			b := build(3, branch, c.status, c.result)
			stopped := rehearsalAPI(t, file, c.later, b)
			out := gitops(t, c.exit, "report", "dev", "--rehearsal", b["id"].(string), "--results", "s3://bucket/results/", "--github-api", s.URL)
			var states []string
			for _, status := range s.Statuses {
				states = append(states, status["state"].(string))
				if status["context"] != "gitops/rehearsal" || status["sha"] != reportedCommit || !strings.Contains(status["target_url"].(string), "/projects/dev-rehearsal/build/dev-rehearsal") {
					t.Errorf("status %v", status)
				}
			}
			if got := strings.Join(states, " "); got != c.states || len(s.Comments) != c.comments || len(*stopped) != c.stopped {
				t.Fatalf("states %q, %d comments, stopped %q\n%s", got, len(s.Comments), *stopped, out)
			}
			if len(states) > 0 && !strings.HasPrefix(s.Statuses[len(states)-1]["description"].(string), c.says) {
				t.Errorf("says %q, want %q", s.Statuses[len(states)-1]["description"], c.says)
			}
		})
	}
}

// A comment that GitHub does not take keeps no verdict from the commit.
func TestReportRehearsalWithoutComment(t *testing.T) {
	s, _ := onGitHub(t)
	s.Pulls, s.Lacks = []forgetest.Object{forgetest.Pull(7, "open", "feature", "dev")}, []string{"Pull requests: write"}
	file := rehearsed(t, reportedCommit, 2, "")
	b := build(3, "feature", "FAILED", "v1")
	rehearsalAPI(t, file, "", b)
	for _, args := range [][]string{
		{"report", "dev", "--rehearsal", b["id"].(string), "--results", "s3://bucket/results/"},
		{"commit-status", "--rehearsal", file, "--commit", reportedCommit, "--pull-request", "7"},
	} {
		s.Statuses = nil
		says := gitops(t, 1, append(args, "--github-api", s.URL)...)
		if len(s.Statuses) != 1 || s.Statuses[0]["state"] != "failure" || len(s.Comments) > 0 || !strings.Contains(says, "'Pull requests: write'") {
			t.Errorf("%s: %v, %v, %s", args[0], s.Statuses, s.Comments, says)
		}
	}
}

// A newer push ends what runs for the earlier ones of its branch, and nothing else.
func TestReportRehearsalEndsOlder(t *testing.T) {
	s, _ := onGitHub(t)
	older, ended, others, newer, mine := build(1, "feature", "IN_PROGRESS", ""), build(2, "feature", "FAILED", ""), build(3, "other", "IN_PROGRESS", ""), build(5, "feature", "IN_PROGRESS", ""), build(4, "feature", "IN_PROGRESS", "")
	stopped := rehearsalAPI(t, os.DevNull, "", older, ended, others, newer, mine)
	report := []string{"report", "dev", "--rehearsal", mine["id"].(string), "--results", "s3://bucket/results/", "--github-api", s.URL}
	gitops(t, 0, report...)
	if len(*stopped) != 1 || (*stopped)[0] != older["id"] {
		t.Errorf("stopped %q, want %s", *stopped, older["id"])
	}
	// Without a token it prints, and ends the older ones all the same.
	t.Setenv("GITHUB_TOKEN", "")
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", httpStub(t, http.StatusBadRequest, `{"__type": "ResourceNotFoundException", "message": "none"}`))
	if says := gitops(t, 0, report...); !strings.Contains(says, "gitops/rehearsal is pending at aaaaaaaaaaaa") || len(*stopped) != 2 {
		t.Error(says)
	}
}

func TestReportRehearsalRefuses(t *testing.T) {
	onGitHub(t)
	for _, args := range [][]string{{"--rehearsal", "b"}, {"--results", "s3://b/c/"}, {"--rehearsal", "b", "--results", "s3://b/c/", "--execution", "e"}} {
		if says := gitops(t, 2, append([]string{"report", "dev"}, args...)...); !strings.Contains(says, "give it with --results, and without --execution") {
			t.Error(says)
		}
	}
	if says := gitops(t, 1, "report", "dev", "--rehearsal", "b", "--results", "b/c"); !strings.Contains(says, `must be the folder of the results, s3://BUCKET/FOLDER/, got "b/c"`) {
		t.Error(says)
	}
}
