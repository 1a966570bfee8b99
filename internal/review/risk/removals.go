package risk

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/pod-security-admission/api"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// removalRules are about what a removal loses.
var removalRules = []objectRule{
	{
		name: "data-removed", kind: Deletion, guarded: true,
		finds:  "the removal of a Namespace (of a service, or with pods and objects of plain kinds alone: only if something in it has a volume), a CustomResourceDefinition, a PersistentVolume or its claim, or a StatefulSet with volumes of its own, unless an annotation keeps it",
		means:  "Flux deletes it, and the repository cannot bring its data back",
		remedy: "to keep it, leave it in the repository, or first merge the annotation `" + pruneAnnotation + ": disabled`",
		find:   findRemoved,
	},
	{
		name: "object-orphaned", kind: Deletion,
		finds:  "the removal of such an object with an annotation that keeps it",
		means:  "it stays in the cluster, where nothing looks after it",
		remedy: "delete it by hand when nobody needs it",
		find: func(s *scene, p kubediff.Pair) []string {
			if p.Now != nil || stakeOf(s, p.Old) == "" || !kept(s, p.Old) {
				return nil
			}
			return []string{"leaves the repository"}
		},
	},
	{
		name: "stored-version", kind: Refused, guarded: true,
		finds:  "a CustomResourceDefinition without the version in which its objects are stored (`storage: true`)",
		means:  "the API server refuses the definition while `status.storedVersions` names the version",
		remedy: "keep the version with `storage: false`, write every object anew, take it out of `status.storedVersions`, and remove it then",
		find:   findStored,
	},
	{
		name: "volume-retention", kind: Protection,
		finds:  "a PersistentVolume, StorageClass or StatefulSet whose volumes are now deleted with what uses them",
		means:  "the data goes with its claim",
		remedy: "leave `Retain` where the data matters",
		find:   findRetention,
	},
	{
		name: "safeguard-removed", kind: Protection,
		finds:  "the removal of what keeps pods available or the cluster in bounds: " + strings.Join(safeguardNames(), ", "),
		means:  "nothing else keeps this from happening",
		remedy: "keep it, unless what it protected goes too",
		find:   findSafeguard,
	},
}

// pruneAnnotation with "disabled" makes Flux leave an object that leaves the repository, see
// https://fluxcd.io/flux/components/kustomize/kustomizations/#prune; keepAnnotation with "keep" makes Helm leave it.
const (
	pruneAnnotation = "kustomize.toolkit.fluxcd.io/prune"
	keepAnnotation  = "helm.sh/resource-policy"
)

// partOf is the label by which the fleet marks what is of services.
const partOf = "app.kubernetes.io/part-of"

// kept tells whether an object stays when it leaves the repository.
func kept(s *scene, o *manifests.Object) bool {
	annotations := metadata(s, o).Annotations
	return annotations[pruneAnnotation] == "disabled" || annotations[keepAnnotation] == "keep"
}

// stakes are the kinds that hold data, with what is lost when one goes.
var stakes = map[schema.GroupKind]string{
	{Kind: "Namespace"}:                                               "everything in the namespace, with its volumes",
	{Kind: "PersistentVolumeClaim"}:                                   "the files of the volume",
	{Kind: "PersistentVolume"}:                                        "the files of the volume",
	{Group: "apps", Kind: "StatefulSet"}:                              "the volumes of its pods, which lose their user, or go with it when `whenDeleted` is Delete",
	{Group: "apiextensions.k8s.io", Kind: "CustomResourceDefinition"}: "every object of the kind, in all namespaces, and what it stands for",
}

// stakeOf says what an object holds; empty if it holds no data.
func stakeOf(s *scene, o *manifests.Object) string {
	if o == nil {
		return ""
	}
	if is(o, "", "Namespace") && holdsNothing(s, o) {
		return ""
	}
	if is(o, appsv1.GroupName, "StatefulSet") && len(as[appsv1.StatefulSet](s, o).Spec.VolumeClaimTemplates) == 0 {
		return ""
	}
	return stakes[schema.GroupKind{Group: group(o), Kind: o.Kind}]
}

// plain are the groups of kinds that make no volume of their own accord, as the resource of an operator may.
var plain = []string{"", appsv1.GroupName, batchv1.GroupName, autoscalingv1.GroupName, networkingv1.GroupName, policyv1.GroupName, rbacv1.GroupName, secretsGroup}

// holdsNothing reports whether all that is in a namespace is known, goes with it, and has no volume. All of a service is rendered
// here. Of another namespace that is so where something runs in it, and every object is of a plain kind.
func holdsNothing(s *scene, namespace *manifests.Object) bool {
	service := metadata(s, namespace).Labels[partOf] == "services"
	runs, strange := false, false
	if !service && slices.ContainsFunc(s.after, func(in manifests.Object) bool { return in.Namespace == namespace.Name }) {
		return false
	}
	for i := range s.before {
		in := &s.before[i]
		if in.Namespace != namespace.Name {
			continue
		}
		if stakeOf(s, in) != "" || mentions(in.Values, "persistentVolumeClaim", "volumeClaimTemplate") {
			return false
		}
		strange = strange || !slices.Contains(plain, group(in))
		runs = runs || is(in, appsv1.GroupName, "Deployment", "StatefulSet", "DaemonSet")
	}
	return service || runs && !strange
}

