package observe

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// App is a Deployment.
type App struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Ready and Wanted count replicas, Updated those of the newest template,
	// Total also those of older templates that still run.
	Ready   int32 `json:"ready"`
	Wanted  int32 `json:"wanted"`
	Updated int32 `json:"updated"`
	Total   int32 `json:"total"`
	// Layer is the Kustomization that applied it, empty for others.
	Layer string `json:"layer,omitempty"`
	// Cause tells why replicas are missing: "ImagePullBackOff: …".
	Cause string `json:"cause,omitempty"`
	// Broken is true when the cause does not go away by waiting.
	Broken bool `json:"broken,omitempty"`
}

// Healthy reports whether the rollout is complete, as `kubectl rollout status`
// does: every replica is of the newest template, ready, and alone.
func (a App) Healthy() bool {
	return a.Ready >= a.Wanted && a.Updated >= a.Wanted && a.Total <= a.Updated && a.Cause == ""
}

// Apps lists all Deployments but those of services by namespace and name.
func (c *Cluster) Apps(ctx context.Context) ([]App, error) {
	list, err := c.Kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{LabelSelector: "app.kubernetes.io/part-of!=" + ServicesNamespace})
	if err != nil {
		return nil, err
	}
	out := make([]App, 0, len(list.Items))
	for i := range list.Items {
		d := &list.Items[i]
		a := App{Namespace: d.Namespace, Name: d.Name, Ready: d.Status.ReadyReplicas, Updated: d.Status.UpdatedReplicas, Total: d.Status.Replicas, Wanted: 1, Layer: d.Labels["kustomize.toolkit.fluxcd.io/name"]}
		if d.Spec.Replicas != nil {
			a.Wanted = *d.Spec.Replicas
		}
		if d.Status.ObservedGeneration < d.Generation {
			a.Updated = 0
		}
		if !a.Healthy() {
			if a.Cause, a.Broken, err = c.cause(ctx, d); err != nil {
				return nil, err
			}
			// What is said of the earlier template may be over.
			a.Broken = a.Broken && d.Status.ObservedGeneration >= d.Generation
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b App) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return out, nil
}

// cause looks for the reason that a Deployment lacks replicas: at its pods,
// then at its conditions.
func (c *Cluster) cause(ctx context.Context, d *appsv1.Deployment) (string, bool, error) {
	sel, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return "", false, err
	}
	pods, err := c.Kube.CoreV1().Pods(d.Namespace).List(ctx, metav1.ListOptions{LabelSelector: sel.String()})
	if err != nil {
		return "", false, err
	}
	// Newest first: the pods of the template that does not come up.
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	for i := range pods.Items {
		if text, broken := podCause(&pods.Items[i]); text != "" {
			return text, broken, nil
		}
	}
	for _, t := range []appsv1.DeploymentConditionType{appsv1.DeploymentReplicaFailure, appsv1.DeploymentProgressing} {
		for _, x := range d.Status.Conditions {
			if x.Type == t && (t == appsv1.DeploymentReplicaFailure && x.Status == corev1.ConditionTrue || t == appsv1.DeploymentProgressing && x.Status == corev1.ConditionFalse) {
				return x.Reason + ": " + x.Message, true, nil
			}
		}
	}
	return "", false, nil
}

// podCause explains a pod that is not ready.
func podCause(p *corev1.Pod) (text string, broken bool) {
	if p.DeletionTimestamp != nil {
		return "", false
	}
	if p.Status.Phase == corev1.PodFailed {
		return strings.TrimSuffix(p.Status.Reason+": "+p.Status.Message, ": "), false
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		w := s.State.Waiting
		if w == nil || w.Reason == "" || w.Reason == "ContainerCreating" || w.Reason == "PodInitializing" {
			continue
		}
		text = w.Reason
		if w.Message != "" {
			text += ": " + w.Message
		}
		if t := s.LastTerminationState.Terminated; t != nil && w.Reason == "CrashLoopBackOff" {
			text = fmt.Sprintf("%s: exit code %d after %d restarts, see `gitops local logs %s`", w.Reason, t.ExitCode, s.RestartCount, p.Name)
		}
		switch w.Reason {
		case "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError":
			return text, true
		case "CrashLoopBackOff":
			return text, s.RestartCount >= 3
		}
		return text, false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return c.Reason + ": " + c.Message, false
		}
	}
	return "", false
}
