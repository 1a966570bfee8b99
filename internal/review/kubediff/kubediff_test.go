package kubediff

import (
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/manifests"
)

// object makes an object with one field.
func object(apiVersion, kind, name, field, value string) manifests.Object {
	return manifests.Object{APIVersion: apiVersion, Kind: kind, Namespace: "n", Name: name, Values: map[string]any{
		"apiVersion": apiVersion, "kind": kind, "metadata": map[string]any{"name": name}, "data": map[string]any{field: value},
	}}
}

func TestDiff(t *testing.T) {
	for name, c := range map[string]struct {
		old, now []manifests.Object
		want     string // "action object" of each change
		says     string
		never    string
	}{
		"same":            {old: []manifests.Object{object("v1", "ConfigMap", "a", "k", "v")}, now: []manifests.Object{object("v1", "ConfigMap", "a", "k", "v")}},
		"added":           {now: []manifests.Object{object("v1", "ConfigMap", "a", "k", "v")}, want: "added ConfigMap n/a", says: "+  k: v"},
		"removed":         {old: []manifests.Object{object("v1", "ConfigMap", "a", "k", "v")}, want: "removed ConfigMap n/a", says: "-  k: v"},
		"changed":         {old: []manifests.Object{object("v1", "ConfigMap", "a", "k", "v")}, now: []manifests.Object{object("v1", "ConfigMap", "a", "k", "w")}, want: "changed ConfigMap n/a", says: "-  k: v\n+  k: w"},
		"another version": {old: []manifests.Object{object("x.io/v1", "A", "a", "k", "v")}, now: []manifests.Object{object("x.io/v2", "A", "a", "k", "v")}, want: "changed A n/a", says: "+apiVersion: x.io/v2"},
		"another group":   {old: []manifests.Object{object("x.io/v1", "A", "a", "k", "v")}, now: []manifests.Object{object("y.io/v1", "A", "a", "k", "v")}, want: "removed A n/a, added A n/a"},
		"generated name": {old: []manifests.Object{object("v1", "ConfigMap", "a-2456789bcd", "k", "v")}, now: []manifests.Object{object("v1", "ConfigMap", "a-dcb9876542", "k", "w")},
			want: "changed ConfigMap n/a-dcb9876542", says: "-  k: v\n+  k: w"},
		"secret":       {old: []manifests.Object{object("v1", "Secret", "a", "k", "old")}, now: []manifests.Object{object("v1", "Secret", "a", "k", "new")}, want: "changed Secret n/a", says: "(hidden, value 2)", never: "new"},
		"secret added": {now: []manifests.Object{object("v1", "Secret", "a", "k", "hunter2")}, want: "added Secret n/a", says: "(hidden)", never: "hunter2"},
		"key of a secret": {old: []manifests.Object{object("v1", "Secret", "a", "k", "hunter2")}, now: []manifests.Object{object("v1", "Secret", "a", "l", "hunter2")},
			want: "changed Secret n/a", says: "-  k: (hidden)\n+  l: (hidden)", never: "hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			var got, text []string
			for _, change := range diff(c.old, c.now) {
				got = append(got, string(change.Action)+" "+change.Object)
				text = append(text, change.Diff)
			}
			all := strings.Join(text, "")
			if strings.Join(got, ", ") != c.want || !strings.Contains(all, c.says) || c.never != "" && strings.Contains(all, c.never) {
				t.Errorf("got %q:\n%s", got, all)
			}
		})
	}
}

// Hiding what a Secret holds leaves the object as it is.
func TestHiddenCopies(t *testing.T) {
	o := object("v1", "Secret", "a", "k", "v")
	hidden(&o, nil)
	if o.Values["data"].(map[string]any)["k"] != "v" {
		t.Error("the object was changed")
	}
}

func TestCompareKustomizations(t *testing.T) {
	a, b := object("v1", "ConfigMap", "a", "k", "v"), object("v1", "ConfigMap", "b", "k", "v")
	old := manifests.Rendered{Kustomizations: []manifests.Kustomization{{Name: "gone", Objects: []manifests.Object{a}}, {Name: "apps", Objects: []manifests.Object{a}}}}
	now := manifests.Rendered{Kustomizations: []manifests.Kustomization{{Name: "apps", Objects: []manifests.Object{a, b}}, {Name: "new", Objects: []manifests.Object{b}}}}
	var names []string
	different := Compare(old, now)
	for _, k := range different {
		names = append(names, k.Name)
	}
	if strings.Join(names, " ") != "apps new gone" {
		t.Error(names)
	}
	if added, changed, removed := Count(different); added != 2 || changed != 0 || removed != 1 {
		t.Error(added, changed, removed)
	}
}
