package pipelines

import (
	"slices"
	"testing"
)

// filters makes a pipeline of filters for pushes.
func filters(all ...GitFilter) *Pipeline {
	return &Pipeline{Name: "p", Triggers: []Trigger{{GitConfiguration: GitConfiguration{Push: all}}}}
}

func includes(patterns ...string) *Criteria { return &Criteria{Includes: patterns} }

func TestStarts(t *testing.T) {
	paths := filters(GitFilter{Branches: includes("main"), FilePaths: &Criteria{Includes: []string{"app-resources/**", "*.go"}, Excludes: []string{"**/*.md", "doc.go"}}})
	tags := filters(GitFilter{Tags: &Criteria{Includes: []string{"v*"}, Excludes: []string{"v*-rc*"}}})
	releases := filters(GitFilter{Tags: includes("*/v*")})
	either := filters(GitFilter{Branches: includes("main")}, GitFilter{Branches: &Criteria{Excludes: []string{"feature/**"}}, FilePaths: includes("a")})
	pulls := &Pipeline{Triggers: []Trigger{{GitConfiguration: GitConfiguration{PullRequest: []GitFilter{{Branches: includes("main"), Events: []string{"OPEN", "UPDATED"}}}}}}}
	none := &Pipeline{Stages: []Stage{{Actions: []Action{{ActionTypeID: ActionType{"Source", "AWS", "CodeStarSourceConnection", "1"}, Configuration: map[string]any{"BranchName": "main"}}}}}}
	manual := &Pipeline{Stages: []Stage{{Actions: []Action{{ActionTypeID: ActionType{"Source", "AWS", "CodeStarSourceConnection", "1"}, Configuration: map[string]any{"BranchName": "main", "DetectChanges": false}}}}}}
	for _, c := range []struct {
		name string
		p    *Pipeline
		c    change
		want bool
	}{
		{"a path", paths, change{Branch: "main", Files: []string{"k8s/a.yaml", "app-resources/x/y.go"}}, true},
		{"another branch", paths, change{Branch: "dev", Files: []string{"main.go"}}, false},
		{"no path", paths, change{Branch: "main", Files: []string{"k8s/a.yaml"}}, false},
		{"no file at all", paths, change{Branch: "main"}, false},
		{"only what is excluded", paths, change{Branch: "main", Files: []string{"app-resources/a.md", "doc.go"}}, false},
		{"excluded and included", paths, change{Branch: "main", Files: []string{"app-resources/a.md", "main.go"}}, true},
		{"the first push of a branch", paths, change{Branch: "main", New: true}, false},
		{"the first push, without paths", either, change{Branch: "main", New: true}, true},
		{"a tag for branches", paths, change{Tag: "main"}, false},
		{"a tag", tags, change{Tag: "v1"}, true},
		{"an excluded tag", tags, change{Tag: "v1-rc1"}, false},
		{"a branch for tags", tags, change{Branch: "v1"}, false},
		{"a release", releases, change{Tag: "npm/v1.2.3"}, true},
		{"a release that is no version", releases, change{Tag: "npm/vnext"}, true},
		{"a tag without a service", releases, change{Tag: "v1.2.3"}, false},
		{"a tag of a folder", releases, change{Tag: "team/npm/v1.2.3"}, false},
		{"a version of a folder", releases, change{Tag: "npm/v1/2"}, false},
		{"another tag", releases, change{Tag: "npm/1.2.3"}, false},
		{"a branch like a release", releases, change{Branch: "npm/v1.2.3", Files: []string{"a"}}, false},
		{"a pull request of such a branch", releases, change{Branch: "main", PullRequest: "OPEN", Files: []string{"a"}}, false},
		{"the first of two filters", either, change{Branch: "main", Files: []string{"b"}}, true},
		{"the second of two filters", either, change{Branch: "dev", Files: []string{"a"}}, true},
		{"neither of two filters", either, change{Branch: "feature/x", Files: []string{"a"}}, false},
		{"a pull request", pulls, change{Branch: "main", PullRequest: "OPEN"}, true},
		{"another event", pulls, change{Branch: "main", PullRequest: "CLOSED"}, false},
		{"a pull request elsewhere", pulls, change{Branch: "production", PullRequest: "OPEN"}, false},
		{"a push for pull requests", pulls, change{Branch: "main", Files: []string{"a"}}, false},
		{"a pull request for pushes", paths, change{Branch: "main", PullRequest: "OPEN", Files: []string{"main.go"}}, false},
		{"no trigger", none, change{Branch: "main", Files: []string{"a"}}, true},
		{"no trigger, another branch", none, change{Branch: "dev", Files: []string{"a"}}, false},
		{"no trigger and no detection", manual, change{Branch: "main", Files: []string{"a"}}, false},
	} {
		if got, err := c.p.starts(c.c); err != nil || got != c.want {
			t.Errorf("%s: %t, %v", c.name, got, err)
		}
	}
	if _, err := filters(GitFilter{Branches: includes("a{")}).starts(change{Branch: "a"}); err == nil {
		t.Error("a bad pattern is accepted")
	}
}

func TestChangesOf(t *testing.T) {
	files, against := []string{"a"}, []string{"b"}
	for _, c := range []struct {
		ref              string
		created, deleted bool
		want             []change
	}{
		{"refs/heads/main", false, false, []change{{Branch: "main", Files: files}}},
		{"refs/heads/x/y", true, false, []change{{Branch: "x/y", Files: files, New: true}, {Branch: "main", PullRequest: "OPEN", Files: against}}},
		{"refs/heads/x", false, false, []change{{Branch: "x", Files: files}, {Branch: "main", PullRequest: "UPDATED", Files: against}}},
		{"refs/heads/x", false, true, []change{{Branch: "main", PullRequest: "CLOSED", Files: against}}},
		{"refs/heads/main", false, true, nil},
		{"refs/heads/released/dev", false, false, []change{{Branch: "released/dev", Files: files}}},
		{"refs/tags/v1", true, false, []change{{Tag: "v1"}}},
		{"refs/tags/v1", false, true, nil},
		{"refs/notes/x", true, false, nil},
	} {
		got := changesOf(c.ref, "main", c.created, c.deleted, files, against)
		if !slices.EqualFunc(got, c.want, func(a, b change) bool {
			return a.Branch == b.Branch && a.Tag == b.Tag && a.PullRequest == b.PullRequest && a.New == b.New && slices.Equal(a.Files, b.Files)
		}) {
			t.Errorf("%s: %+v", c.ref, got)
		}
	}
}
