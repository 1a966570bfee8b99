package main

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// twoStepEnvironment is the environment that the two-step tests change.
const twoStepEnvironment = "production"

// list is a list of the configuration: what it holds before the change, and an element to put in front.
type list struct {
	elements []any
	fresh    any
	// rotate is true when a change must keep the number of elements, so that adding in front drops the last.
	rotate bool
}

// twoStepLists are all lists of the configuration by path, below an environment or "repository".
var twoStepLists = map[string]list{
	"repository.verify":            {elements: []any{"keys/alice.asc", "keys/bob.asc"}, fresh: "keys/carol.asc"},
	"repository.paths.deploy":      {elements: []any{"infrastructure/**", "config/**", "cdk.json"}, fresh: "internal/**"},
	"repository.paths.dockerbuild": {elements: []any{"dockerbuild/**", "images/**"}, fresh: "docker/**"},
	"network.zones":                {elements: []any{"a", "b", "c"}, fresh: "d", rotate: true},
	"network.endpoints":            {elements: []any{"ecr.api", "ecr.dkr", "sts"}, fresh: "logs"},
	"cluster.publicAccessCidrs":    {elements: []any{"203.0.113.0/24", "198.51.100.0/24"}, fresh: "192.0.2.0/24"},
	"cluster.admins":               {elements: []any{principal("Admin"), principal("Second")}, fresh: principal("Third")},
	"cluster.viewers":              {elements: []any{principal("Developer"), principal("Auditor")}, fresh: principal("Guest")},
	"nodes.instanceTypes":          {elements: []any{"m7g.large", "m6g.large"}, fresh: "r7g.large"},
	"backup.drill.services":        {elements: []any{"ghost", "orders"}, fresh: "billing"},
	"delivery.window.days":         {elements: []any{"MON", "TUE"}, fresh: "WED"},
	"delivery.window.frozen":       {elements: []any{"2026-12-24", "2026-12-20/2027-01-03"}, fresh: "2027-04-02"},
	"delivery.notify":              {elements: []any{"a@example.com", "b@example.com"}, fresh: "c@example.com"},
	"rehearsal.data":               {elements: []any{filled("ghost"), filled("orders")}, fresh: filled("billing")},
	"allowReplacement":             {elements: []any{allowance("X"), allowance("Y")}, fresh: allowance("Z")},
}

// principal is the ARN of a role of the environment's account.
func principal(role string) string { return "arn:aws:iam::333333333333:role/" + role }

// filled is an entry of rehearsal.data.
func filled(database string) any {
	return map[string]any{"database": database, "generate": []any{"hack/fill"}}
}

// allowance is an entry of allowReplacement.
func allowance(id string) any {
	return map[string]any{"resource": twoStepEnvironment + "/ghost/" + id, "until": "2030-01-31", "reason": "restored from a snapshot"}
}

// twoStepMoves are the pairs of lists between which elements may move.
var twoStepMoves = [][2]string{{"cluster.admins", "cluster.viewers"}, {"repository.paths.dockerbuild", "repository.paths.deploy"}}

// Replacements that a change of a list makes on purpose: prefix of a finding, and the reason.
var twoStepListReasons = map[string]map[string]string{
	"network.zones": {
		"production-network/":      "EKS takes no other set of zones for a cluster that exists, so the update stops; the review forbids it (docs/guides/upgrade.md)",
		"production-cluster/Nodes": "follows the subnets, see network.zones",
	},
	"nodes.instanceTypes": {"production-cluster/Nodes": nodesReason},
}

const nodesReason = "EKS cannot change it in a node group: CloudFormation makes a second group, which has a generated name, before it drains the first"

// paths walks a struct of the configuration and returns the paths of its leaves with their types. Fields of kind list are
// leaves; the fields of the elements are not walked.
func paths(s reflect.Type, prefix string) map[string]reflect.Type {
	found := map[string]reflect.Type{}
	for i := range s.NumField() {
		key := s.Field(i).Tag.Get("json")
		if key == "-" {
			continue
		}
		kind := s.Field(i).Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct {
			maps.Copy(found, paths(kind, prefix+key+"."))
		} else {
			found[prefix+key] = kind
		}
	}
	return found
}

// twoStepPaths are the leaves of an environment and of the repository.
func twoStepPaths() map[string]reflect.Type {
	found := paths(reflect.TypeFor[config.Environment](), "")
	maps.Copy(found, paths(reflect.TypeFor[config.Repository](), "repository."))
	return found
}

