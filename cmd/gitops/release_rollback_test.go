package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// pipelineAnswering serves CodePipeline with executions by their ids, and points this process at it.
func pipelineAnswering(t *testing.T, executions map[string]string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct{ PipelineName, PipelineExecutionID string }
		err := json.NewDecoder(r.Body).Decode(&in)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		e, ok := executions[in.PipelineExecutionID]
		// The region is cdk.json's, whatever the caller's own is.
		here := strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/codepipeline/")
		if err != nil || !ok || !here || !strings.HasSuffix(in.PipelineName, "-deploy") || r.Header.Get("X-Amz-Target") != "CodePipeline_20150709.GetPipelineExecution" {
			w.WriteHeader(http.StatusBadRequest)
			io.WriteString(w, `{"__type": "PipelineExecutionNotFoundException", "message": "there is none"}`)
			return
		}
		fmt.Fprintf(w, `{"pipelineExecution": %s}`, e)
	}))
	t.Cleanup(s.Close)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": s.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PROFILE": "", "AWS_REGION": "us-east-1",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
}

// The execution that releases says by its id whether the branch goes back.
func TestReleaseRollsBack(t *testing.T) {
	dir, remote := gatedCheckout(t)
	one := gitIn(t, dir, "rev-parse", "HEAD")
	two := commitIn(t, dir)
	standard := func(commit string) string {
		return fmt.Sprintf(`{"executionType": "STANDARD", "artifactRevisions": [{"name": "Source", "revisionId": %q}]}`, commit)
	}
	pipelineAnswering(t, map[string]string{
		"one": standard(one), "two": standard(two),
		"back": `{"executionType": "ROLLBACK", "rollbackMetadata": {"rollbackTargetPipelineExecutionId": "one"},
			"trigger": {"triggerType": "AutomatedRollback", "triggerDetail": "{\"FailedPipelineExecutionId\":\"two\"}"}}`,
	})
	for _, step := range []struct {
		id, args, says, tip string
		code                int
	}{
		{"two", "dev", "released/dev is made at " + two[:12], two, 0},
		{"one", "dev --commit " + one, "which contains " + one[:12], two, 0},
		{"unknown", "dev --commit " + one, "execution unknown of dev-deploy", two, 1},
		{"one", "dev --dry-run --execution back --commit " + one, "would be taken back from " + two[:12] + " to " + one[:12], two, 0},
		{"back", "dev --commit " + one, "released/dev is taken back from " + two[:12] + " to " + one[:12], one, 0},
	} {
		t.Setenv("PIPELINE_EXECUTION_ID", step.id)
		said := gitops(t, step.code, append([]string{"release"}, strings.Fields(step.args)...)...)
		if tip := gitIn(t, remote, "for-each-ref", "--format=%(objectname)", "refs/heads/released/dev"); !strings.Contains(said, step.says) || tip != step.tip {
			t.Errorf("%s by %s says %q, want %q; the branch is at %q, want %q", step.args, step.id, said, step.says, tip, step.tip)
		}
	}
}
