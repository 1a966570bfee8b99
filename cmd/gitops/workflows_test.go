package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// pinned is an action by its commit, with the version for people and for Renovate.
var pinned = regexp.MustCompile(`^[a-z0-9-]+/[a-z0-9-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

// What a pull request's code runs in has no right to write, and no job takes an action that can change under its name.
func TestWorkflows(t *testing.T) {
	files, err := filepath.Glob("../../.github/workflows/*.yml")
	if err != nil || len(files) == 0 {
		t.Fatal("no workflows", err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var w struct {
			On          map[string]any    `json:"on"`
			Permissions map[string]string `json:"permissions"`
			Jobs        map[string]struct {
				Permissions map[string]string `json:"permissions"`
				Steps       []struct {
					Uses, Run string
					With      map[string]any
				} `json:"steps"`
			} `json:"jobs"`
		}
		// YAML 1.1 reads "on" as true.
		if err := yaml.Unmarshal([]byte(strings.Replace(string(raw), "\non:", "\n\"on\":", 1)), &w); err != nil {
			t.Fatal(file, err)
		}
		if _, target := w.On["pull_request_target"]; target || len(w.On) == 0 {
			t.Errorf("%s: runs on %v", file, w.On)
		}
		for line := range strings.Lines(string(raw)) {
			if _, action, uses := strings.Cut(line, "- uses: "); uses && !pinned.MatchString(strings.TrimSpace(action)) {
				t.Errorf("%s: must be an action by its commit, with the version behind it: %s", file, action)
			}
			if strings.Contains(line, "run: ") && strings.Contains(line, "${{") {
				t.Errorf("%s: a shell must get values by its environment: %s", file, line)
			}
		}
		for name, j := range w.Jobs {
			rights := j.Permissions
			if rights == nil {
				rights = w.Permissions
			}
			writes := len(rights) == 0 // without a word GitHub gives the repository's default
			for _, right := range rights {
				writes = writes || right != "read"
			}
			for _, s := range j.Steps {
				if !strings.HasPrefix(s.Uses, "actions/checkout@") {
					continue
				}
				ref, _ := s.With["ref"].(string)
				if writes && !strings.Contains(ref, "base.sha") {
					t.Errorf("%s: job %s may write, and checks out %q", file, name, ref)
				}
				if s.With["persist-credentials"] != false {
					t.Errorf("%s: job %s leaves its token in the checkout", file, name)
				}
			}
		}
	}
}
