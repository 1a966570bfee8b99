package main

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/status"
)

// clusterWith serves Flux's objects as an API server does, and returns its kubeconfig.
func clusterWith(t *testing.T, objects map[string][]any) string {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		list, there := objects[kind]
		if !there {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{}, "items": list})
	}))
	t.Cleanup(server.Close)
	dir := t.TempDir()
	put(t, dir, "ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	put(t, dir, "config", fmt.Sprintf(`{"apiVersion": "v1", "kind": "Config", "current-context": "a",
		"clusters": [{"name": "a", "cluster": {"server": %q, "certificate-authority": "ca.pem"}}], "contexts": [{"name": "a", "context": {"cluster": "a"}}]}`, server.URL))
	return filepath.Join(dir, "config")
}

// fluxObject is one at a commit.
func fluxObject(kind, name, commit, ready, reason string) any {
	revision := "released/dev@sha1:" + commit
	return map[string]any{"apiVersion": "toolkit.fluxcd.io/v1", "kind": kind, "metadata": map[string]any{"name": name, "namespace": "flux-system", "generation": 1},
		"spec": map[string]any{"sourceRef": map[string]any{"kind": "GitRepository", "name": "flux-system"}},
		"status": map[string]any{"observedGeneration": 1, "lastAppliedRevision": revision, "lastAttemptedRevision": revision, "artifact": map[string]any{"revision": revision},
			"conditions": []any{map[string]any{"type": "Ready", "status": ready, "reason": reason, "message": "because"}}}}
}

// The status is of the commit that was asked for, by default the released one, in words and as JSON.
func TestStatus(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account
	t.Setenv("KUBECONFIG", "")
	said := gitops(t, 1, "status", "dev")
	if !strings.Contains(said, "branch released/dev does not exist; make it with: gitops release dev") {
		t.Errorf("without a release: %s", said)
	}
	one := gitIn(t, dir, "rev-parse", "HEAD")
	gitops(t, 0, "release", "dev")
	two := commitIn(t, dir)
	at := func(commit, ready, reason string) string {
		return clusterWith(t, map[string][]any{
			"gitrepositories": {fluxObject("GitRepository", "flux-system", commit, "True", "")},
			"kustomizations":  {fluxObject("Kustomization", "flux-system", commit, "True", ""), fluxObject("Kustomization", "apps", commit, ready, reason)},
		})
	}
	for name, c := range map[string]struct {
		cluster, args string
		code          int
		says          string
	}{
		"verified":             {at(one, "True", ""), "--only kubernetes", 0, "dev: commit " + one[:12] + " is verified; Flux follows released/dev."},
		"applying":             {at(one, "Unknown", "Progressing"), "--only kubernetes", 3, "Kustomization  apps                        waits"},
		"failed":               {at(one, "False", "BuildFailed"), "--only kubernetes", 1, "Kustomization apps: BuildFailed: because"},
		"waits for a failure":  {at(one, "False", "DependencyNotReady"), "--only kubernetes --wait --timeout 1s", 1, "the time is over; still missing: Kustomization apps"},
		"not released":         {at(one, "True", ""), "--only kubernetes --commit HEAD", 3, "commit " + two[:12] + " is unreleased; Flux follows released/dev at " + one[:12]},
		"a commit in full":     {at(two, "True", ""), "--only kubernetes --commit " + two, 0, "is verified"},
		"a commit of nothing":  {at(one, "True", ""), "--only kubernetes --commit nothing", 1, `there is no revision "nothing"; fetch it, or name another`},
		"no such environment":  {at(one, "True", ""), "--environment", 2, "unknown flag"},
		"no gate, no branch":   {at(one, "True", ""), "", 1, "branch own does not exist"},
		"an API that is empty": {clusterWith(t, nil), "--only kubernetes", 3, "not there yet"},
	} {
		t.Run(name, func(t *testing.T) {
			environment := map[bool]string{true: "own", false: "dev"}[name == "no gate, no branch"]
			said := gitops(t, c.code, append([]string{"status", environment, "--kubeconfig", c.cluster}, strings.Fields(c.args)...)...)
			if !strings.Contains(said, c.says) {
				t.Errorf("says %q, want %q", said, c.says)
			}
		})
	}
	t.Run("JSON", func(t *testing.T) {
		var got status.Status
		if err := json.Unmarshal([]byte(gitops(t, 0, "status", "dev", "--kubeconfig", at(one, "True", ""), "--only", "kubernetes", "-o", "json")), &got); err != nil {
			t.Fatal(err)
		}
		if got.Commit != one || got.State != status.Verified || len(got.Objects) != 3 || got.Objects[0].Kind != "GitRepository" || !got.Objects[0].At {
			t.Errorf("got %+v", got)
		}
	})
}

// The AWS half is that of the environment's own stacks and pipeline.
func TestStatusOfStacks(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any")
	one := gitIn(t, dir, "rev-parse", "HEAD")
	gitops(t, 0, "release", "dev")
	member := func(name, state, environment string) string {
		return "<member><StackName>" + name + "</StackName><StackStatus>" + state + "</StackStatus><CreationTime>2026-11-29T12:00:00Z</CreationTime>" +
			"<Tags><member><Key>environment</Key><Value>" + environment + "</Value></member></Tags></member>"
	}
	pipeline := map[string]string{
		"ListPipelineExecutions": `{"pipelineExecutionSummaries": [{"pipelineExecutionId": "1f3a9c2d-1", "status": "InProgress", "sourceRevisions": [{"actionName": "Source", "revisionId": "` + one + `"}]}]}`,
		"GetPipelineState":       `{"stageStates": [{"stageName": "Test", "latestExecution": {"pipelineExecutionId": "1f3a9c2d-1", "status": "Skipped"}}, {"stageName": "Approve"}, {"stageName": "Release"}]}`,
		"ListActionExecutions":   `{"actionExecutionDetails": [{"stageName": "Approve", "actionName": "Approve", "status": "InProgress", "input": {"actionTypeId": {"category": "Approval", "owner": "AWS", "provider": "Manual", "version": "1"}}}]}`,
	}
	asked := 0
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, operation, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "CodePipeline_20150709."); ok {
			asked++
			if pipeline == nil {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprint(w, `{"__type": "AccessDeniedException", "message": "the reader is not authorized"}`)
				return
			}
			fmt.Fprint(w, pipeline[operation])
			return
		}
		fmt.Fprint(w, `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks>`+
			member("dev-network", "UPDATE_COMPLETE", "dev")+member("dev-cluster", "UPDATE_FAILED", "dev")+member("own-network", "DELETE_FAILED", "own")+
			`</Stacks></DescribeStacksResult></DescribeStacksResponse>`)
	}))
	defer aws.Close()
	t.Setenv("AWS_ENDPOINT_URL", aws.URL)
	cluster := clusterWith(t, map[string][]any{
		"gitrepositories": {fluxObject("GitRepository", "flux-system", one, "True", "")},
		"kustomizations":  {fluxObject("Kustomization", "flux-system", one, "True", ""), fluxObject("Kustomization", "apps", one, "True", "")},
	})
	said := gitops(t, 1, "status", "dev", "--kubeconfig", cluster)
	for _, want := range []string{
		"Pipeline       dev-deploy                  running    1f3a9c2d at " + one[:12] + "\nStage          Test                        skipped\nStage          Approve                     waits      for an approval\nStage          Release                     -\n",
		"Stack          dev-network                 ok         update complete\n", "stack dev-cluster is UPDATE_FAILED",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q: %s", want, said)
		}
	}
	if strings.Contains(said, "own-network") {
		t.Errorf("has a stack of another environment: %s", said)
	}
	// The pipeline's own last stage has no right to read it, and does not ask.
	if asked = 0; !strings.Contains(gitops(t, 0, "status", "dev", "--kubeconfig", cluster, "--only", "kubernetes"), "is verified") || asked != 0 {
		t.Errorf("the cluster alone: CodePipeline was asked %d times", asked)
	}
	pipeline = nil
	if said = gitops(t, 1, "status", "dev", "--kubeconfig", cluster); !strings.Contains(said, "\npipeline dev-deploy: it needs the rights codepipeline:ListPipelineExecutions") || !strings.Contains(said, "dev-network") {
		t.Errorf("without the right: %s", said)
	}
	if said = gitops(t, 1, "status", "own", "--kubeconfig", cluster, "--commit", one); !strings.Contains(said, "own has no pipelines") {
		t.Errorf("without pipelines: %s", said)
	}
}

// Without the repository the rest is told, of the commit that Flux has; exit code and remedy are of the repository.
func TestStatusWithoutGit(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any")
	t.Setenv("KUBECONFIG", "")
	one := gitIn(t, dir, "rev-parse", "HEAD")
	put(t, filepath.Dir(os.Getenv("GIT_CONFIG_GLOBAL")), "gitconfig", "[url \"http://127.0.0.1:1/platform.git\"]\n\tinsteadOf = https://github.com/me/platform.git\n")
	cluster := clusterWith(t, map[string][]any{
		"gitrepositories": {fluxObject("GitRepository", "flux-system", one, "False", "GitOperationFailed")},
		"kustomizations":  {fluxObject("Kustomization", "flux-system", one, "True", "")},
	})
	for name, args := range map[string][]string{"the commit of Flux": nil, "a commit": {"--commit", "HEAD"}} {
		t.Run(name, func(t *testing.T) {
			said := gitops(t, 1, append([]string{"status", "dev", "--only", "kubernetes", "--kubeconfig", cluster}, args...)...)
			for _, want := range []string{"dev: commit " + one[:12] + " is ", "GitRepository  flux-system                 failed", "the host does not answer: what runs goes on as it is; try again when it does"} {
				if !strings.Contains(said, want) {
					t.Errorf("says %q, want %q", said, want)
				}
			}
		})
	}
}
