package flux

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// revisionAnnotation tells in an event of kustomize-controller which revision
// it is about.
const revisionAnnotation = "kustomize.toolkit.fluxcd.io/revision"

// explainRetries finds the failures of Kustomizations that are being tried
// again: their Ready condition is Unknown meanwhile and the cause is only in
// the events. An event about an older revision, or from before the last change
// of the Kustomization itself, says nothing of this attempt.
func (c *Cluster) explainRetries(ctx context.Context, all []Item) error {
	retried := func(i Item) bool { return i.Ready == "Unknown" && i.Attempted != "" && i.Attempted != i.Revision }
	if !slices.ContainsFunc(all, retried) {
		return nil
	}
	warnings, err := c.warnings(ctx)
	if err != nil {
		return err
	}
	for n := range all {
		if !retried(all[n]) {
			continue
		}
		for _, e := range warnings {
			o := e.InvolvedObject
			if o.Kind == "Kustomization" && o.Namespace == all[n].Namespace && o.Name == all[n].Name &&
				e.Annotations[revisionAnnotation] == all[n].Attempted && !EventTime(e).Before(all[n].changed) && e.Reason != "DependencyNotReady" {
				all[n].Retrying, all[n].Reason, all[n].Message = true, e.Reason, e.Message
			}
		}
	}
	return nil
}

// warnings lists the events of type Warning, the oldest first.
func (c *Cluster) warnings(ctx context.Context) ([]corev1.Event, error) {
	return c.events(ctx, "type="+corev1.EventTypeWarning)
}

// events lists the events that a field selector selects, the oldest first.
func (c *Cluster) events(ctx context.Context, selector string) ([]corev1.Event, error) {
	list, err := c.Dynamic.Resource(events).List(ctx, metav1.ListOptions{FieldSelector: selector})
	if err != nil {
		return nil, err
	}
	all := make([]corev1.Event, len(list.Items))
	for i := range list.Items {
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list.Items[i].Object, &all[i]); err != nil {
			return nil, fmt.Errorf("event %s: %w", list.Items[i].GetName(), err)
		}
	}
	slices.SortFunc(all, func(a, b corev1.Event) int { return EventTime(a).Compare(EventTime(b)) })
	return all, nil
}

// Condition returns a condition that has the status.
func Condition(o *unstructured.Unstructured, kind, status string) (reason, message string, found bool) {
	conds, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, x := range conds {
		if c, ok := x.(map[string]any); ok && c["type"] == kind && c["status"] == status {
			reason, _ = c["reason"].(string)
			message, _ = c["message"].(string)
			return reason, message, true
		}
	}
	return "", "", false
}

// EventTime is when an event was seen last: the two event APIs differ in where
// they write it.
func EventTime(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	}
	return e.EventTime.Time
}