// twoStepContext is the tests' configuration, with the environment alone and its lists filled, after the edits.
func twoStepContext(t testing.TB, edits map[string]any) map[string]any {
	t.Helper()
	context := sample(t)
	context["@aws-cdk/core:validateAgainstDefaultRules"] = false // TestGoldenTemplates validates
	gitops := context["gitops"].(map[string]any)
	all := gitops["environments"].(map[string]any)
	// The local one is there because rehearsals need it.
	gitops["environments"] = map[string]any{twoStepEnvironment: all[twoStepEnvironment], config.LocalEnvironment: all[config.LocalEnvironment]}
	setPath(gitops, "delivery.imagesFrom", nil) // whose environment is not here
	setPath(gitops, "region", "us-east-1")      // it has more zones than the three of an environment
	for path, l := range twoStepLists {
		setPath(gitops, path, l.elements)
	}
	for _, path := range slices.Sorted(maps.Keys(edits)) { // an object before what is in it
		value := edits[path]
		setPath(gitops, path, value)
	}
	// As it comes from a file: numbers are float64.
	content, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(content, &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

// setPath sets a value below the environment, or below the repository. Nil removes the key.
func setPath(gitops map[string]any, path string, value any) {
	keys := strings.Split(path, ".")
	object := gitops["environments"].(map[string]any)[twoStepEnvironment].(map[string]any)
	if keys[0] == "repository" {
		object = gitops
	}
	for _, key := range keys[:len(keys)-1] {
		next, ok := object[key].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[key] = next
		}
		object = next
	}
	if last := keys[len(keys)-1]; value == nil {
		delete(object, last)
	} else {
		object[last] = value
	}
}

// twoStepTemplates synthesizes the environment after the edits.
func twoStepTemplates(t testing.TB, edits map[string]any) map[string]template {
	t.Helper()
	context := twoStepContext(t, edits)
	return read(t, synthesize(t, context, environments(t, context, twoStepEnvironment), false))
}

var (
	twoStepOnce sync.Once
	twoStepBase map[string]template
)

// unchanged are the templates before the changes, synthesized once.
func unchanged(t testing.TB) map[string]template {
	t.Helper()
	twoStepOnce.Do(func() { twoStepBase = twoStepTemplates(t, nil) })
	if twoStepBase == nil {
		t.Fatal("the environment of the two-step tests does not synthesize; see the first failure")
	}
	return twoStepBase
}

// change is one change of the configuration.
type change struct {
	name  string
	edits map[string]any
	// reasons for findings that are meant: prefix of the finding, and why.
	reasons map[string]string
}

// check makes all changes at once, which is one synthesis; when something is found, each by itself, to name the one that
// makes it.
func check(t *testing.T, before map[string]template, changes []change) {
	t.Helper()
	all := unexplained(t, before, changes)
	if len(all) == 0 {
		return
	}
	named := false
	for _, c := range changes {
		for _, line := range unexplained(t, before, []change{c}) {
			t.Errorf("%s: %s", c.name, line)
			named = true
		}
	}
	if !named {
		t.Errorf("all changes together: %s", strings.Join(all, "\n"))
	}
}

// unexplained makes the changes together and returns the findings without a reason, and the reasons without a finding.
func unexplained(t testing.TB, before map[string]template, changes []change) []string {
	t.Helper()
	edits, reasons := map[string]any{}, map[string]string{}
	for _, c := range changes {
		maps.Copy(edits, c.edits)
		maps.Copy(reasons, c.reasons)
	}
	var lines []string
	used := map[string]bool{}
	for _, f := range (step{before, twoStepTemplates(t, edits)}).findings(t) {
		excused := false
		for prefix := range reasons {
			if strings.HasPrefix(f.String(), prefix) {
				excused, used[prefix] = true, true
			}
		}
		if !excused {
			lines = append(lines, f.String())
		}
	}
	for _, prefix := range slices.Sorted(maps.Keys(reasons)) {
		if !used[prefix] {
			lines = append(lines, "nothing is found at "+prefix+" any more; remove the reason")
		}
	}
	return lines
}

// Every change of a list is an update in place, or has a reason.
func TestTwoStepLists(t *testing.T) {
	known := twoStepPaths()
	for path, kind := range known {
		if _, has := twoStepLists[path]; kind.Kind() == reflect.Slice && !has {
			t.Errorf("%s is a list of the configuration without a row in twoStepLists: give it elements", path)
		}
	}
	for path := range twoStepLists {
		if kind, is := known[path]; !is || kind.Kind() != reflect.Slice {
			t.Errorf("twoStepLists: %s is no list of the configuration; remove the row", path)
		}
	}
	before := unchanged(t)
	for name, edit := range map[string]func(list) []any{
		"reorder":          func(l list) []any { return append(slices.Clone(l.elements[1:]), l.elements[0]) },
		"remove the first": func(l list) []any { return l.elements[1:] },
		"add one in front": func(l list) []any {
			added := append([]any{l.fresh}, l.elements...)
			if l.rotate {
				return added[:len(l.elements)]
			}
			return added
		},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []change
			for path, l := range twoStepLists {
				c := change{name: path, edits: map[string]any{path: edit(l)}, reasons: twoStepListReasons[path]}
				if path == "network.zones" && name == "reorder" {
					c.reasons = nil
				}
				changes = append(changes, c)
			}
			check(t, before, changes)
		})
	}
	t.Run("move", func(t *testing.T) {
		edits := map[string]any{}
		for _, pair := range twoStepMoves {
			from, to := twoStepLists[pair[0]].elements, twoStepLists[pair[1]].elements
			edits[pair[0]] = append([]any{to[0]}, from[1:]...)
			edits[pair[1]] = append([]any{from[0]}, to[1:]...)
		}
		check(t, before, []change{{name: "change places", edits: edits}})
	})
}