// mentions reports whether a value has one of some keys at any depth.
func mentions(value any, keys ...string) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if slices.Contains(keys, key) || mentions(inner, keys...) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(inner any) bool { return mentions(inner, keys...) })
	}
	return false
}

// findRemoved finds data that goes.
func findRemoved(s *scene, p kubediff.Pair) []string {
	stake := stakeOf(s, p.Old)
	if p.Now != nil || stake == "" || kept(s, p.Old) {
		return nil
	}
	return []string{"will be deleted; at stake: " + stake}
}

// findStored finds versions that are stored and leave their definition, see
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#upgrade-existing-objects-to-a-new-stored-version
func findStored(s *scene, p kubediff.Pair) []string {
	if p.Now == nil || !is(p.Old, "apiextensions.k8s.io", "CustomResourceDefinition") {
		return nil
	}
	type version struct {
		Name    string
		Storage bool
	}
	now := as[[]version](s, p.Now, "spec", "versions")
	var found []string
	for _, old := range as[[]version](s, p.Old, "spec", "versions") {
		if old.Storage && !slices.ContainsFunc(now, func(v version) bool { return v.Name == old.Name }) {
			found = append(found, "loses version "+old.Name+", in which its objects are stored")
		}
	}
	return found
}

// findRetention finds volumes that are no longer kept.
func findRetention(s *scene, p kubediff.Pair) []string {
	if p.Old == nil || p.Now == nil {
		return nil
	}
	var found []string
	for _, path := range [][]string{
		{"reclaimPolicy"}, {"spec", "persistentVolumeReclaimPolicy"},
		{"spec", "persistentVolumeClaimRetentionPolicy", "whenDeleted"}, {"spec", "persistentVolumeClaimRetentionPolicy", "whenScaled"},
	} {
		old, now := field(p.Old.Values, path...), field(p.Now.Values, path...)
		if now == "Delete" && old != "Delete" && of(p, group(p.Now), "PersistentVolume", "StorageClass", "StatefulSet") {
			found = append(found, path[len(path)-1]+" becomes Delete")
		}
	}
	return found
}

// safeguards are kinds whose removal loses protection, with what is lost.
var safeguards = map[string]string{
	"PodDisruptionBudget":              "a drain of nodes may stop every pod at once",
	"HorizontalPodAutoscaler":          "nothing adds pods under load, and the number of replicas falls back to the manifest's, or to 1",
	"ResourceQuota":                    "nothing limits what the namespace uses",
	"LimitRange":                       "containers without limits get none",
	"ValidatingAdmissionPolicy":        "what it refused is accepted",
	"ValidatingAdmissionPolicyBinding": "what its policy refused is accepted",
	"ValidatingWebhookConfiguration":   "what its webhooks refused is accepted",
}

// safeguardNames lists the kinds.
func safeguardNames() []string {
	var names []string
	for kind := range safeguards {
		names = append(names, kind)
	}
	slices.Sort(names)
	return names
}

// findSafeguard finds a removed safeguard whose object stays.
func findSafeguard(s *scene, p kubediff.Pair) []string {
	if p.Now != nil || safeguards[p.Old.Kind] == "" || s.gone(p.Old.Namespace) {
		return nil
	}
	switch p.Old.Kind {
	case "PodDisruptionBudget":
		if read := as[policyv1.PodDisruptionBudget](s, p.Old); s.goWith(p.Old.Namespace, requirements(read.Spec.Selector)) {
			return nil
		}
	case "HorizontalPodAutoscaler":
		target := as[autoscalingv1.HorizontalPodAutoscaler](s, p.Old).Spec.ScaleTargetRef
		there := func(o manifests.Object) bool {
			return o.Kind == target.Kind && o.Name == target.Name && o.Namespace == p.Old.Namespace
		}
		if slices.ContainsFunc(s.before, there) && !slices.ContainsFunc(s.after, there) {
			return nil
		}
	}
	return []string{"is removed, so " + safeguards[p.Old.Kind]}
}

// namespaceRules are about what namespaces enforce.
var namespaceRules = []objectRule{{
	name: "namespace-level", kind: Protection,
	finds:  "a Namespace that enforces, audits or warns about a lower Pod Security Standard (`pod-security.kubernetes.io/…`)",
	means:  "pods that were refused are accepted, or nobody hears of them",
	remedy: "keep the level; move a pod that needs more into a namespace of its own",
	find:   findLevel,
}}

// findLevel finds a lower standard.
func findLevel(s *scene, p kubediff.Pair) []string {
	if !is(p.Old, "", "Namespace") || p.Now == nil {
		return nil
	}
	old, now := levels(as[corev1.Namespace](s, p.Old).Labels), levels(as[corev1.Namespace](s, p.Now).Labels)
	var found []string
	for _, mode := range []string{"enforce", "audit", "warn"} {
		before, after := old[mode], now[mode]
		lower := api.CompareLevels(after.Level, before.Level)
		if lower < 0 || lower == 0 && after.Level != api.LevelPrivileged && after.Older(before.Version) {
			found = append(found, fmt.Sprintf("%s goes from %s to %s", mode, before, after))
		}
	}
	if len(found) == 0 {
		return nil
	}
	return []string{strings.Join(found, ", ")}
}
