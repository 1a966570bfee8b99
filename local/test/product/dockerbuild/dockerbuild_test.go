// Package dockerbuild tests the image's recipe with the programs of this machine: it pins what the local system pins, and a
// bad scan keeps the tag away.
package dockerbuild

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/cachedir"
	"k8s-plus-aws-gitops/local/endpoint/moto"
	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/platform"
)

// folder is the recipe.
const folder = "../../../../dockerbuild/"

// The image is made of what the local system runs.
func TestPinsAreTheLocalSystems(t *testing.T) {
	const root = "../../../.."
	declared, err := platform.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	applications := declared.Applications()
	i := slices.IndexFunc(applications, func(a npm.Application) bool { return a.Package == "ghost" })
	if i < 0 {
		t.Fatalf("%s has no ghost", platform.File)
	}
	var tools struct{ Dependencies map[string]string }
	content, err := os.ReadFile(root + "/local/npm/package.json")
	if err == nil {
		err = json.Unmarshal(content, &tools)
	}
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := os.ReadFile(folder + "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"NODE_VERSION": tools.Dependencies["node"], "PNPM_VERSION": tools.Dependencies["pnpm"],
		"GHOST_VERSION": applications[i].Version, "GHOST_INTEGRITY": applications[i].Integrity,
	} {
		match := regexp.MustCompile(`(?m)^ARG ` + name + `=(.*)$`).FindStringSubmatch(string(recipe))
		if match == nil || match[1] != want {
			t.Errorf("Dockerfile: ARG %s is %q, the local system has %s", name, match, want)
		}
	}
}

// publish runs publish.js with the real AWS CLI against the stub, with a list of accepted findings.
func publish(t *testing.T, stub *ecrStub, accepted string) (output string, err error) {
	t.Helper()
	return run(t, stub, accepted, "publish.js", "dev/ghost", "build-1", "20261120113000-0123456789ab")
}

