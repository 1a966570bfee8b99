package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/forge/forgetest"
)

// pipelineAPI is a CodePipeline with the executions of dev-deploy: each list has the next status of execution "e", the last
// one again and again.
func pipelineAPI(t *testing.T, commit string, statuses ...string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in["pipelineName"] != "dev-deploy" {
			t.Errorf("asks for %v, %v", in, err)
		}
		var out any
		switch r.Header.Get("X-Amz-Target") {
		case "CodePipeline_20150709.ListPipelineExecutions":
			one := map[string]any{"pipelineExecutionId": "e", "status": statuses[0], "startTime": 1}
			if commit != "" {
				one["sourceRevisions"] = []any{map[string]any{"revisionId": commit}}
			}
			out = map[string]any{"pipelineExecutionSummaries": []any{one}}
			if len(statuses) > 1 {
				statuses = statuses[1:]
			}
		case "CodePipeline_20150709.ListActionExecutions":
			out = map[string]any{"actionExecutionDetails": []any{map[string]any{
				"stageName": "Test", "actionName": "Test", "status": "Failed", "startTime": 1,
				"output": map[string]any{"executionResult": map[string]any{"errorDetails": map[string]any{"message": "make test"}}},
			}}}
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		if err := json.NewEncoder(w).Encode(out); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL_CODEPIPELINE", server.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "test")
}

var reportedCommit = strings.Repeat("a", 40)

// A report that was overtaken by the end writes the end last, and one that is told twice writes once.
func TestReport(t *testing.T) {
	s, _ := onGitHub(t)
	report := func(code int) string {
		return gitops(t, code, "report", "dev", "--execution", "e", "--github-api", s.URL)
	}
	pipelineAPI(t, reportedCommit, "InProgress", "Failed")
	says := report(0)
	if len(s.Statuses) != 2 || s.Statuses[0]["state"] != "pending" || s.Statuses[1]["state"] != "failure" || !strings.Contains(says, "gitops/dev is failure at aaaaaaaaaaaa: Test: make test") {
		t.Fatalf("%s%v", says, s.Statuses)
	}
	got := s.Statuses[1]
	if got["sha"] != reportedCommit || got["context"] != "gitops/dev" || got["description"] != "Test: make test" || !strings.Contains(got["target_url"].(string), "/pipelines/dev-deploy/executions/e/") {
		t.Error(got)
	}
	report(0)
	if len(s.Statuses) != 2 {
		t.Errorf("written again: %v", s.Statuses)
	}
	s.Statuses, s.Lacks = nil, []string{"Commit statuses: write"}
	if says := report(1); !strings.Contains(says, "the token must have 'Commit statuses: write' on me/platform") {
		t.Error(says)
	}
	// Whoever has no token reads it in the log, and the build is well.
	t.Setenv("GITHUB_TOKEN", "")
	t.Setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", httpStub(t, http.StatusBadRequest, `{"__type": "ResourceNotFoundException", "message": "none"}`))
	if says := report(0); !strings.Contains(says, "gitops/dev is failure at aaaaaaaaaaaa") || !strings.Contains(says, "No commit status is written: there is no secret /dev/gitops/review-token") {
		t.Error(says)
	}
}

// Where the source could not be read there is no commit.
func TestReportWithoutACommit(t *testing.T) {
	s, _ := onGitHub(t)
	pipelineAPI(t, "", "Failed")
	if says := gitops(t, 0, "report", "dev", "--github-api", s.URL); !strings.Contains(says, "Execution e has read no commit") || len(s.Writes()) != 0 {
		t.Error(says)
	}
	t.Setenv("GITHUB_TOKEN", forgetest.Token)
	gitops(t, 2, "report", "nowhere")
}

// httpStub is the address of a server with one answer.
func httpStub(t *testing.T, code int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}
