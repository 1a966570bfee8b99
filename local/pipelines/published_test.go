package pipelines

import (
	"os"
	"path/filepath"
	"testing"
)

// buildspecOf is one of the product's.
func buildspecOf(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "infrastructure", "delivery", "buildspecs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// tool stands for bin/gitops of the plan: it notes how it is called, and says what a release has published.
const tool = `#!/bin/sh
printf '%s|' "$@" >> "$OUT/$1"
if [ "$1" = release ]; then echo "PUBLISHED='$(cat "$OUT/publishes")'" > release.env; fi
`

// The product's buildspecs hand the plan's services to the release, and what that has published to the verification of the same
// stage.
func TestReleaseTellsWhatItPublished(t *testing.T) {
	for name, c := range map[string]struct{ services, published, release, status string }{
		"two services": {"npm orders", "npm@0123456789ab orders@ba9876543210", "release|local|--services|npm orders|--variables|release.env|",
			"status|local|--commit|COMMIT|--only|kubernetes|--published|npm@0123456789ab orders@ba9876543210|--wait|"},
		"none": {"", "none", "release|local|--services||--variables|release.env|", "status|local|--commit|COMMIT|--only|kubernetes|--published|none|--wait|"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			if err := os.WriteFile(filepath.Join(w.dir, "publishes"), []byte(c.published), 0o600); err != nil {
				t.Fatal(err)
			}
			plan := w.project("plan", "version: 0.2\nphases: {build: {commands: [\"mkdir bin && cp p/gitops bin/gitops && printf \\\"SERVICES='"+c.services+"'\\\" > plan.env\"]}}\nartifacts: {files: [bin/gitops, plan.env]}\n")
			plan.OutputArtifacts = []Artifact{{"Plan"}}
			environment := Variable{Name: "ENVIRONMENT", Value: "local"}
			release := w.project("release", buildspecOf(t, "release.yml"), environment)
			release.Namespace, release.InputArtifacts = "Release", append(release.InputArtifacts, plan.OutputArtifacts...)
			release.Configuration["PrimarySource"] = "Source"
			verify := w.project("verify", buildspecOf(t, "verify.yml"), environment, Variable{Name: "COMMIT", Value: "COMMIT"}, Variable{Name: "PUBLISHED", Value: "#{Release.PUBLISHED}"})
			verify.InputArtifacts, verify.RunOrder = plan.OutputArtifacts, 2
			w.define("p", "QUEUED", "", stage("Plan", plan), stage("Release", release, verify))
			w.start()
			w.wait("p", w.push(map[string]string{"p/gitops": tool}), Succeeded)
			if got := w.file("release"); got != c.release {
				t.Errorf("release is called as %q, want %q", got, c.release)
			}
			if got := w.file("status"); got != c.status {
				t.Errorf("status is called as %q, want %q", got, c.status)
			}
		})
	}
}
