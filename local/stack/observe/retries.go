package observe

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
	if c.Kube == nil || !slices.ContainsFunc(all, retried) {
		return nil
	}
	events, err := c.Kube.CoreV1().Events("").List(ctx, metav1.ListOptions{FieldSelector: "type=" + corev1.EventTypeWarning})
	if err != nil {
		return err
	}
	slices.SortFunc(events.Items, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	for n := range all {
		if !retried(all[n]) {
			continue
		}
		for _, e := range events.Items {
			o := e.InvolvedObject
			if o.Kind == "Kustomization" && o.Namespace == all[n].Namespace && o.Name == all[n].Name &&
				e.Annotations[revisionAnnotation] == all[n].Attempted && !eventTime(e).Before(all[n].changed) && e.Reason != "DependencyNotReady" {
				all[n].Retrying, all[n].Reason, all[n].Message = true, e.Reason, e.Message
			}
		}
	}
	return nil
}

// condition returns a condition that has the status.
func condition(o *unstructured.Unstructured, kind, status string) (reason, message string, found bool) {
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
