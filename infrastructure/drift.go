package infrastructure

import "k8s-plus-aws-gitops/config"

// driftReadersName names the role of whoever looks for drift, and its binding.
const driftReadersName = "drift-readers"

// applied are the kinds that Flux applies, and its own, by API group; `gitops drift` lists the metadata of their objects. RBAC has
// no right to metadata alone, so Secrets are left out: Git holds none, and nobody may read those that are there. A kind that is not
// here is in the report as not looked at.
var applied = []struct {
	group     string
	resources []any
}{
	{"", []any{"configmaps", "events", "limitranges", "namespaces", "persistentvolumeclaims", "resourcequotas", "serviceaccounts", "services"}},
	{"admissionregistration.k8s.io", []any{"validatingadmissionpolicies", "validatingadmissionpolicybindings"}},
	{"apps", []any{"daemonsets", "deployments", "statefulsets"}},
	{"autoscaling", []any{"horizontalpodautoscalers"}},
	{"batch", []any{"cronjobs", "jobs"}},
	{"external-secrets.io", []any{"clustersecretstores", "externalsecrets", "secretstores"}},
	{"helm.toolkit.fluxcd.io", []any{"helmreleases"}},
	{"image.toolkit.fluxcd.io", []any{"imagepolicies", "imagerepositories", "imageupdateautomations"}},
	{"kustomize.toolkit.fluxcd.io", []any{"kustomizations"}},
	{"networking.k8s.io", []any{"ingressclasses", "ingresses", "networkpolicies"}},
	{"notification.toolkit.fluxcd.io", []any{"alerts", "providers", "receivers"}},
	{"policy", []any{"poddisruptionbudgets"}},
	{"rbac.authorization.k8s.io", []any{"clusterrolebindings", "clusterroles", "rolebindings", "roles"}},
	{"scheduling.k8s.io", []any{"priorityclasses"}},
	{"source.toolkit.fluxcd.io", []any{"gitrepositories", "helmrepositories", "ocirepositories"}},
}

// driftReaders let config.DriftGroup list what `gitops drift` looks at, in all namespaces.
// Where it repairs, it may also ask Flux to apply.
func driftReaders(env config.Environment) []map[string]any {
	var rules []any
	for _, of := range applied {
		rules = append(rules, map[string]any{"apiGroups": []any{of.group}, "resources": of.resources, "verbs": []any{"list"}})
	}
	if env.Drift.Repair { // RBAC knows no right to annotate alone
		for _, of := range [][2]string{{"kustomize.toolkit.fluxcd.io", "kustomizations"}, {"helm.toolkit.fluxcd.io", "helmreleases"}} {
			rules = append(rules, map[string]any{"apiGroups": []any{of[0]}, "resources": []any{of[1]}, "verbs": []any{"get", "patch"}})
		}
	}
	return granted(driftReadersName, config.DriftGroup, rules)
}
