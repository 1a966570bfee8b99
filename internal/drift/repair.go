package drift

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"k8s-plus-aws-gitops/internal/flux"
)

// Repair is what was done about a difference, or why it was left.
type Repair struct {
	Object string `json:"object"`
	// Done is empty where it was left.
	Done string `json:"done,omitempty"`
	Left string `json:"left,omitempty"`
}

// Repairer puts back what can be put back without anybody's data: objects by Flux, which is asked to apply them, and resources of
// stacks by a drift-aware change set of CloudFormation. What somebody has suspended stays suspended: that was a decision.
type Repairer struct {
	// Cluster is nil where it is not reached, or not asked for; Stacks likewise.
	Cluster *flux.Cluster
	Stacks  ChangeSets
	// Holds says what a type of resource holds that is lost with it; empty where it is nothing.
	Holds func(kind string) string
	Pause Pause
	Now   func() time.Time
}

// putsBackBy are the kinds of Flux that put back what they have applied.
var putsBackBy = map[string]schema.GroupVersionResource{"Kustomization": kustomizations, "HelmRelease": helmReleases}

// repairable are the states of what can be put back, or what a person has decided.
var repairable = []State{Changed, Deleted, Suspended}

// Repair puts back what the report's findings name, and notes for each what was done. Where nothing differs any more it does nothing.
func (r Repairer) Repair(ctx context.Context, report *Report) {
	done := map[string]Repair{} // by what puts it back
	for _, f := range report.Findings {
		by := f.PutBack
		switch {
		case !slices.Contains(repairable, f.State):
			continue
		case f.State == Suspended:
			report.Repairs = append(report.Repairs, Repair{Object: f.Object, Left: "somebody has suspended it, which is theirs to end"})
			continue
		case by == "":
			report.Repairs = append(report.Repairs, Repair{Object: f.Object, Left: f.Do})
			continue
		}
		if _, asked := done[by]; !asked {
			done[by] = r.putBack(ctx, by, report)
		}
		of := done[by]
		of.Object = f.Object
		report.Repairs = append(report.Repairs, of)
	}
}

// Left is how many of the report's differences are not put back.
func (r *Report) Left() int {
	left := len(r.Findings)
	for _, repair := range r.Repairs {
		if repair.Done != "" {
			left--
		}
	}
	return left
}

// putBack lets one thing put back all that it has made.
func (r Repairer) putBack(ctx context.Context, by string, report *Report) Repair {
	kind, name, _ := strings.Cut(by, " ")
	resource, ofFlux := putsBackBy[kind]
	switch {
	case !ofFlux && r.Stacks != nil:
		return r.stack(ctx, name, report)
	case !ofFlux:
		return Repair{Left: "CloudFormation was not asked"}
	case r.Cluster == nil:
		return Repair{Left: "the cluster was not reached"}
	}
	if err := r.apply(ctx, resource, name); err != nil {
		return Repair{Left: by + ": " + reason(err)}
	}
	return Repair{Done: by + " has applied it again"}
}

// apply asks Flux to apply an object of its own, NAMESPACE/NAME, and waits until it has.
// https://fluxcd.io/flux/components/kustomize/kustomizations/#triggering-a-reconcile
func (r Repairer) apply(ctx context.Context, resource schema.GroupVersionResource, of string) error {
	namespace, name, _ := strings.Cut(of, "/")
	client, token := r.Cluster.Dynamic.Resource(resource).Namespace(namespace), r.Now().UTC().Format(time.RFC3339Nano)
	change, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]any{"reconcile.fluxcd.io/requestedAt": token}}})
	if err != nil {
		return err
	}
	if _, err := client.Patch(ctx, name, types.MergePatchType, change, metav1.PatchOptions{FieldManager: repairManager}); err != nil {
		return err
	}
	for {
		o, err := client.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		handled, _, _ := unstructured.NestedString(o.Object, "status", "lastHandledReconcileAt")
		_, message, failed := flux.Condition(o, "Ready", "False")
		_, _, ready := flux.Condition(o, "Ready", "True")
		switch {
		case handled == token && ready:
			return nil
		case handled == token && failed:
			return fmt.Errorf("it is not ready: %s", message)
		}
		if err := r.Pause(ctx, every); err != nil {
			return err
		}
	}
}

// repairManager is who asks, in managedFields.
const repairManager = "gitops"
