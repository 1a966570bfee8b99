package plan

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review"
	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// shortest is how long a name must be to be looked for in manifests: a shorter one, "db" for instance, is in many words.
const shortest = 8

// order decides which half goes first. What is added is there before the pods that use it; what goes, goes after them. A
// commit that does both cannot be right in either order. Nor can one that removes what a rollback would bring back the use of.
func (p *Plan) order(e review.Environment, rollsBack bool) {
	gone := removed(e)
	var last []string
	for _, name := range slices.Sorted(maps.Keys(gone)) {
		// Names of a service's resources are alike: its own manifests say nothing of one of them. See lost.
		var own string
		if slices.Contains(p.Services, gone[name].stack) {
			own = ofService(gone[name].stack)
		}
		switch {
		case strings.Contains(text(e.After, own), name):
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s goes, and with it %s, which a manifest of this commit uses: take it out of the manifest, or keep the resource", gone[name].resource, name))
		case strings.Contains(text(e.Before, own), name):
			last = append(last, gone[name].resource)
		}
	}
	comes, lost := slices.ContainsFunc(e.Stacks, adds), p.lost(e)
	// Pods lose their credentials with the tie to their role, so they go before it. It is no reason to refuse a commit: what they
	// miss is credentials, for the seconds until they end, or after a rollback until the next deployment. What a service loses is
	// none, either: no two commits could say it.
	if (slices.ContainsFunc(e.Stacks, unties) || len(lost) > 0) && !comes {
		p.Order = KubernetesFirst
	}
	if len(lost) > 0 && comes {
		p.Refusals = append(p.Refusals, both(lost))
	}
	if len(last) == 0 {
		return
	}
	if rollsBack {
		p.Refusals = append(p.Refusals, fmt.Sprintf("%s goes with the manifests that used it, and a rollback (delivery.rollback) would bring those back without it: make two pull requests, first what no longer uses it, then what removes it", strings.Join(last, ", ")))
		return
	}
	p.Order = KubernetesFirst
	if comes {
		p.Refusals = append(p.Refusals, both(last))
	}
}

// both refuses a commit that cannot be right in either order.
func both(last []string) string {
	return fmt.Sprintf("%s must go after the manifests that used it, and what this commit adds must be there before its manifests: make two pull requests, first what adds, then what removes", strings.Join(last, ", "))
}

// unties reports whether a stack takes a role from pods.
func unties(s review.Stack) bool {
	return slices.ContainsFunc(s.Resources, func(r cfndiff.Resource) bool {
		return r.Type == "AWS::EKS::PodIdentityAssociation" && r.Impact == cfndiff.Destroy
	})
}

// adds reports whether resources of a stack are made.
func adds(s review.Stack) bool {
	created, _, _, _ := s.Count()
	return created > 0
}

// loss is a resource that goes, and the stack that had it.
type loss struct{ stack, resource string }

// removed returns the agreed names of the resources that are removed from AWS, each with the resource that had it. A name
// that another resource takes over is not among them.
func removed(e review.Environment) map[string]loss {
	gone, kept := map[string]loss{}, map[string]bool{}
	for _, s := range e.Stacks {
		for _, r := range s.Resources {
			for _, name := range names(r.New) {
				kept[name] = true
			}
			if r.Impact != cfndiff.Destroy {
				continue
			}
			for _, name := range names(r.Old) {
				gone[name] = loss{stack: s.Part, resource: e.Name + "/" + s.Part + "/" + r.ID}
			}
		}
	}
	maps.DeleteFunc(gone, func(name string, _ loss) bool { return kept[name] })
	return gone
}

// names are the names that a template gives to a resource, by which the other half can know it.
func names(resource map[string]any) []string {
	properties, _ := resource["Properties"].(map[string]any)
	var found []string
	for key, value := range properties {
		name, literal := value.(string)
		if literal && len(name) >= shortest && (strings.HasSuffix(key, "Name") || strings.HasSuffix(key, "Identifier")) {
			found = append(found, name)
		}
	}
	return found
}

// text is everything that the manifests of a side say, without those of one Kustomization.
func text(side manifests.Rendered, without string) string {
	var all strings.Builder
	for _, k := range side.Kustomizations {
		if k.Name == without && without != "" {
			continue
		}
		for _, o := range k.Objects {
			content, err := json.Marshal(o.Values)
			if err == nil { // of values that were read from YAML it is
				all.Write(content)
			}
		}
	}
	return all.String()
}
