package manifests

import (
	"encoding/json"
	"slices"
)

// networkPolicy is what is read of a NetworkPolicy.
type networkPolicy struct {
	Spec struct {
		PodSelector struct {
			MatchLabels      map[string]string `json:"matchLabels"`
			MatchExpressions []any             `json:"matchExpressions"`
		} `json:"podSelector"`
		PolicyTypes []string `json:"policyTypes"`
	} `json:"spec"`
}

// closes returns the directions in which the policy holds for every pod of its namespace. What it allows is its own matter: a
// direction that any policy names is closed but for what policies open
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/#default-policies).
func closes(o object) []string {
	var p networkPolicy
	content, err := json.Marshal(o)
	if err != nil || json.Unmarshal(content, &p) != nil {
		return nil // what it should be like is the schema's to say
	}
	if len(p.Spec.PodSelector.MatchLabels)+len(p.Spec.PodSelector.MatchExpressions) > 0 {
		return nil
	}
	return p.Spec.PolicyTypes
}

// closed reports each namespace of the repository that runs pods and is open in a direction: a policy that selects some pods
// leaves the next one, a job or a debugging pod, without any.
func (c *check) closed() {
	made := map[string]arrival{}
	runs, directions := map[string]bool{}, map[string][]string{}
	for _, a := range c.arrived {
		in := a.in()
		switch {
		case key(a.object) == "v1/Namespace" && a.release == nil:
			made[a.name()] = a
		case a.kind() == "NetworkPolicy":
			directions[in] = append(directions[in], closes(a.object)...)
		case slices.Contains([]string{"CronJob", "DaemonSet", "Deployment", "Job", "Pod", "ReplicaSet", "StatefulSet"}, a.kind()):
			runs[in] = true
		}
	}
	for name, a := range made {
		if !runs[name] {
			continue
		}
		for _, direction := range []string{"Egress", "Ingress"} {
			if slices.Contains(directions[name], direction) {
				continue
			}
			c.path, c.files = a.path, a.files
			c.report(a.object, "has pods, and no NetworkPolicy closes its "+direction+" for all of them",
				"add a NetworkPolicy with podSelector: {} and policyTypes: [Egress, Ingress]")
		}
	}
}
