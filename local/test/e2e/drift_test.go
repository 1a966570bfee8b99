//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/drift"
	"k8s-plus-aws-gitops/local/system/observe"
)

// ghostObject is how the report names Ghost's Deployment.
const ghostObject = "Deployment ghost/ghost"

// putBackTime is how long an edit may last once somebody asked to repair it.
const putBackTime = time.Minute

// look runs `gitops drift` on the Kubernetes half. It exits 1 when something differs, so that only its output tells.
func (s *system) look(ctx context.Context, args ...string) (*drift.Report, error) {
	out, failed := s.gitops(ctx, append([]string{"drift", "local", "--only", "kubernetes", "--output", "json"}, args...)...)
	var r drift.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		return nil, errors.Join(failed, err)
	}
	return &r, nil
}

// ofGhost is what a report has of Ghost's Deployment.
func ofGhost(r *drift.Report) *drift.Finding {
	if i := slices.IndexFunc(r.Findings, func(f drift.Finding) bool { return f.Object == ghostObject }); i >= 0 {
		return &r.Findings[i]
	}
	return nil
}

// edited writes a field that the repository sets as `kubectl edit` does: the report names who wrote it, `--repair` puts it back, and
// once more finds nothing to do. A suspension is reported and left.
func (s *system) edited(ctx context.Context) (said string, err error) {
	c, err := observe.Open(s.dir.Kubeconfig())
	if err != nil {
		return "", err
	}
	before, err := s.ghostDeployment(ctx)
	if err != nil {
		return "", err
	}
	keeps := *before.Spec.RevisionHistoryLimit
	began := time.Now()
	change := fmt.Sprintf(`{"spec":{"revisionHistoryLimit":%d}}`, keeps+3)
	if _, err := c.Kube.AppsV1().Deployments("ghost").Patch(ctx, "ghost", types.StrategicMergePatchType, []byte(change), metav1.PatchOptions{FieldManager: "kubectl-edit"}); err != nil {
		return "", err
	}
	r, err := s.look(ctx)
	if err != nil {
		return "", err
	}
	found := ofGhost(r)
	if found == nil || found.State != drift.Changed || found.Manager != "kubectl-edit" || !slices.Contains(found.Fields, ".spec.revisionHistoryLimit") {
		return "", fmt.Errorf("while the edit lasts the report has %+v", r.Findings)
	}
	seen := time.Since(began)
	if r, err = s.look(ctx, "--repair"); err != nil {
		return "", err
	}
	if !slices.ContainsFunc(r.Repairs, func(p drift.Repair) bool { return p.Object == ghostObject && p.Done != "" }) {
		return "", fmt.Errorf("the repair says %+v", r.Repairs)
	}
	now, err := s.ghostDeployment(ctx)
	took := time.Since(began)
	switch {
	case err != nil:
		return "", err
	case *now.Spec.RevisionHistoryLimit != keeps:
		return "", fmt.Errorf("the Deployment keeps %d ReplicaSets, want %d", *now.Spec.RevisionHistoryLimit, keeps)
	case took > putBackTime:
		return "", fmt.Errorf("it took %s to put the edit back, want %s at most", took, putBackTime)
	}
	if r, err = s.look(ctx, "--repair"); err != nil {
		return "", err
	}
	if ofGhost(r) != nil {
		return "", fmt.Errorf("a second repair finds %+v, and does %+v", r.Findings, r.Repairs)
	}
	return fmt.Sprintf("reported %.0f s after it began, put back after %.0f s", seen.Seconds(), took.Seconds()), s.suspended(ctx, c)
}

// suspended suspends a Kustomization: the report has it, and a repair leaves it so.
func (s *system) suspended(ctx context.Context, c *observe.Cluster) (err error) {
	suspend := func(ctx context.Context, yes bool) error {
		return patch(ctx, c, roots, "services", map[string]any{"spec": map[string]any{"suspend": yes}})
	}
	if err := suspend(ctx, true); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, suspend(context.WithoutCancel(ctx), false)) }()
	r, err := s.look(ctx, "--repair")
	if err != nil {
		return err
	}
	for _, p := range r.Repairs {
		if p.Object == "Kustomization services" && p.Done == "" && strings.Contains(p.Left, "suspended") {
			return nil
		}
	}
	return fmt.Errorf("a suspended Kustomization: findings %+v, repairs %+v", r.Findings, r.Repairs)
}
