package flux

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Workload is what makes pods: a Deployment, a StatefulSet or a DaemonSet.
type Workload struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Images of its containers, without repetition.
	Images []string `json:"images"`
	// CPU and Memory that a pod requests; empty where it requests none.
	CPU    string `json:"cpu,omitempty"`
	Memory string `json:"memory,omitempty"`
	// Ready of the Wanted pods are ready.
	Ready  int64 `json:"ready"`
	Wanted int64 `json:"wanted"`
	// By is the object of Flux that applied it, as "Kustomization flux-system/apps"; empty where Flux did not.
	By string `json:"by,omitempty"`
	// Cause is what the workload says of itself when something is wrong.
	Cause string `json:"cause,omitempty"`
}

// Pod is one of a namespace.
type Pod struct {
	Name     string   `json:"name"`
	Phase    string   `json:"phase"`
	Ready    bool     `json:"ready"`
	Restarts int32    `json:"restarts,omitempty"`
	Images   []string `json:"images"`
	// Cause is why it is not ready, in its own or its containers' words.
	Cause string `json:"cause,omitempty"`
}

// Workloads lists those of all namespaces by namespace, kind and name.
func (c *Cluster) Workloads(ctx context.Context) ([]Workload, error) {
	var all []Workload
	for _, resource := range []string{"deployments", "statefulsets", "daemonsets"} {
		list, err := c.list(ctx, appsv1.SchemeGroupVersion.WithResource(resource), "")
		if err != nil {
			return nil, err
		}
		for n := range list {
			w, err := workload(&list[n])
			if err != nil {
				return nil, err
			}
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Name, b.Name))
	})
	return all, nil
}

// list asks for all objects of a kind, as the API server's cache has them: that costs it no question to etcd.
func (c *Cluster) list(ctx context.Context, what schema.GroupVersionResource, namespace string) ([]unstructured.Unstructured, error) {
	list, err := c.Dynamic.Resource(what).Namespace(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

func workload(o *unstructured.Unstructured) (Workload, error) {
	w := Workload{Kind: o.GetKind(), Namespace: o.GetNamespace(), Name: o.GetName()}
	var content struct {
		Spec struct {
			Replicas *int64                 `json:"replicas"`
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
		Status struct {
			ReadyReplicas          int64                        `json:"readyReplicas"`
			NumberReady            int64                        `json:"numberReady"`
			DesiredNumberScheduled int64                        `json:"desiredNumberScheduled"`
			Conditions             []appsv1.DeploymentCondition `json:"conditions"`
		} `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &content); err != nil {
		return w, fmt.Errorf("%s %s/%s: %w", w.Kind, w.Namespace, w.Name, err)
	}
	w.Ready, w.Wanted = content.Status.ReadyReplicas, 1 // the default of spec.replicas
	switch {
	case w.Kind == "DaemonSet":
		w.Ready, w.Wanted = content.Status.NumberReady, content.Status.DesiredNumberScheduled
	case content.Spec.Replicas != nil:
		w.Wanted = *content.Spec.Replicas
	}
	var requests corev1.ResourceList
	w.Images, requests = containers(content.Spec.Template.Spec)
	w.CPU, w.Memory = quantity(requests, corev1.ResourceCPU), quantity(requests, corev1.ResourceMemory)
	for kind, group := range map[string]string{"Kustomization": "kustomize", "HelmRelease": "helm"} {
		if name := o.GetLabels()[group+".toolkit.fluxcd.io/name"]; name != "" {
			w.By = kind + " " + o.GetLabels()[group+".toolkit.fluxcd.io/namespace"] + "/" + name
		}
	}
	for _, said := range content.Status.Conditions {
		failed := said.Type == appsv1.DeploymentReplicaFailure && said.Status == corev1.ConditionTrue
		if failed || said.Type == appsv1.DeploymentProgressing && said.Status == corev1.ConditionFalse {
			w.Cause = fmt.Sprintf("%s: %s", said.Reason, said.Message)
		}
	}
	return w, nil
}

// containers are the images of a pod, and the sum of what its containers request.
func containers(pod corev1.PodSpec) ([]string, corev1.ResourceList) {
	images, sum := []string{}, corev1.ResourceList{}
	for _, c := range pod.Containers {
		if !slices.Contains(images, c.Image) {
			images = append(images, c.Image)
		}
		for name, q := range c.Resources.Requests {
			total := sum[name]
			total.Add(q)
			sum[name] = total
		}
	}
	return images, sum
}

func quantity(of corev1.ResourceList, name corev1.ResourceName) string {
	q, there := of[name]
	if !there {
		return ""
	}
	return q.String()
}

// Pods lists the pods of a namespace by name.
func (c *Cluster) Pods(ctx context.Context, namespace string) ([]Pod, error) {
	list, err := c.list(ctx, corev1.SchemeGroupVersion.WithResource("pods"), namespace)
	if err != nil {
		return nil, err
	}
	all := make([]Pod, len(list))
	for n := range list {
		var p corev1.Pod
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(list[n].Object, &p); err != nil {
			return nil, fmt.Errorf("pod %s/%s: %w", namespace, list[n].GetName(), err)
		}
		all[n] = pod(p)
	}
	slices.SortFunc(all, func(a, b Pod) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

func pod(p corev1.Pod) Pod {
	out := Pod{Name: p.Name, Phase: string(p.Status.Phase), Cause: p.Status.Message}
	out.Images, _ = containers(p.Spec)
	if p.DeletionTimestamp != nil {
		out.Phase = "Terminating"
	}
	for _, c := range p.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady:
			out.Ready = c.Status == corev1.ConditionTrue
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			out.Cause = c.Message
		}
	}
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		out.Restarts += s.RestartCount
		if w := s.State.Waiting; w != nil && w.Reason != "PodInitializing" && w.Reason != "ContainerCreating" {
			out.Cause = strings.TrimSuffix(w.Reason+": "+w.Message, ": ")
		}
	}
	return out
}
