package infrastructure

import "k8s-plus-aws-gitops/config"

// readersName names the role of whoever verifies a release, and its binding.
const readersName = "flux-readers"

// fluxReaders let config.VerifyGroup list what internal/flux lists to tell whether a release has arrived: Flux's objects in
// all namespaces, and the events with the cause of a failure that is being tried again.
func fluxReaders() []map[string]any {
	const group = "rbac.authorization.k8s.io"
	lists := func(apiGroup, resource string) any {
		return map[string]any{"apiGroups": []any{apiGroup}, "resources": []any{resource}, "verbs": []any{"list"}}
	}
	role := object(group+"/v1", "ClusterRole", "", readersName, nil)
	role["rules"] = []any{
		lists("kustomize.toolkit.fluxcd.io", "kustomizations"), lists("helm.toolkit.fluxcd.io", "helmreleases"),
		lists("source.toolkit.fluxcd.io", "gitrepositories"), lists("", "events"),
	}
	binding := object(group+"/v1", "ClusterRoleBinding", "", readersName, nil)
	binding["roleRef"] = map[string]any{"apiGroup": group, "kind": "ClusterRole", "name": readersName}
	binding["subjects"] = []any{map[string]any{"apiGroup": group, "kind": "Group", "name": config.VerifyGroup}}
	return []map[string]any{role, binding}
}
