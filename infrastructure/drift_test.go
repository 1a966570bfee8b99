package infrastructure

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/fixture"
)

var typeOf = regexp.MustCompile(`(?m)^apiVersion: (\S+)\nkind: (\S+)$`)

// Whoever looks for drift may list each kind that Flux applies, and no Secrets.
func TestDriftReadersListWhatIsApplied(t *testing.T) {
	listed := map[string]bool{}
	for _, of := range applied {
		for _, resource := range of.resources {
			listed[of.group+"/"+resource.(string)] = true
		}
	}
	if listed["/secrets"] {
		t.Error("it may read Secrets")
	}
	root, seen := fixture.Root(t), 0
	for _, dir := range []string{filepath.Join(root, "k8s", "platform"), filepath.Join(fixture.Dir(t), "k8s"), filepath.Join(root, "services", "testdata")} {
		err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
				return err
			}
			content, err := os.ReadFile(path)
			for _, found := range typeOf.FindAllStringSubmatch(string(content), -1) {
				group, _, _ := strings.Cut(found[1], "/")
				if !strings.Contains(found[1], "/") {
					group = ""
				}
				if strings.HasPrefix(group, "kustomize.config.") || group == "gitops" { // read by kustomize, or by the tool
					continue
				}
				seen++
				if resource := plural(found[2]); !listed[group+"/"+resource] {
					t.Errorf("%s: Flux applies %s of %q, which infrastructure/drift.go does not list", path, resource, group)
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 30 {
		t.Errorf("only %d objects were found", seen)
	}
}

// plural is the name of a kind's resource.
func plural(kind string) string {
	name := strings.ToLower(kind)
	switch {
	case strings.HasSuffix(name, "policy"):
		return strings.TrimSuffix(name, "y") + "ies"
	case strings.HasSuffix(name, "ry"):
		return strings.TrimSuffix(name, "y") + "ies"
	case strings.HasSuffix(name, "ss"):
		return name + "es"
	}
	return name + "s"
}

// The group is there where a schedule looks, with a right to list alone.
func TestDriftReaders(t *testing.T) {
	for schedule, want := range map[string]bool{"rate(1 day)": true, config.DriftOff: false} {
		env := cdktest.Environment(t)
		env.Drift.Schedule = schedule
		if got := strings.Contains(bootstrapped(t, env), config.DriftGroup); got != want {
			t.Errorf("%s: the group is there: %t", schedule, got)
		}
	}
	for _, repair := range []bool{false, true} {
		env := cdktest.Environment(t)
		env.Drift.Repair = repair
		more := 0
		for _, rule := range driftReaders(env)[0]["rules"].([]any) {
			if verbs := rule.(map[string]any)["verbs"].([]any); !slices.Equal(verbs, []any{"list"}) {
				more++
			}
		}
		if want := map[bool]int{true: 2}[repair]; more != want {
			t.Errorf("repair %t: %d rules allow more than to list, want %d", repair, more, want)
		}
	}
}
