//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/local/system/observe"
)

// answered is what the steps read of `gitops why --output json`.
type answered struct {
	Object   string
	Resource *struct{ Type, Construct string }
	Applied  *struct{ Kustomization string }
	Files    []struct {
		Path string
		Line int
	}
	Commit      *struct{ ID string }
	PullRequest *struct{ Number int }
	Execution   *struct{ ID, Commit string }
	Images      []struct{ Reference string }
	Fields      []struct {
		Manager string
		Time    *time.Time
		Hand    bool
	}
	Unknown []struct{ What, Why string }
}

// why asks about an object and a resource of one commit that changes both halves, and about a field that somebody wrote by hand.
func (s *system) why(ctx context.Context) (string, error) {
	if err := s.edit(ghostManifest, "replicas: 1\n", "replicas: 1 # one is enough\n"); err != nil {
		return "", err
	}
	if err := s.setDatabase("backupDays", 5); err != nil {
		return "", err
	}
	if err := s.push(ctx, "Ask why (#42)"); err != nil {
		return "", err
	}
	st, err := s.status(ctx)
	if err != nil {
		return "", err
	}
	commit := st.Commit
	object, err := s.answer(ctx, "deployment/ghost", "--namespace", "ghost", "--field", "spec.replicas")
	if err != nil {
		return "", err
	}
	switch {
	case object.Applied == nil || object.Applied.Kustomization != "flux-system/apps":
		err = fmt.Errorf("applied by %+v", object.Applied)
	case len(object.Files) == 0 || object.Files[0].Path != ghostManifest || object.Files[0].Line == 0:
		err = fmt.Errorf("files %+v", object.Files)
	case object.Commit == nil || object.Commit.ID != commit || object.PullRequest == nil || object.PullRequest.Number != 42:
		err = fmt.Errorf("commit %+v, want %s; pull request %+v", object.Commit, commit, object.PullRequest)
	case object.Execution == nil || object.Execution.Commit != commit:
		err = fmt.Errorf("execution %+v", object.Execution)
	case len(object.Images) == 0 || len(object.Fields) == 0 || object.Fields[0].Manager != "kustomize-controller":
		err = fmt.Errorf("images %+v, fields %+v", object.Images, object.Fields)
	}
	if err != nil {
		return "", fmt.Errorf("deployment: %w; not known: %+v", err, object.Unknown)
	}
	if err := s.whyResource(ctx, commit); err != nil {
		return "", err
	}
	if err := s.whyByHand(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("execution %s, %d files, %d things not known", object.Execution.ID, len(object.Files), len(object.Unknown)), nil
}

// answer asks why.
func (s *system) answer(ctx context.Context, args ...string) (*answered, error) {
	out, err := s.gitops(ctx, append([]string{"why", "--env", "local", "--output", "json"}, args...)...)
	if err != nil {
		return nil, err
	}
	var a answered
	return &a, json.Unmarshal([]byte(out), &a)
}

// whyResource asks about the database, whose backups the commit has changed.
func (s *system) whyResource(ctx context.Context, commit string) error {
	byID, err := s.answer(ctx, "local-ghost")
	if err != nil {
		return fmt.Errorf("the database by its identifier: %w", err)
	}
	byName, err := s.answer(ctx, byID.Object)
	if err != nil {
		return err
	}
	r := byName.Resource
	switch {
	case r == nil || r.Type != "AWS::RDS::DBInstance" || !strings.HasPrefix(r.Construct, "local/"):
		return fmt.Errorf("resource %+v; not known: %+v", r, byName.Unknown)
	case byName.Execution == nil || byName.Execution.Commit != commit || byName.Commit == nil || byName.Commit.ID != commit:
		return fmt.Errorf("resource %+v: execution %+v, commit %+v, want %s; not known: %+v", r, byName.Execution, byName.Commit, commit, byName.Unknown)
	}
	return nil
}

// whyByHand writes a field that the repository does not set, as a person does.
func (s *system) whyByHand(ctx context.Context) error {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return err
	}
	patch := func(text string) error {
		_, err := c.Kube.AppsV1().Deployments("ghost").Patch(ctx, "ghost", types.MergePatchType, []byte(text), metav1.PatchOptions{FieldManager: "lens"})
		return err
	}
	if err := patch(`{"spec":{"minReadySeconds":1}}`); err != nil {
		return err
	}
	a, err := s.answer(ctx, "deploy/ghost", "--field", ".spec.minReadySeconds")
	if undone := patch(`{"spec":{"minReadySeconds":null}}`); err == nil {
		err = undone
	}
	if err != nil {
		return err
	}
	if len(a.Fields) != 1 || a.Fields[0].Manager != "lens" || a.Fields[0].Time == nil || !a.Fields[0].Hand {
		return fmt.Errorf("fields %+v; not known: %+v", a.Fields, a.Unknown)
	}
	return nil
}
