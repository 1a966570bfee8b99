// Package kubediff compares what Flux would apply before and after a change: object by object for each Kustomization, and
// for each HelmRelease by chart version, values, and what the chart makes of them.
package kubediff

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/unified"
)

// Action says what happens to an object.
type Action string

// The actions.
const (
	Added   Action = "added"
	Changed Action = "changed"
	Removed Action = "removed"
)

// Kustomization is a Flux Kustomization whose objects differ.
type Kustomization struct {
	Name string `json:"name"`
	// Path is the folder that it builds.
	Path    string   `json:"path"`
	Objects []Change `json:"objects"`
}

// Change is one object that differs.
type Change struct {
	Action Action `json:"action"`
	// Object as "Kind namespace/name".
	Object string `json:"object"`
	// Diff is the unified difference of the object's YAML.
	Diff string `json:"diff"`
	// Release is set for a HelmRelease.
	Release *Release `json:"release,omitempty"`
}

// Release is the change of a HelmRelease.
type Release struct {
	Chart      string `json:"chart"`
	OldVersion string `json:"oldVersion,omitempty"`
	NewVersion string `json:"newVersion,omitempty"`
	// Objects that the chart makes and that differ.
	Objects []Change `json:"objects,omitempty"`
	// Note says why Objects is not complete; empty when it is.
	Note string `json:"note,omitempty"`

	// before and after are everything that the chart makes.
	before, after []manifests.Object
}

// Count returns how many objects are added, changed and removed, without those of charts.
func Count(kustomizations []Kustomization) (added, changed, removed int) {
	for _, k := range kustomizations {
		for _, c := range k.Objects {
			switch c.Action {
			case Added:
				added++
			case Changed:
				changed++
			case Removed:
				removed++
			}
		}
	}
	return added, changed, removed
}

// Compare returns the Kustomizations whose objects differ, in the order of the new side, then those that are gone.
func Compare(old, now manifests.Rendered) []Kustomization {
	var different []Kustomization
	before := map[string]manifests.Kustomization{}
	for _, k := range old.Kustomizations {
		before[k.Name] = k
	}
	for _, k := range now.Kustomizations {
		if changes := diff(before[k.Name].Objects, k.Objects); len(changes) > 0 {
			different = append(different, Kustomization{Name: k.Name, Path: k.Path, Objects: changes})
		}
		delete(before, k.Name)
	}
	for _, k := range old.Kustomizations {
		if _, gone := before[k.Name]; gone && len(k.Objects) > 0 {
			different = append(different, Kustomization{Name: k.Name, Path: k.Path, Objects: diff(k.Objects, nil)})
		}
	}
	return different
}

// Objects lists everything on both sides, with what the charts of those releases make that differ.
func Objects(old, now manifests.Rendered, different []Kustomization) (before, after []manifests.Object) {
	for _, k := range old.Kustomizations {
		before = append(before, k.Objects...)
	}
	for _, k := range now.Kustomizations {
		after = append(after, k.Objects...)
	}
	for _, k := range different {
		for _, c := range k.Objects {
			if c.Release != nil {
				before, after = append(before, c.Release.before...), append(after, c.Release.after...)
			}
		}
	}
	return before, after
}

// Pair is one object on both sides; one of them may be nil.
type Pair struct{ Old, Now *manifests.Object }

// Pairs finds the objects of both lists, in the order of kind, group, namespace and name.
func Pairs(old, now []manifests.Object) []Pair {
	before, after := index(old), index(now)
	pairGenerated(before, after)
	var pairs []Pair
	for _, key := range slices.Sorted(maps.Keys(union(before, after))) {
		pairs = append(pairs, Pair{before[key], after[key]})
	}
	return pairs
}

// diff compares two lists of objects.
func diff(old, now []manifests.Object) []Change {
	var changes []Change
	for _, p := range Pairs(old, now) {
		if change := compare(p.Old, p.Now); change != nil {
			changes = append(changes, *change)
		}
	}
	return changes
}

// compare returns the change of one object, or nil. One side may be nil.
func compare(old, now *manifests.Object) *Change {
	change := &Change{}
	one := now
	switch {
	case old == nil:
		change.Action = Added
	case now == nil:
		change.Action, one = Removed, old
	default:
		change.Action = Changed
	}
	a, b := hidden(old, now)
	change.Diff = unified.Diff(text(a), text(b))
	if change.Diff == "" {
		return nil
	}
	change.Object = title(*one)
	if one.Release != nil {
		change.Release = release(old, now)
	}
	return change
}

// title names an object.
func title(o manifests.Object) string {
	if o.Namespace == "" {
		return o.Kind + " " + o.Name
	}
	return o.Kind + " " + o.Namespace + "/" + o.Name
}

// text is an object's values as YAML; empty if there is none.
func text(values map[string]any) string {
	if values == nil {
		return ""
	}
	content, err := yaml.Marshal(values)
	if err != nil {
		return err.Error() + "\n"
	}
	return string(content)
}

// index maps objects by what identifies them in a cluster: not the version of their API, which may move.
func index(objects []manifests.Object) map[string]*manifests.Object {
	found := map[string]*manifests.Object{}
	for i, o := range objects {
		found[identity(o, o.Name)] = &objects[i]
	}
	return found
}

func identity(o manifests.Object, name string) string {
	group, _, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		group = ""
	}
	return strings.Join([]string{o.Kind, group, o.Namespace, name}, "\x00")
}

func union(a, b map[string]*manifests.Object) map[string]bool {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

// generated ends the name of a ConfigMap or Secret that kustomize generated: a hash of its content, in the letters of
// https://github.com/kubernetes-sigs/kustomize/blob/master/api/hasher/hasher.go.
var generated = regexp.MustCompile(`-[2456789bcdfghkmt]{10}$`)

// pairGenerated lets a generated object, whose name changes with its content, be compared with its predecessor.
func pairGenerated(before, after map[string]*manifests.Object) {
	base := func(o *manifests.Object) string { return identity(*o, generated.ReplaceAllString(o.Name, "")) }
	predecessors := map[string]string{}
	for key, o := range before {
		if _, stays := after[key]; !stays && isGenerated(o) {
			predecessors[base(o)] = key
		}
	}
	for key, o := range after {
		if _, was := before[key]; was || !isGenerated(o) {
			continue
		}
		if old, ok := predecessors[base(o)]; ok {
			before[key] = before[old]
			delete(before, old)
			delete(predecessors, base(o))
		}
	}
}

func isGenerated(o *manifests.Object) bool {
	return (o.Kind == "ConfigMap" || o.Kind == "Secret") && generated.MatchString(o.Name)
}
