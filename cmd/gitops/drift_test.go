package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/drift"
)

// The exit code says whether something differs, or could not be looked at, in words and as JSON.
func TestDrift(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account
	commit := gitIn(t, dir, "rev-parse", "HEAD")
	at := func(ready string) string {
		return clusterWith(t, map[string][]any{
			"gitrepositories": {fluxObject("GitRepository", "flux-system", commit, "True", "")},
			"kustomizations":  {fluxObject("Kustomization", "flux-system", commit, "True", ""), fluxObject("Kustomization", "apps", commit, ready, "BuildFailed")},
		})
	}
	t.Setenv("KUBECONFIG", at("True"))
	if said := gitops(t, 2, "drift", "--only", "kubernetes"); !strings.Contains(said, "branch released/dev does not exist") {
		t.Errorf("before the first release: %s", said)
	}
	gitops(t, 0, "release", "dev")
	if said := gitops(t, 0, "drift", "--only", "kubernetes"); !strings.HasPrefix(said, "dev: 0 differences.\n") || !strings.Contains(said, "looked at: objects\n") {
		t.Errorf("as released: %s", said)
	}
	t.Setenv("KUBECONFIG", "")
	said := gitops(t, 1, "drift", "dev", "--only", "kubernetes", "--output", "json", "--kubeconfig", at("False"))
	var r drift.Report
	// What is on stderr follows.
	if err := json.NewDecoder(strings.NewReader(said)).Decode(&r); err != nil || len(r.Findings) != 1 || r.Findings[0].Object != "Kustomization apps" {
		t.Errorf("%s: %v", said, err)
	}
	if said := gitops(t, 2, "drift", "dev", "--only", "kubernetes", "--kubeconfig", "nowhere"); !strings.Contains(said, "unseen     the cluster") {
		t.Errorf("no cluster: %s", said)
	}
}

// mailbox is an S3 with one object, and an SNS.
type mailbox struct {
	object   []byte
	subjects []string
}

func (m *mailbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPut:
		m.object, _ = io.ReadAll(r.Body)
	case r.Method == http.MethodGet && m.object == nil:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, "<Error><Code>NoSuchKey</Code></Error>")
	case r.Method == http.MethodGet:
		_, _ = w.Write(m.object)
	case r.FormValue("Action") == "Publish" && r.FormValue("TopicArn") == "arn:aws:sns:eu-west-1:111111111111:dev-delivery":
		m.subjects = append(m.subjects, r.FormValue("Subject"))
		fmt.Fprint(w, "<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>")
	default:
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>")
	}
}

// People hear of a difference once, whatever the exit code of a look would be, and when it is over.
func TestDriftAlert(t *testing.T) {
	dir, _ := gatedCheckout(t)
	bucketOf(t, "any") // an account
	m := &mailbox{}
	web := httptest.NewServer(m)
	t.Cleanup(web.Close)
	t.Setenv("AWS_ENDPOINT_URL", web.URL)
	commit := gitIn(t, dir, "rev-parse", "HEAD")
	look := func(ready string) string {
		t.Helper()
		return gitops(t, 0, "drift", "dev", "--only", "kubernetes", "--commit", commit, "--alert", "s3://bucket/drift/dev.json", "--kubeconfig", clusterWith(t, map[string][]any{
			"gitrepositories": {fluxObject("GitRepository", "flux-system", commit, "True", "")},
			"kustomizations":  {fluxObject("Kustomization", "flux-system", commit, "True", ""), fluxObject("Kustomization", "apps", commit, ready, "BuildFailed")},
		}))
	}
	for _, ready := range []string{"True", "False", "False", "True", "True"} {
		look(ready)
	}
	if want := []string{"dev: 1 new difference from the repository", "dev: well again, no difference from the repository"}; !slices.Equal(m.subjects, want) {
		t.Errorf("told %q, want %q", m.subjects, want)
	}
	if said := look("False"); !strings.Contains(said, "Told dev-delivery: dev: 1 new difference") {
		t.Errorf("%s", said)
	}
	gitops(t, 2, "drift", "dev", "--alert", "bucket")
}
