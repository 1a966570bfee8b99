package risk

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/review/kubediff"
)

// objectRule is one thing that is looked for in manifests.
type objectRule struct {
	name string
	kind Kind
	// finds says what is looked for, means what it means, remedy what to do.
	finds, means, remedy string
	// guarded tells that it needs an entry in allowReplacement.
	guarded bool
	// find says of one object what is there now and was not before.
	find func(s *scene, p kubediff.Pair) []string
}

// objectRules are all of them, in the order of docs/guides/review-rules.md.
func objectRules() []objectRule {
	return slices.Concat(removalRules, podSecurityRules(), podRules, rbacRules, networkPolicyRules, secretRules, exposureRules, namespaceRules, fluxRules)
}

// scene is what a rule may look at beside its object.
type scene struct {
	environment   string
	before, after []manifests.Object
	// unread are the objects that cannot be read as what they say they are, with the reason.
	unread map[*manifests.Object]error
}

// Objects finds what a change widens or loses among the objects of an environment. Both lists are what Flux applies, with
// what charts make; objects that stay the same are context, so give them too.
func Objects(environment string, before, after []manifests.Object) []Finding {
	whole := Finding{Kind: Stack, Resource: environment + "/Kubernetes"}
	switch {
	case len(before) == 0 && len(after) == 0:
		return nil
	case len(before) == 0:
		whole.Message = fmt.Sprintf("is new: %d objects%s", len(after), tally(find(environment, nil, after)))
		return []Finding{whole}
	case len(after) == 0:
		whole.Message = fmt.Sprintf("is no longer in the repository; its %d objects stay in the cluster, because Flux does not apply what it cannot find", len(before))
		return []Finding{whole}
	}
	found := find(environment, before, after)
	Sort(found)
	return found
}

// find asks every rule about every object that differs.
func find(environment string, before, after []manifests.Object) []Finding {
	s := &scene{environment, before, after, map[*manifests.Object]error{}}
	rules := objectRules()
	var found []Finding
	for _, p := range kubediff.Pairs(before, after) {
		if p.Old != nil && p.Now != nil && reflect.DeepEqual(p.Old.Values, p.Now.Values) {
			continue
		}
		one := p.Now
		if one == nil {
			one = p.Old
		}
		for _, r := range rules {
			for _, what := range r.find(s, p) {
				found = append(found, Finding{
					Kind: r.kind, Rule: r.name, Resource: s.resource(one), Guarded: r.guarded, Message: what + ": " + r.means, Remedy: r.remedy,
				})
			}
		}
		if err := s.unread[p.Now]; p.Now != nil && err != nil {
			found = append(found, Finding{
				Kind: Unseen, Rule: "unreadable", Resource: s.resource(one), Remedy: "correct it as `gitops manifests validate` says",
				Message: fmt.Sprintf("is no valid %s, so nothing was looked for in it: %v", one.Kind, err),
			})
		}
	}
	return found
}

// resource names an object as allowReplacement does.
func (s *scene) resource(o *manifests.Object) string {
	parts := []string{s.environment, o.Kind, o.Namespace, o.Name}
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), "/")
}

// tally counts findings by rule; empty if there are none.
func tally(found []Finding) string {
	counts := map[string]int{}
	for _, f := range found {
		counts[f.Rule]++
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s (%d)", name, counts[name]))
	}
	if len(parts) == 0 {
		return ""
	}
	return "; to read below: " + strings.Join(parts, ", ")
}

// group is the group of an object's API; empty for the core one.
func group(o *manifests.Object) string {
	name, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		return ""
	}
	return name
}

// is tells whether an object is of a kind; a nil one is of none.
func is(o *manifests.Object, apiGroup string, kinds ...string) bool {
	return o != nil && group(o) == apiGroup && slices.Contains(kinds, o.Kind)
}

// of tells whether a pair is of a kind.
func of(p kubediff.Pair, apiGroup string, kinds ...string) bool {
	return is(p.Old, apiGroup, kinds...) || is(p.Now, apiGroup, kinds...)
}

// as reads an object, or a part of it, as a type of its API; the zero value if there is none, or if it cannot be read.
func as[T any](s *scene, o *manifests.Object, path ...string) T {
	var read T
	if o == nil {
		return read
	}
	text, err := json.Marshal(field(o.Values, path...))
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	if err != nil {
		s.unread[o] = err
		return *new(T)
	}
	return read
}

// field walks maps by key; nil if the path does not exist.
func field(values map[string]any, path ...string) any {
	var current any = values
	for _, key := range path {
		step, _ := current.(map[string]any)
		current = step[key]
	}
	return current
}

// meta is the metadata of an object that has a part in its rules.
type meta struct{ Labels, Annotations map[string]string }

func metadata(s *scene, o *manifests.Object) meta { return as[meta](s, o, "metadata") }

// fresh returns what is in now and not in old, without repetitions.
func fresh(old, now []string) []string {
	var added []string
	for _, value := range now {
		if !slices.Contains(old, value) && !slices.Contains(added, value) {
			added = append(added, value)
		}
	}
	return added
}

// word quotes a value, and names the lack of one.
func word(value string) string {
	if value == "" {
		return "none"
	}
	return fmt.Sprintf("%q", value)
}

// most is how many parts a finding lists; the difference below shows all.
const most = 8

// shorten lists parts.
func shorten(parts []string) string {
	if len(parts) > most {
		parts = append(parts[:most:most], fmt.Sprintf("and %d more", len(parts)-most))
	}
	return strings.Join(parts, "; ")
}
