package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/services/publish"
	"k8s-plus-aws-gitops/internal/status"
)

// releasing is a checkout whose environment integration publishes by merge, with the service npm, and the repositories of the
// platform and of the manifests, which git takes for those on GitHub.
func releasing(t *testing.T) (dir, platform, manifests string) {
	t.Helper()
	dir, manifests, app := fleetCheckout(t)
	platform = filepath.Join(t.TempDir(), "platform.git")
	gitIn(t, dir, "init", "-q", "--bare", platform)
	put(t, filepath.Dir(platform), "gitconfig", fmt.Sprintf("[url %q]\n\tinsteadOf = https://github.com/my-company/platform.git\n[url %q]\n\tinsteadOf = https://github.com/my-company/manifests.git\n", platform, manifests))
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": filepath.Join(filepath.Dir(platform), "gitconfig"), "RELEASE_TOKEN_SECRET": "", "MANIFESTS_TOKEN_SECRET": "", "PIPELINE_EXECUTION_ID": "",
	} {
		t.Setenv(name, value)
	}
	put(t, dir, ".gitignore", "/bin/\n/node_modules/\n/*.env\n")
	put(t, dir, "Makefile", "node_modules/.package-lock.json:\n\t@mkdir -p node_modules && touch $@\nbin/services: "+app+"\n\t@mkdir -p bin && cp $< $@\n")
	if says := gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0"); !strings.Contains(says, "Their merge publishes it to integration; to others publish with") {
		t.Errorf("says %s", says)
	}
	gitops(t, 0, "service", "add", "info", "--image", "ghcr.io/nodezoo/info:1.0.0")
	return dir, platform, manifests
}

// image changes that of a service, and commits.
func image(t *testing.T, dir, service, version string) string {
	t.Helper()
	put(t, dir, "k8s/services/"+service+".yaml", "image: ghcr.io/nodezoo/"+service+":"+version+"\nport: 8080\n")
	return commitIn(t, dir)
}

// A release publishes what it is told, before its branch moves, and tells who verifies what it was. Once more it publishes
// nothing, an earlier commit changes nothing, and a rollback takes back what the later commit has published and nothing else.
func TestReleasePublishes(t *testing.T) {
	dir, platform, manifests := releasing(t)
	one := image(t, dir, "npm", "1.0.0")
	release := func(code int, args ...string) (said, told string) {
		t.Helper()
		said = gitops(t, code, append([]string{"release", "integration", "--variables", "release.env"}, args...)...)
		content, err := os.ReadFile("release.env")
		if err != nil && code == 0 {
			t.Fatal(err)
		}
		told = strings.TrimSuffix(strings.TrimPrefix(string(content), "PUBLISHED='"), "'\n")
		return said, told
	}
	tip := func(repository, branch string) string {
		return gitIn(t, repository, "for-each-ref", "--format=%(objectname)", "refs/heads/"+branch)
	}
	runs := func(service string) string {
		return gitIn(t, manifests, "show", "integration/"+service+":"+service+".k8s.yaml")
	}
	published := func(services ...string) string {
		var all []status.Published
		for _, s := range services {
			all = append(all, status.Published{Service: s, Commit: tip(manifests, "integration/"+s)})
		}
		return status.FormatPublished(all)
	}

	said, told := release(0, "--services", "info npm")
	if want := published("info", "npm"); told != want || !strings.Contains(said, "npm integration/npm@") || !strings.Contains(said, "released/integration is made at "+one[:12]) || tip(platform, "released/integration") != one {
		t.Errorf("the first: told %q, want %q; %s", told, want, said)
	}
	if message := gitIn(t, manifests, "log", "-1", "--format=%B", "integration/npm"); !strings.Contains(message, "Source-Commit: "+one) {
		t.Errorf("the source: %s", message)
	}
	// A second try says what the first has published, so that the verification waits for it.
	if again, toldAgain := release(0, "--services", "info npm"); toldAgain != told || !strings.Contains(again, "2 of 2 are as they were published") {
		t.Errorf("once more: told %q; %s", toldAgain, again)
	}

	two := image(t, dir, "npm", "2.0.0")
	if said := gitops(t, 0, "release", "integration", "--dry-run"); !strings.Contains(said, "'gitops plan integration' lists them") {
		t.Errorf("by hand, without names: %s", said)
	}
	if said, told = release(0, "--services", "npm"); told != published("npm") || !strings.Contains(runs("npm"), "npm:2.0.0") {
		t.Errorf("the next: told %q; %s", told, said)
	}
	gitIn(t, dir, "checkout", "-q", one)
	if said, told = release(0, "--services", "npm"); told != "none" || !strings.Contains(runs("npm"), "npm:2.0.0") || tip(platform, "released/integration") != two {
		t.Errorf("an execution that is run again: told %q; %s", told, said)
	}
	pipelineOf := func(id, failed string) {
		pipelineAnswering(t, map[string]string{
			"one": `{"executionType": "STANDARD", "artifactRevisions": [{"name": "Source", "revisionId": "` + one + `"}]}`,
			"two": `{"executionType": "STANDARD", "artifactRevisions": [{"name": "Source", "revisionId": "` + two + `"}]}`,
			"back": `{"executionType": "ROLLBACK", "rollbackMetadata": {"rollbackTargetPipelineExecutionId": "one"},
				"trigger": {"triggerType": "AutomatedRollback", "triggerDetail": "{\"FailedPipelineExecutionId\":\"` + failed + `\"}"}}`,
		})
		t.Setenv("PIPELINE_EXECUTION_ID", id)
	}
	pipelineOf("back", "two")
	before := tip(manifests, "integration/info")
	if said, told = release(0, "--services", "info"); told != published("info", "npm") || !strings.Contains(runs("npm"), "npm:1.0.0") || tip(manifests, "integration/info") != before || tip(platform, "released/integration") != one {
		t.Errorf("a rollback: told %q; %s", told, said)
	}
}