// run runs one of the scripts.
func run(t *testing.T, stub *ecrStub, accepted, script string, args ...string) (output string, err error) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH")
	}
	// Read, so that a change of the script is a change of the test for `go test`, which keeps results.
	for _, name := range []string{"publish.js", "scan.js"} {
		if _, err := os.ReadFile(folder + name); err != nil {
			t.Fatal(err)
		}
	}
	stub.t = t
	dir := t.TempDir()
	list := filepath.Join(dir, "accepted.json")
	if err := os.WriteFile(list, []byte(accepted), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(folder+script, args...)
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(cli(t))+":"+os.Getenv("PATH"), "SCAN_TRIES=3", "SCAN_PAUSE=0", "SCAN_ACCEPTED="+list,
		"AWS_ENDPOINT_URL="+stub.serve(), "AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test", "AWS_DEFAULT_REGION=eu-west-1", "AWS_CONFIG_FILE=/dev/null", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// cli is the AWS CLI of the local system's builds: the machine's, or the pinned one in the cache outside the checkout.
func cli(t *testing.T) string {
	t.Helper()
	cache, err := cachedir.Dir()
	if err != nil {
		t.Fatal(err)
	}
	path, err := moto.EnsureCLI(t.Context(), cache, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// More findings than a page holds, none of which is refused, on an image whose scan begins late and is throttled.
func TestPublish(t *testing.T) {
	stub := &ecrStub{findings: map[string][]finding{"arm64": many(150), "amd64": many(250)}, before: []string{"ScanNotFoundException", "ThrottlingException", "status IN_PROGRESS"}}
	// Beside the repository's own list: a broken one would show when the next image is published.
	own, err := os.ReadFile(folder + "accepted.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []any
	if err := json.Unmarshal(own, &list); err != nil {
		t.Fatalf("accepted.json: %v", err)
	}
	accepted, err := json.Marshal(append(list, map[string]string{"name": "CVE-1999-0001", "package": "gone", "reason": "was there once", "until": "2999-01-01"}))
	if err != nil {
		t.Fatal(err)
	}
	output, err := publish(t, stub, string(accepted))
	if err != nil || stub.put == nil {
		t.Fatalf("publish.js fails, or gives no tag: %v: %s", err, output)
	}
	var index struct {
		MediaType string
		Manifests []struct {
			Digest   string
			Size     int
			Platform struct{ Architecture, OS string }
		}
	}
	if err := json.Unmarshal([]byte(stub.put.ImageManifest), &index); err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 || index.Manifests[0].Digest != "sha256:arm64" || index.Manifests[1].Platform.Architecture != "amd64" || index.Manifests[1].Size == 0 || index.MediaType != stub.put.ImageManifestMediaType {
		t.Errorf("index: %+v", stub.put)
	}
	if stub.put.RepositoryName != "dev/ghost" || stub.put.ImageTag != "20261120113000-0123456789ab" {
		t.Errorf("put-image %+v", stub.put)
	}
	for _, architecture := range []string{"arm64", "amd64"} {
		if stub.asked["sha256:"+architecture] != 4 {
			t.Errorf("the findings of %s were asked for %d times, want 4: until the scan is complete", architecture, stub.asked["sha256:"+architecture])
		}
	}
	if want := "accepted.json: CVE-1999-0001 in gone matches nothing that was found; remove it"; !strings.Contains(output, want) {
		t.Errorf("lacks %q: %s", want, output)
	}
}

// accepted is a list that accepts a finding in a package until a date.
func accepted(pkg, until string) string {
	return `[{"name": "CVE-2023-45853", "package": "` + pkg + `", "reason": "minizip is not built", "until": "` + until + `"}]`
}

// Nothing gets a tag when one architecture has findings that are refused, or was not scanned to its end. Each call of the
// CLI takes half a second, so a case looks at much at once.
func TestPublishRefuses(t *testing.T) {
	critical := func(pkg string) finding { return finding{"CVE-2023-45853", "CRITICAL", pkg} }
	join := func(a, b string) string { return strings.TrimSuffix(a, "]") + "," + strings.TrimPrefix(b, "[") }
	for _, c := range []struct {
		name     string
		stub     ecrStub
		accepted string
		want     []string // in the output of a refusal; none: it gets its tag
	}{
		{"critical findings on the second page", ecrStub{lost: 1, findings: map[string][]finding{"arm64": {}, "amd64": append(many(120), critical("zlib"), critical("old"), critical("other"), critical("lost"))}},
			join(accepted("zlib", "2999-01-01"), accepted("old", "2024-01-31")), []string{
				"dev/ghost:build-1-amd64: CVE-2023-45853 in zlib is accepted until 2999-01-01: minizip is not built",
				"publish.js: CVE-2023-45853 in old of dev/ghost:build-1-amd64 was accepted until 2024-01-31 (minizip is not built); update the package",
				"publish.js: CVE-2023-45853 of severity CRITICAL in other of dev/ghost:build-1-amd64; update the base image",
				"publish.js: 1 findings of severity CRITICAL in dev/ghost:build-1-amd64 that ECR counts and does not list",
			}},
		{"accepted, found by Inspector", ecrStub{findings: map[string][]finding{"arm64": {}, "amd64": append(many(120), critical("zlib"))}, enhanced: true, status: "ACTIVE"}, accepted("zlib", "2999-01-01"), nil},
		{"a list without a reason", ecrStub{}, `[{"name": "CVE-2023-45853", "package": "zlib"}]`, []string{"accepted.json: entry 1 (CVE-2023-45853) has no reason"}},
		{"a list without a date", ecrStub{}, accepted("zlib", "next year"), []string{"accepted.json: CVE-2023-45853: until must be a date, YYYY-MM-DD, got next year"}},
		{"no scan", ecrStub{findings: map[string][]finding{"arm64": {}}}, `[]`, []string{"publish.js: no scan of dev/ghost:build-1-amd64 after 3 tries (ScanNotFoundException); is scan on push enabled for the repository?"}},
		{"an image that ECR cannot scan", ecrStub{before: []string{"status UNSUPPORTED_IMAGE"}}, `[]`, []string{"publish.js: the scan of dev/ghost:build-1-arm64 ended with UNSUPPORTED_IMAGE: by the stub; look at it in ECR"}},
		{"no right to read findings", ecrStub{before: []string{"AccessDeniedException"}}, `[]`, []string{"publish.js: aws ecr describe-image-scan-findings: An error occurred (AccessDeniedException)"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			output, err := publish(t, &c.stub, c.accepted)
			if tagged := c.stub.put != nil; tagged != (c.want == nil) || (err == nil) != (c.want == nil) {
				t.Errorf("gives a tag: %t, want %t: %v: %s", tagged, c.want == nil, err, output)
			}
			for _, want := range c.want {
				if !strings.Contains(output, want) {
					t.Errorf("lacks %q: %s", want, output)
				}
			}
		})
	}
}

// What takes an image over asks for the scan alone, by digests, and is told the same.
func TestScan(t *testing.T) {
	critical := map[string][]finding{"arm64": {{"CVE-2023-45853", "CRITICAL", "zlib"}}, "amd64": many(2)}
	list := accepted("zlib", "2999-01-01")
	if output, err := run(t, &ecrStub{findings: critical}, list, "scan.js", "dev/ghost", "sha256:arm64", "sha256:amd64"); err != nil || !strings.Contains(output, "dev/ghost@sha256:amd64: ") {
		t.Errorf("an accepted finding: %v, %s", err, output)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"refused": {[]string{"dev/ghost", "sha256:amd64", "sha256:arm64"}, "scan.js: CVE-2023-45853 of severity CRITICAL in zlib of dev/ghost@sha256:arm64; update the base image"},
		"usage":   {[]string{"dev/ghost"}, "scan.js: usage: "},
	} {
		if output, err := run(t, &ecrStub{findings: critical}, "[]", "scan.js", c.args...); err == nil || !strings.Contains(output, c.want) {
			t.Errorf("%s: got %v, %s, want %q", name, err, output, c.want)
		}
	}
}
