package risk

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// podSecurityMeans says what it means to fail a check of the Pod Security Standards. A check that is not listed has its
// own words only.
var podSecurityMeans = map[policy.CheckID]string{
	"privileged":                "the container is root on its node, and reaches every pod, Secret and disk there",
	"hostNamespaces":            "the pod sees the processes or the network of its node, past every NetworkPolicy",
	"hostPorts":                 "the pod answers at its node's address, past Services and most NetworkPolicies",
	"capabilities_restricted":   "the container keeps or gets rights of root",
	"allowPrivilegeEscalation":  "a program in the container may gain more rights than it started with",
	"runAsNonRoot":              "the container may run as root",
	"runAsUser":                 "the container runs as root",
	"seccompProfile_restricted": "the container may make every system call",
	"restrictedVolumes":         "the pod mounts what is not its own; a hostPath is files of its node",
}

// podSecurityRules is a rule for each check of the Pod Security Standards, in its newest version. Kubernetes' own code
// decides: https://kubernetes.io/docs/concepts/security/pod-security-standards/.
func podSecurityRules() []objectRule {
	checks := policy.DefaultChecks()
	overridden := map[policy.CheckID]bool{}
	newest := func(c policy.Check) policy.VersionedCheck { return c.Versions[len(c.Versions)-1] }
	for _, c := range checks {
		for _, id := range newest(c).OverrideCheckIDs {
			overridden[id] = true // a stricter check says the same
		}
	}
	var rules []objectRule
	for _, c := range checks {
		if overridden[c.ID] {
			continue
		}
		means, known := podSecurityMeans[c.ID]
		if !known {
			means = fmt.Sprintf("the pod no longer meets the standard %q", c.Level)
		}
		rules = append(rules, objectRule{
			name: "pod-security/" + string(c.ID), kind: Privilege,
			finds: fmt.Sprintf("a pod that newly fails the check `%s` of the standard `%s`", c.ID, c.Level), means: means,
			remedy: "take it out, or say in the pull request why this pod needs it; a namespace that enforces the standard refuses the pod",
			find:   podSecurity(newest(c).CheckPod),
		})
	}
	return rules
}

// podSecurity asks a check about each container with its pod, before and after: what it says of several containers at once
// cannot be compared.
func podSecurity(check policy.CheckPodFn) func(*scene, kubediff.Pair) []string {
	return func(s *scene, p kubediff.Pair) []string {
		now := podOf(s, p.Now)
		if now == nil {
			return nil
		}
		old := podOf(s, p.Old)
		var said []string
		for _, c := range containers(now.Spec) {
			result, before := check(&now.ObjectMeta, only(now.Spec, c.Name)), policy.CheckResult{Allowed: true}
			if old != nil {
				before = check(&old.ObjectMeta, only(old.Spec, c.Name))
			}
			if what := result.ForbiddenReason + " (" + result.ForbiddenDetail + ")"; !result.Allowed && worse(before, result) && !slices.Contains(said, what) {
				said = append(said, what)
			}
		}
		return said
	}
}

// detail finds the values in a check's explanation: names and values in quotes, numbers, fields with their value.
var detail = regexp.MustCompile(`"[^"]*"|\b\d+\b|\S+=\S+`)

// worse tells whether a check that fails says something that it did not say before.
func worse(old, now policy.CheckResult) bool {
	return old.Allowed || len(fresh(detail.FindAllString(old.ForbiddenDetail, -1), detail.FindAllString(now.ForbiddenDetail, -1))) > 0
}

// podPaths are where workloads hold their pod: a Pod itself, a Deployment and its like, a CronJob, a PodTemplate.
var podPaths = [][]string{{}, {"spec", "template"}, {"spec", "jobTemplate", "spec", "template"}, {"template"}}

// podOf returns the pod that a workload makes, whatever its kind; nil for an object that makes none.
func podOf(s *scene, o *manifests.Object) *corev1.PodTemplateSpec {
	if o == nil {
		return nil
	}
	for _, path := range podPaths {
		if _, found := field(o.Values, append(slices.Clone(path), "spec", "containers")...).([]any); found {
			read := as[corev1.PodTemplateSpec](s, o, path...)
			return &read
		}
	}
	return nil
}

