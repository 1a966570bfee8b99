package manifests

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// podSet is a Deployment or a StatefulSet with the number of its pods.
type podSet struct {
	arrival
	namespace string
	replicas  int
	pod       corev1.PodTemplateSpec
}

// workloads are all that arrive with pods, of charts too.
func (c *check) workloads() []podSet {
	var all []podSet
	add := func(a arrival, replicas *int32, pod corev1.PodTemplateSpec) {
		w := podSet{a, a.in(), 1, pod}
		if replicas != nil {
			w.replicas = int(*replicas)
		}
		if scaled, ok := c.autoscaled(w); ok {
			w.replicas = scaled
		}
		all = append(all, w)
	}
	for _, a := range c.arrived {
		if d, ok := typed[appsv1.Deployment](a.object, "apps/v1/Deployment"); ok {
			add(a, d.Spec.Replicas, d.Spec.Template)
		}
		if s, ok := typed[appsv1.StatefulSet](a.object, "apps/v1/StatefulSet"); ok {
			add(a, s.Spec.Replicas, s.Spec.Template)
		}
	}
	return all
}

// autoscaled is the least number of pods that an autoscaler leaves a workload.
func (c *check) autoscaled(w podSet) (int, bool) {
	for _, a := range c.arrived {
		h, ok := typed[autoscalingv2.HorizontalPodAutoscaler](a.object, "autoscaling/v2/HorizontalPodAutoscaler")
		if !ok || a.in() != w.namespace || h.Spec.ScaleTargetRef.Name != w.name() || h.Spec.ScaleTargetRef.Kind != w.kind() {
			continue
		}
		if h.Spec.MinReplicas != nil {
			return int(*h.Spec.MinReplicas), true
		}
		return 1, true
	}
	return 0, false
}

// budgets reports each PodDisruptionBudget that lets no pod go: a drain of its node, of an upgrade for instance, waits until somebody
// removes it (https://kubernetes.io/docs/tasks/run-application/configure-pdb/).
func (c *check) budgets() {
	all := c.workloads()
	for _, a := range c.arrived {
		b, ok := typed[policyv1.PodDisruptionBudget](a.object, "policy/v1/PodDisruptionBudget")
		if !ok {
			continue
		}
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			continue // what a selector should be like is the schema's to say
		}
		pods := 0
		for _, w := range all {
			if w.namespace == a.in() && selector.Matches(labels.Set(w.pod.Labels)) {
				pods += w.replicas
			}
		}
		if pods > 0 && allowed(b.Spec, pods) < 1 {
			c.reportOf(a, fmt.Sprintf("spec: lets none of %d pods go, so no node with one can be drained", pods),
				"write maxUnavailable: 1, or add replicas")
		}
	}
}

// allowed is how many of a number of healthy pods may go. Kubernetes rounds percentages up.
func allowed(spec policyv1.PodDisruptionBudgetSpec, pods int) int {
	if spec.MaxUnavailable != nil {
		n, _ := intstr.GetScaledValueFromIntOrPercent(spec.MaxUnavailable, pods, true)
		return n
	}
	if spec.MinAvailable == nil {
		return pods
	}
	n, _ := intstr.GetScaledValueFromIntOrPercent(spec.MinAvailable, pods, true)
	return pods - n
}
