package risk

import (
	"fmt"

	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// API groups of Flux.
const (
	kustomizeGroup = "kustomize.toolkit.fluxcd.io"
	helmGroup      = "helm.toolkit.fluxcd.io"
	sourceGroup    = "source.toolkit.fluxcd.io"
)

// fluxRules are about how Flux applies what is in the repository.
var fluxRules = []objectRule{
	{
		name: "prune", kind: Protection,
		finds:  "a Flux Kustomization whose `prune` is switched, or an object that loses the annotation that keeps it",
		means:  "removals from the repository no longer do in the cluster what they did",
		remedy: "leave it as it is, unless a removal is to come",
		find:   findPrune,
	},
	{
		name: "flux-rights", kind: IAM,
		finds:  "a Flux Kustomization or HelmRelease that is applied as another ServiceAccount, or as Flux itself",
		means:  "what it holds may change all that this identity may change; Flux itself may change everything",
		remedy: "keep the ServiceAccount, and give it the rights that it needs",
		find:   findFluxRights,
	},
	{
		name: "source", kind: Image,
		finds:  "a source of Flux (Git, OCI, Helm, bucket) with another address, or whose signatures are no longer verified",
		means:  "somebody else decides what runs here",
		remedy: "make sure that the address is yours or one that you trust, and keep `verify`",
		find:   findSource,
	},
}

// findPrune finds another fate of what leaves the repository.
func findPrune(s *scene, p kubediff.Pair) []string {
	if p.Old == nil || p.Now == nil {
		return nil
	}
	if kept(s, p.Old) && !kept(s, p.Now) {
		return []string{"is deleted when it leaves the repository; an annotation kept it"}
	}
	if !of(p, kustomizeGroup, "Kustomization") {
		return nil
	}
	switch old, now := field(p.Old.Values, "spec", "prune"), field(p.Now.Values, "spec", "prune"); {
	case old == true && now != true:
		return []string{"no longer deletes what leaves the repository, which then stays unseen"}
	case old != true && now == true:
		return []string{"deletes from now on what leaves the repository"}
	}
	return nil
}

// findFluxRights finds another identity of Flux.
func findFluxRights(_ *scene, p kubediff.Pair) []string {
	if p.Old == nil || p.Now == nil || !of(p, kustomizeGroup, "Kustomization") && !of(p, helmGroup, "HelmRelease") {
		return nil
	}
	old, _ := field(p.Old.Values, "spec", "serviceAccountName").(string)
	now, _ := field(p.Now.Values, "spec", "serviceAccountName").(string)
	switch {
	case old == now:
		return nil
	case now == "":
		return []string{"is applied as Flux itself, not as " + old}
	default:
		return []string{fmt.Sprintf("is applied as %s instead of %s", now, orFlux(old))}
	}
}

func orFlux(account string) string {
	if account == "" {
		return "Flux itself"
	}
	return account
}

// findSource finds another origin.
func findSource(_ *scene, p kubediff.Pair) []string {
	if p.Old == nil || p.Now == nil || group(p.Now) != sourceGroup {
		return nil
	}
	var found []string
	for _, name := range []string{"url", "endpoint", "bucketName"} {
		old, now := field(p.Old.Values, "spec", name), field(p.Now.Values, "spec", name)
		if !equal(old, now) {
			found = append(found, fmt.Sprintf("comes from %v instead of %v", now, old))
		}
	}
	if field(p.Old.Values, "spec", "verify") != nil && field(p.Now.Values, "spec", "verify") == nil {
		found = append(found, "no longer verifies signatures")
	}
	return found
}