// containers lists all containers of a pod.
func containers(spec corev1.PodSpec) []corev1.Container {
	all := slices.Concat(spec.InitContainers, spec.Containers)
	for _, c := range spec.EphemeralContainers {
		all = append(all, corev1.Container(c.EphemeralContainerCommon))
	}
	return all
}

// only is a pod with one of its containers; with none if it has no such container.
func only(spec corev1.PodSpec, name string) *corev1.PodSpec {
	another := func(c corev1.Container) bool { return c.Name != name }
	spec.InitContainers = slices.DeleteFunc(slices.Clone(spec.InitContainers), another)
	spec.Containers = slices.DeleteFunc(slices.Clone(spec.Containers), another)
	spec.EphemeralContainers = slices.DeleteFunc(slices.Clone(spec.EphemeralContainers), func(c corev1.EphemeralContainer) bool { return c.Name != name })
	return &spec
}

// podRules are about pods beyond the Pod Security Standards.
var podRules = []objectRule{
	{
		name: "service-account-token", kind: IAM,
		finds:  "a pod or ServiceAccount that newly mounts its token (`automountServiceAccountToken`)",
		means:  "whoever gets into the pod may ask the Kubernetes API for all that the ServiceAccount may do",
		remedy: "leave it false, unless the program calls the Kubernetes API",
		find:   findToken,
	},
	{
		name: "identity", kind: IAM,
		finds:  "a pod that runs as another ServiceAccount, or a ServiceAccount with another role in its annotations",
		means:  "its pods get the Kubernetes rights and the AWS role of that identity",
		remedy: "see what that identity may do in RBAC and in the Pod Identity associations; give each application its own",
		find:   findIdentity,
	},
	{
		name: "image-unpinned", kind: Image,
		finds:  "an image without a version, with `latest`, or without the digest that it had",
		means:  "what runs can change without a commit, and differ from node to node",
		remedy: "name a version, and keep the digest",
		find:   findUnpinned,
	},
	{
		name: "image-source", kind: Image,
		finds:  "an image from another registry or repository",
		means:  "somebody else decides what runs here",
		remedy: "make sure that the registry is yours or one that you trust",
		find:   findImageSource,
	},
}

// findToken finds a token that is mounted now.
func findToken(s *scene, p kubediff.Pair) []string {
	if of(p, "", "ServiceAccount") {
		old, now := as[corev1.ServiceAccount](s, p.Old), as[corev1.ServiceAccount](s, p.Now)
		if p.Now != nil && isFalse(old.AutomountServiceAccountToken) && !isFalse(now.AutomountServiceAccountToken) {
			return []string{"its pods mount its token, unless they say otherwise"}
		}
		return nil
	}
	old, now := podOf(s, p.Old), podOf(s, p.Now)
	if old != nil && now != nil && !mounts(s, p.Old.Namespace, old.Spec, s.before) && mounts(s, p.Now.Namespace, now.Spec, s.after) {
		return []string{"mounts the token of its ServiceAccount"}
	}
	return nil
}

// mounts tells whether a pod mounts its token: it does unless the pod, or else its ServiceAccount, says no.
func mounts(s *scene, namespace string, spec corev1.PodSpec, all []manifests.Object) bool {
	if spec.AutomountServiceAccountToken != nil {
		return *spec.AutomountServiceAccountToken
	}
	for i := range all {
		if is(&all[i], "", "ServiceAccount") && all[i].Namespace == namespace && all[i].Name == account(spec) {
			return !isFalse(as[corev1.ServiceAccount](s, &all[i]).AutomountServiceAccountToken)
		}
	}
	return true
}

// account is the ServiceAccount of a pod.
func account(spec corev1.PodSpec) string {
	if spec.ServiceAccountName == "" {
		return "default"
	}
	return spec.ServiceAccountName
}

