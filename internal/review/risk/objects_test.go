package risk

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/golden"
	"k8s-plus-aws-gitops/internal/manifests"
)

// parsed reads a part of an archive as objects.
func parsed(t *testing.T, archive *txtar.Archive, name string) []manifests.Object {
	t.Helper()
	for _, f := range archive.Files {
		if f.Name == name {
			read, err := manifests.ParseObjects(f.Data)
			if err != nil {
				t.Fatal(err)
			}
			return read
		}
	}
	t.Fatalf("no %s", name)
	return nil
}

// Each archive of testdata holds objects before and after a change, and what is found. An object whose name starts with
// "bad-" must be found, one that starts with "ok-" must not.
func TestObjects(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no testdata", err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			archive := txtar.Parse(content)
			before, after := parsed(t, archive, "before.yaml"), parsed(t, archive, "after.yaml")
			found := map[string]bool{}
			var text strings.Builder
			for _, f := range Objects("dev", before, after) {
				seen[f.Rule] = true
				found[f.Resource[strings.LastIndex(f.Resource, "/")+1:]] = true
				guarded := ""
				if f.Guarded {
					guarded = ", guarded"
				}
				fmt.Fprintf(&text, "%s (%s%s): %s\n  %s\n", f.Resource, f.Rule, guarded, f.Message, f.Remedy)
			}
			for _, o := range append(before, after...) {
				if strings.HasPrefix(o.Name, "bad-") != found[o.Name] && (strings.HasPrefix(o.Name, "ok-") || strings.HasPrefix(o.Name, "bad-")) {
					t.Errorf("%s %s: found %t", o.Kind, o.Name, found[o.Name])
				}
			}
			archive.Files[len(archive.Files)-1].Data = []byte(text.String())
			golden.Compare(t, file, txtar.Format(archive))
		})
	}
	for _, r := range objectRules() {
		if !seen[r.name] && !strings.HasPrefix(r.name, "pod-security/") { // those are Kubernetes', and tested there
			t.Errorf("no case finds %s", r.name)
		}
	}
}

// Without one side there is nothing to compare with.
func TestWholeSides(t *testing.T) {
	object := manifests.Object{APIVersion: "v1", Kind: "Namespace", Name: "a", Values: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
	all := []manifests.Object{object}
	for name, c := range map[string]struct {
		before, after []manifests.Object
		want          string
	}{
		"neither":        {nil, nil, ""},
		"an environment": {nil, all, "is new: 1 objects"},
		"no environment": {all, nil, "is no longer in the repository; its 1 objects stay in the cluster, because Flux does not apply what it cannot find"},
		"the same":       {all, all, ""},
	} {
		t.Run(name, func(t *testing.T) { check(t, Objects("dev", c.before, c.after), c.want) })
	}
}

// A namespace goes like a Deployment where all that is in it is known and has no volume.
func TestRemovedNamespaceOfAnApplication(t *testing.T) {
	inShop := func(api, kind string, spec map[string]any) manifests.Object {
		return manifests.Object{APIVersion: api, Kind: kind, Namespace: "shop", Name: "shop", Values: map[string]any{"apiVersion": api, "kind": kind, "spec": spec}}
	}
	runs, secret := inShop("apps/v1", "Deployment", nil), inShop("external-secrets.io/v1", "ExternalSecret", nil)
	stored := map[string]any{"template": map[string]any{"spec": map[string]any{"volumes": []any{map[string]any{"persistentVolumeClaim": map[string]any{"claimName": "made-by-hand"}}}}}}
	for name, c := range map[string]struct {
		in        []manifests.Object
		forbidden bool
		stay      []manifests.Object
	}{
		"pods and plain objects":     {[]manifests.Object{runs, secret}, false, nil},
		"nothing that is known":      {nil, true, nil},
		"no pods":                    {[]manifests.Object{secret}, true, nil},
		"a claim that is not here":   {[]manifests.Object{inShop("apps/v1", "Deployment", stored)}, true, nil},
		"a claim":                    {[]manifests.Object{runs, inShop("v1", "PersistentVolumeClaim", nil)}, true, nil},
		"a resource of an operator":  {[]manifests.Object{runs, inShop("postgresql.cnpg.io/v1", "Cluster", nil)}, true, nil},
		"pods that it takes with it": {[]manifests.Object{runs}, true, []manifests.Object{runs}},
	} {
		before := append([]manifests.Object{{APIVersion: "v1", Kind: "Namespace", Name: "shop", Values: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}}, c.in...)
		stays := manifests.Object{APIVersion: "v1", Kind: "Namespace", Name: "stays", Values: map[string]any{"apiVersion": "v1", "kind": "Namespace"}}
		found := Objects("dev", append(before, stays), append(c.stay, stays))
		if got := slices.ContainsFunc(found, func(f Finding) bool { return f.Resource == "dev/Namespace/shop" }); got != c.forbidden {
			t.Errorf("%s: guarded %t, want %t: %v", name, got, c.forbidden, found)
		}
	}
}

// A namespace goes when an entry names it, and only it.
func TestRemovedNamespace(t *testing.T) {
	var before []manifests.Object
	for _, name := range []string{"blog", "shop", "stays"} {
		before = append(before, manifests.Object{APIVersion: "v1", Kind: "Namespace", Name: name, Values: map[string]any{"kind": "Namespace"}})
	}
	found := Objects("dev", before, before[2:])
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	Apply("dev", found, []config.Allowance{{Resource: "dev/Namespace/blog", Until: "2026-12-01", Reason: "moved to shop"}}, now)
	var got []string
	for _, f := range found {
		got = append(got, f.Resource+" "+string(f.Verdict))
	}
	if strings.Join(got, ", ") != "dev/Namespace/shop forbidden, dev/Namespace/blog allowed" {
		t.Error(got)
	}
}

// docsHead starts docs/guides/review-rules.md.
const docsHead = `# What the review looks for in manifests

<!-- Written by "go test ./internal/review/risk -update" from the rules in internal/review/risk. Change those. -->

[The review](review.md) compares every rendered object before and after a change, those of charts included, and lists what
widens or loses. What was so before is not listed. *Forbidden* needs an entry in ` + "`allowReplacement`" + `; all else is to be
read first. Beside these rules a finding ` + "`unreadable`" + ` is an object that is not valid, and ` + "`chart-unseen`" + ` a chart that could not
be rendered: in both nothing was looked for.

| Rule | Finds | What it means | What to do |
| --- | --- | --- | --- |
`

// The guide is written from the rules.
func TestDocs(t *testing.T) {
	var text strings.Builder
	text.WriteString(docsHead)
	for _, r := range objectRules() {
		name := "`" + r.name + "`"
		if r.guarded {
			name += "<br>*forbidden*"
		}
		fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", name, r.finds, r.means, r.remedy)
	}
	golden.Compare(t, "../../../docs/guides/review-rules.md", []byte(text.String()))
}
