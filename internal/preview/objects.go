package preview

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"k8s-plus-aws-gitops/internal/manifests"
)

// shape is what is read of an object, whichever kind it is.
type shape struct {
	Spec struct {
		Replicas    *int `json:"replicas"`
		MinReplicas int  `json:"minReplicas"`
		MaxReplicas int  `json:"maxReplicas"`
		Template    struct {
			Spec corev1.PodSpec `json:"spec"`
		} `json:"template"`
		Rules []struct {
			Host string `json:"host"`
		} `json:"rules"`
	} `json:"spec"`
}

// add notes an object, and what it says of hosts and variables. An object of another shape has neither.
func (p *Preview) add(o manifests.Object) {
	made := Object{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	var s shape
	if content, err := json.Marshal(o.Values); err == nil && json.Unmarshal(content, &s) == nil {
		switch {
		case s.Spec.Replicas != nil:
			made.Replicas = fmt.Sprint(*s.Spec.Replicas)
		case s.Spec.MaxReplicas > 0:
			made.Replicas = fmt.Sprintf("%d-%d", max(s.Spec.MinReplicas, 1), s.Spec.MaxReplicas)
		case len(s.Spec.Template.Spec.Containers) > 0:
			made.Replicas = "by load"
		}
		made.Requests = requests(s.Spec.Template.Spec)
		p.variables(s.Spec.Template.Spec)
		for _, rule := range s.Spec.Rules {
			if o.Kind == "Ingress" && rule.Host != "" {
				p.Hosts = append(p.Hosts, rule.Host)
			}
		}
	}
	p.Objects = append(p.Objects, made)
}

// requests are those of one pod: the sum over its containers.
func requests(pod corev1.PodSpec) string {
	sum := corev1.ResourceList{}
	for _, c := range pod.Containers {
		for resource, quantity := range c.Resources.Requests {
			total := sum[resource]
			total.Add(quantity)
			sum[resource] = total
		}
	}
	var parts []string
	for _, resource := range slices.Sorted(maps.Keys(sum)) {
		quantity := sum[resource]
		parts = append(parts, string(resource)+" "+quantity.String())
	}
	return strings.Join(parts, ", ")
}

// variables notes the names of a pod's variables, and which object holds a value that the manifest does not.
func (p *Preview) variables(pod corev1.PodSpec) {
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, v := range c.Env {
			variable := Variable{Name: v.Name}
			switch from := v.ValueFrom; {
			case from == nil:
			case from.SecretKeyRef != nil:
				variable.From = "Secret " + from.SecretKeyRef.Name
			case from.ConfigMapKeyRef != nil:
				variable.From = "ConfigMap " + from.ConfigMapKeyRef.Name
			default:
				variable.From = "the pod"
			}
			p.Variables = append(p.Variables, variable)
		}
		for _, e := range c.EnvFrom {
			switch {
			case e.SecretRef != nil:
				p.Variables = append(p.Variables, Variable{Name: e.Prefix + "*", From: "Secret " + e.SecretRef.Name})
			case e.ConfigMapRef != nil:
				p.Variables = append(p.Variables, Variable{Name: e.Prefix + "*", From: "ConfigMap " + e.ConfigMapRef.Name})
			}
		}
	}
}
