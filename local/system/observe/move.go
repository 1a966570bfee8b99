package observe

import (
	"context"
	"encoding/json"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Move writes what renew makes of the addresses in a cluster whose pods do not run: in the Secrets that External Secrets
// wrote, and in the Deployments. Pods of the old addresses are deleted, with the ReplicaSets that would make them again. It
// returns how many objects it changed. Everything comes from AWS or from Git with the new addresses as well, but later.
func (c *Cluster) Move(ctx context.Context, renew func(string) string) (int, error) {
	secrets, err := c.moveSecrets(ctx, renew)
	if err != nil {
		return secrets, err
	}
	deployments, err := c.moveDeployments(ctx, renew)
	if err != nil {
		return secrets + deployments, err
	}
	pods, err := c.removePods(ctx, renew)
	return secrets + deployments + pods, err
}

func (c *Cluster) moveSecrets(ctx context.Context, renew func(string) string) (int, error) {
	all, err := c.Kube.CoreV1().Secrets("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	moved := 0
	for _, s := range all.Items {
		if !ownedBy(s.OwnerReferences, "ExternalSecret") {
			continue
		}
		changed := false
		for k, v := range s.Data {
			if text := renew(string(v)); text != string(v) {
				s.Data[k], changed = []byte(text), true
			}
		}
		if !changed {
			continue
		}
		if _, err := c.Kube.CoreV1().Secrets(s.Namespace).Update(ctx, &s, metav1.UpdateOptions{}); err != nil {
			return moved, fmt.Errorf("secret %s/%s: %w", s.Namespace, s.Name, err)
		}
		moved++
	}
	return moved, nil
}

func ownedBy(owners []metav1.OwnerReference, kind string) bool {
	for _, o := range owners {
		if o.Kind == kind {
			return true
		}
	}
	return false
}

func (c *Cluster) moveDeployments(ctx context.Context, renew func(string) string) (int, error) {
	all, err := c.Kube.AppsV1().Deployments("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	moved := 0
	for _, d := range all.Items {
		was, err := json.Marshal(d.Spec.Template)
		if err != nil {
			return moved, err
		}
		text := renew(string(was))
		if text == string(was) {
			continue
		}
		patch := fmt.Appendf(nil, `{"spec":{"template":%s}}`, text)
		if _, err := c.Kube.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return moved, fmt.Errorf("deployment %s/%s: %w", d.Namespace, d.Name, err)
		}
		if err := c.removeReplicaSets(ctx, d, renew); err != nil {
			return moved, err
		}
		moved++
	}
	return moved, nil
}

// removeReplicaSets removes those of the old addresses, so that nothing rolls out beside pods that must not run.
func (c *Cluster) removeReplicaSets(ctx context.Context, d appsv1.Deployment, renew func(string) string) error {
	sets := c.Kube.AppsV1().ReplicaSets(d.Namespace)
	all, err := sets.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, r := range all.Items {
		text, err := json.Marshal(r.Spec.Template)
		if err != nil {
			return err
		}
		if !metav1.IsControlledBy(&r, &d) || renew(string(text)) == string(text) {
			continue
		}
		background := metav1.DeletePropagationBackground
		if err := sets.Delete(ctx, r.Name, metav1.DeleteOptions{PropagationPolicy: &background}); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("replicaset %s/%s: %w", r.Namespace, r.Name, err)
		}
	}
	return nil
}

// removePods needs no grace: no process of them runs.
func (c *Cluster) removePods(ctx context.Context, renew func(string) string) (int, error) {
	all, err := c.Kube.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	removed := 0
	for _, p := range all.Items {
		text, err := json.Marshal(corev1.PodSpec{InitContainers: p.Spec.InitContainers, Containers: p.Spec.Containers})
		if err != nil {
			return removed, err
		}
		if renew(string(text)) == string(text) {
			continue
		}
		now := int64(0)
		if err := c.Kube.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil && !apierrors.IsNotFound(err) {
			return removed, fmt.Errorf("pod %s/%s: %w", p.Namespace, p.Name, err)
		}
		removed++
	}
	return removed, nil
}
