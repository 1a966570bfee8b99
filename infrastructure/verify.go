package infrastructure

import (
	"strings"

	"k8s-plus-aws-gitops/config"
)

// readersName names the role of whoever verifies a release, and its binding.
const readersName = "flux-readers"

// fluxReaders let config.VerifyGroup list what internal/flux lists to tell whether a release has arrived: Flux's objects in
// all namespaces, and the events with the cause of a failure that is being tried again.
func fluxReaders() []map[string]any {
	lists := func(apiGroup, resource string) any {
		return map[string]any{"apiGroups": []any{apiGroup}, "resources": []any{resource}, "verbs": []any{"list"}}
	}
	return granted(readersName, config.VerifyGroup, []any{
		lists("kustomize.toolkit.fluxcd.io", "kustomizations"), lists("helm.toolkit.fluxcd.io", "helmreleases"),
		lists("source.toolkit.fluxcd.io", "gitrepositories"), lists("", "events"),
	})
}

// viewersName names the role of whoever views the cluster, and its binding.
const viewersName = "flux-viewers"

// fluxViewers let config.ViewGroup look at Flux's objects: AmazonEKSViewPolicy has Kubernetes' own kinds alone.
func fluxViewers() []map[string]any {
	var rules []any
	for _, of := range applied {
		if strings.HasSuffix(of.group, ".toolkit.fluxcd.io") {
			rules = append(rules, map[string]any{"apiGroups": []any{of.group}, "resources": of.resources, "verbs": []any{"get", "list", "watch"}})
		}
	}
	return granted(viewersName, config.ViewGroup, rules)
}

// granted is a ClusterRole with rules, and the binding of a group to it, under one name.
func granted(name, to string, rules []any) []map[string]any {
	const group = "rbac.authorization.k8s.io"
	role := object(group+"/v1", "ClusterRole", "", name, nil)
	role["rules"] = rules
	binding := object(group+"/v1", "ClusterRoleBinding", "", name, nil)
	binding["roleRef"] = map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": name}
	binding["subjects"] = []any{map[string]any{"apiGroup": group, "kind": "Group", "name": to}}
	return []map[string]any{role, binding}
}