// Where a publication fails, the branch stays, so that the next plan finds the services again.
func TestReleaseThatCannotPublish(t *testing.T) {
	dir, platform, manifests := releasing(t)
	image(t, dir, "npm", "1.0.0")
	if err := os.RemoveAll(manifests); err != nil {
		t.Fatal(err)
	}
	if said := gitops(t, 1, "release", "integration", "--services", "npm"); !strings.Contains(said, "manifests repository https://github.com/my-company/manifests.git") {
		t.Errorf("says %s", said)
	}
	if refs := gitIn(t, platform, "for-each-ref"); refs != "" {
		t.Errorf("released: %s", refs)
	}
	for args, want := range map[string]string{
		"dev --services npm":                         "dev publishes services by tag",
		"integration --services npm --commit HEAD^ ": "is checked out",
	} {
		code := 1
		if strings.HasPrefix(args, "dev") {
			code = 2
		}
		image(t, dir, "npm", "1.0.1")
		if said := gitops(t, code, append([]string{"release"}, strings.Fields(args)...)...); !strings.Contains(said, want) {
			t.Errorf("%s says %s, want %q", args, said, want)
		}
	}
}

// Without the gate nothing is released, and what an environment publishes by merge is published.
func TestReleaseWithoutTheGatePublishes(t *testing.T) {
	dir, platform, manifests := releasing(t)
	content, err := os.ReadFile(filepath.Join(dir, "cdk.json"))
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "cdk.json", strings.ReplaceAll(string(content), `"rollback": true`, `"gate": false`))
	image(t, dir, "npm", "1.0.0")
	said := gitops(t, 0, "release", "integration", "--services", "npm")
	if !strings.Contains(said, "npm integration/npm@") || !strings.Contains(said, "integration has no release") || gitIn(t, manifests, "for-each-ref") == "" || gitIn(t, platform, "for-each-ref") != "" {
		t.Errorf("says %s", said)
	}
	// A tag is of no merged commit.
	gitIn(t, dir, "tag", "npm/v1.0.0")
	if said := gitops(t, 0, "service", "publish", "--release", "-e", "integration"); !strings.Contains(said, "integration publishes what is merged") {
		t.Errorf("a tag: %s", said)
	}
}

// Names that are too many for a variable of CodePipeline are left out with a word.
func TestTellWhatWasPublished(t *testing.T) {
	var results []publish.Result
	for i := range 60 {
		results = append(results, publish.Result{Service: fmt.Sprintf("service-%d", i), Commit: strings.Repeat("a", 40), Source: "this"})
	}
	results = append(results, publish.Result{Service: "other", Commit: strings.Repeat("b", 40), Source: "earlier"})
	f := &releaseFlags{variables: filepath.Join(t.TempDir(), "release.env")}
	cmd := newRelease()
	var said strings.Builder
	cmd.SetErr(&said)
	if err := f.tell(cmd, "dev", results, "this"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(f.variables)
	if err != nil || len(content) > longest+len("PUBLISHED=''\n") || strings.Contains(string(content), "other@") {
		t.Errorf("%d characters: %s, %v", len(content), content, err)
	}
	if told := strings.Count(string(content), "@"); !strings.Contains(said.String(), fmt.Sprintf("%d of 60 services are more than the verification waits for; see: gitops service status --env dev\n", 60-told)) {
		t.Errorf("says %q of %d", said.String(), told)
	}
}
