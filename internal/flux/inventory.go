package flux

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Entry is an object that a Kustomization has applied.
type Entry struct {
	Kind            schema.GroupVersionKind
	Namespace, Name string
}

// Inventory lists what a Kustomization has applied. Entries that cannot be read are left out.
func Inventory(o *unstructured.Unstructured) []Entry {
	listed, _, _ := unstructured.NestedSlice(o.Object, "status", "inventory", "entries")
	var all []Entry
	for _, e := range listed {
		entry, _ := e.(map[string]any)
		if read, ok := identify(entry); ok {
			all = append(all, read)
		}
	}
	return all
}

// identify reads an entry of an inventory, "<namespace>_<name>_<group>_<kind>": names have no underscore, but those of RBAC have
// a colon, which is written as "__".
func identify(entry map[string]any) (Entry, bool) {
	id, _ := entry["id"].(string)
	version, _ := entry["v"].(string)
	namespace, rest, _ := strings.Cut(id, "_")
	last := strings.LastIndex(rest, "_")
	if last < 0 {
		return Entry{}, false
	}
	kind, rest := rest[last+1:], rest[:last]
	if last = strings.LastIndex(rest, "_"); last < 0 {
		return Entry{}, false
	}
	name, group := strings.ReplaceAll(rest[:last], "__", ":"), rest[last+1:]
	return Entry{schema.GroupVersionKind{Group: group, Version: version, Kind: kind}, namespace, name}, true
}
