// Package dockerbuild tests the image's recipe: it pins what the local system pins, and a bad scan keeps the tag away.
package dockerbuild

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The image is made of what the local system runs.
func TestPinsAreTheLocalSystems(t *testing.T) {
	var local struct {
		Config       struct{ Ghost, Integrity string }
		Dependencies map[string]string
	}
	content, err := os.ReadFile("../local/ghost/package.json")
	if err == nil {
		err = json.Unmarshal(content, &local)
	}
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"NODE_VERSION": local.Dependencies["node"], "PNPM_VERSION": local.Dependencies["pnpm"],
		"GHOST_VERSION": local.Config.Ghost, "GHOST_INTEGRITY": local.Config.Integrity,
	} {
		match := regexp.MustCompile(`(?m)^ARG ` + name + `=(.*)$`).FindStringSubmatch(string(recipe))
		if match == nil || match[1] != want {
			t.Errorf("Dockerfile: ARG %s is %q, local/ghost/package.json says %s", name, match, want)
		}
	}
	if !strings.Contains(string(recipe), "\nUSER 1000:1000\n") {
		t.Error("Dockerfile: the image must not run as root, and by number, which runAsNonRoot can check")
	}
}

// fakeAWS answers what publish.sh asks. Its state is in files beside it: findings-<architecture>, and put for the result.
const fakeAWS = `#!/bin/bash
dir=$(dirname "$0"); all="$*"
architecture=arm64; [[ $all == *amd64* ]] && architecture=amd64
case "$2" in
describe-image-scan-findings)
  [[ -f $dir/findings-$architecture ]] || { echo ScanNotFoundException >&2; exit 254; }
  if [[ $all == *imageScanStatus* ]]; then echo COMPLETE; else cat "$dir/findings-$architecture"; fi ;;
batch-get-image)
  printf '{"images": [{"imageId": {"imageDigest": "sha256:%s"}, "imageManifest": "{\\"mediaType\\": \\"application/vnd.oci.image.manifest.v1+json\\"}"}], "failures": []}\n' "$architecture" ;;
put-image)
  echo "$all" > "$dir/put"; for word in "$@"; do [[ $word == file://* ]] && cp "${word#file://}" "$dir/index"; done; echo sha256:index ;;
*) echo "no $2" >&2; exit 2 ;;
esac
`

// publish runs publish.sh against the fake, with findings by architecture.
func publish(t *testing.T, findings map[string]string) (dir, output string, err error) {
	t.Helper()
	dir = t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(fakeAWS), 0o755); err != nil {
		t.Fatal(err)
	}
	for architecture, counts := range findings {
		if err := os.WriteFile(filepath.Join(dir, "findings-"+architecture), []byte(counts), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("./publish.sh", "dev/ghost", "build-1", "20261120113000-0123456789ab")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "SCAN_TRIES=2", "SCAN_PAUSE=0", "SCAN_REFUSES=CRITICAL")
	out, err := cmd.CombinedOutput()
	return dir, string(out), err
}

func TestPublish(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH")
	}
	dir, output, err := publish(t, map[string]string{"arm64": `{"HIGH": 3}`, "amd64": `{}`})
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	var index struct {
		MediaType string
		Manifests []struct {
			Digest   string
			Size     int
			Platform struct{ Architecture, OS string }
		}
	}
	content, err := os.ReadFile(filepath.Join(dir, "index"))
	if err == nil {
		err = json.Unmarshal(content, &index)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(index.Manifests) != 2 || index.Manifests[0].Digest != "sha256:arm64" || index.Manifests[1].Platform.Architecture != "amd64" || index.Manifests[1].Size == 0 {
		t.Errorf("index: %s", content)
	}
	put, err := os.ReadFile(filepath.Join(dir, "put"))
	if err != nil || !strings.Contains(string(put), "--repository-name dev/ghost --image-tag 20261120113000-0123456789ab ") {
		t.Errorf("put-image %s (%v)", put, err)
	}
}

// Nothing gets a tag when one architecture has findings that are refused, or was not scanned at all.
func TestPublishRefuses(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not on PATH")
	}
	for _, c := range []struct {
		name     string
		findings map[string]string
		want     string
	}{
		{"a critical finding", map[string]string{"arm64": `{}`, "amd64": `{"CRITICAL": 2}`}, "publish.sh: 2 findings of severity CRITICAL in dev/ghost:build-1-amd64; update the base image"},
		{"no scan", map[string]string{"arm64": `{}`}, "publish.sh: no scan of dev/ghost:build-1-amd64 after 2 tries (NOT_FOUND); is scan on push enabled?"},
	} {
		dir, output, err := publish(t, c.findings)
		if err == nil || !strings.Contains(output, c.want) {
			t.Errorf("%s: %v: %s", c.name, err, output)
		}
		if _, err := os.Stat(filepath.Join(dir, "put")); err == nil {
			t.Errorf("%s: the image got its tag", c.name)
		}
	}
}

// Flux takes the tag with the highest time: k8s/platform/image-automation.
func TestPublishTagSorts(t *testing.T) {
	content, err := os.ReadFile("publish.yml")
	if err != nil || !strings.Contains(string(content), "date -u +%Y%m%d%H%M%S") {
		t.Errorf("publish.yml: the tag does not begin with the time, which Flux sorts by (%v)", err)
	}
}