func isFalse(value *bool) bool { return value != nil && !*value }

// roleAnnotation gives the pods of a ServiceAccount an IAM role without a Pod Identity association, see
// https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html.
const roleAnnotation = "eks.amazonaws.com/role-arn"

// findIdentity finds another identity of pods.
func findIdentity(s *scene, p kubediff.Pair) []string {
	if p.Now == nil {
		return nil
	}
	if of(p, "", "ServiceAccount") {
		old, now := metadata(s, p.Old).Annotations[roleAnnotation], metadata(s, p.Now).Annotations[roleAnnotation]
		if now != "" && now != old {
			return []string{fmt.Sprintf("gets the role %s instead of %s", word(now), word(old))}
		}
		return nil
	}
	old, now := podOf(s, p.Old), podOf(s, p.Now)
	if old == nil || now == nil || account(old.Spec) == account(now.Spec) {
		return nil
	}
	return []string{fmt.Sprintf("runs as the ServiceAccount %s instead of %s", word(account(now.Spec)), word(account(old.Spec)))}
}

// image is a reference to an image, in its parts.
type image struct{ repository, tag, digest string }

// imageOf splits a reference, see https://pkg.go.dev/github.com/distribution/reference.
func imageOf(reference string) image {
	var i image
	i.repository, i.digest, _ = strings.Cut(reference, "@")
	if colon := strings.LastIndex(i.repository, ":"); colon > strings.LastIndex(i.repository, "/") {
		i.repository, i.tag = i.repository[:colon], i.repository[colon+1:]
	}
	host, _, nested := strings.Cut(i.repository, "/")
	if !nested {
		i.repository = "docker.io/library/" + i.repository
	} else if !strings.ContainsAny(host, ".:") && host != "localhost" {
		i.repository = "docker.io/" + i.repository
	}
	return i
}

// images calls see with the image of each container of a workload, and with what it was; empty for a new container.
func images(s *scene, p kubediff.Pair, see func(container string, old, now image)) {
	now := podOf(s, p.Now)
	if now == nil {
		return
	}
	before := map[string]image{}
	if old := podOf(s, p.Old); old != nil {
		for _, c := range containers(old.Spec) {
			before[c.Name] = imageOf(c.Image)
		}
	}
	for _, c := range containers(now.Spec) {
		if c.Image != "" {
			see(c.Name, before[c.Name], imageOf(c.Image))
		}
	}
}

// pinned tells whether an image names a version. A tag that is not "latest" is taken for one.
func (i image) pinned() bool { return i.digest != "" || i.tag != "" && i.tag != "latest" }

// findUnpinned finds images that no longer name a version, or not as strictly.
func findUnpinned(s *scene, p kubediff.Pair) []string {
	var found []string
	images(s, p, func(container string, old, now image) {
		switch {
		case !now.pinned() && (old == image{} || old.pinned()):
			found = append(found, fmt.Sprintf("container %q has an image without a version (%s)", container, strings.TrimSuffix(now.repository+":"+now.tag, ":")))
		case old.digest != "" && now.digest == "":
			found = append(found, fmt.Sprintf("the image of container %q loses its digest (%s:%s)", container, now.repository, now.tag))
		}
	})
	return found
}

// findImageSource finds images that come from elsewhere.
func findImageSource(s *scene, p kubediff.Pair) []string {
	var found []string
	images(s, p, func(container string, old, now image) {
		if old != (image{}) && old.repository != now.repository {
			found = append(found, fmt.Sprintf("the image of container %q comes from %s instead of %s", container, now.repository, old.repository))
		}
	})
	return found
}

// levels of the Pod Security Standards that a namespace may enforce, audit and warn about.
func levels(labels map[string]string) map[string]api.LevelVersion {
	none := api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}
	p, _ := api.PolicyToEvaluate(labels, api.Policy{Enforce: none, Audit: none, Warn: none})
	return map[string]api.LevelVersion{"enforce": p.Enforce, "audit": p.Audit, "warn": p.Warn}
}
