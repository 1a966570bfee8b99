package docker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"k8s-plus-aws-gitops/internal/httpbody"
)

const registry = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"

// fake is ECR with one repository whose tags never move.
type fake struct {
	images map[string]string // tag to manifest
	scans  []string
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var in struct {
		RepositoryName, ImageTag, ImageManifest string
		RepositoryNames                         []string
		ImageID                                 struct{ ImageTag string } `json:"imageId"`
	}
	raw, _ := io.ReadAll(r.Body)
	_ = json.Unmarshal(raw, &in)
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	fail := func(code, message string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type": %q, "message": %q}`, code, message)
	}
	switch _, action, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); action {
	case "PutImage":
		if in.RepositoryName != "local/ghost" {
			fail("RepositoryNotFoundException", "no repository "+in.RepositoryName)
			return
		}
		if f.images[in.ImageTag] != "" {
			fail("ImageTagAlreadyExistsException", "the tag "+in.ImageTag+" is immutable")
			return
		}
		f.images[in.ImageTag] = in.ImageManifest
		io.WriteString(w, `{"image": {"imageId": {"imageDigest": "sha256:1"}}}`)
	case "DescribeRepositories":
		io.WriteString(w, `{"repositories": [{"repositoryName": "local/ghost", "imageScanningConfiguration": {"scanOnPush": true}}]}`)
	case "StartImageScan":
		if f.scans = append(f.scans, in.ImageID.ImageTag); len(f.scans) > 1 {
			fail("LimitExceededException", "once a day")
			return
		}
		io.WriteString(w, `{}`)
	default:
		fail("Unknown", action)
	}
}

func newCommand(t *testing.T) (*fake, func(in string, args ...string) (string, error)) {
	t.Helper()
	f := &fake{images: map[string]string{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "ctx"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ctx", "Dockerfile"), []byte("FROM scratch\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := aws.Config{HTTPClient: httpbody.Client(), Region: "eu-west-1", BaseEndpoint: aws.String(s.URL), RetryMaxAttempts: 1, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}
	return f, func(in string, args ...string) (string, error) {
		var out bytes.Buffer
		err := Command{AWS: config, Dir: dir, Config: filepath.Join(dir, "config"), In: strings.NewReader(in), Out: &out}.Run(t.Context(), args)
		return out.String(), err
	}
}

// The image pipeline's own commands.
func TestBuildAndPush(t *testing.T) {
	f, run := newCommand(t)
	build := func(architecture string) []string {
		return []string{"buildx", "build", "--platform", "linux/" + architecture, "--provenance=false", "--pull", "--push",
			"--label", "org.opencontainers.image.revision=abc", "--tag", registry + "/local/ghost:build-1-" + architecture, "ctx"}
	}
	if _, err := run("", build("arm64")...); err == nil || !strings.Contains(err.Error(), "no basic auth credentials") {
		t.Errorf("without a login: %v", err)
	}
	if out, err := run("token", "login", "--username", "AWS", "--password-stdin", registry); err != nil || out != "Login Succeeded\n" {
		t.Fatalf("%s, %v", out, err)
	}
	for _, a := range []string{"arm64", "amd64"} {
		out, err := run("", build(a)...)
		if err != nil || !strings.Contains(out, "nothing is built") || !strings.Contains(out, "build-1-"+a+": digest: sha256:1") {
			t.Fatalf("%s, %v", out, err)
		}
	}
	var manifest struct {
		MediaType   string
		Annotations map[string]string
		Layers      []struct{ Digest string }
	}
	if err := json.Unmarshal([]byte(f.images["build-1-arm64"]), &manifest); err != nil {
		t.Fatal(err)
	}
	if manifest.MediaType != manifestType || manifest.Annotations["org.opencontainers.image.revision"] != "abc" || len(manifest.Layers) != 1 {
		t.Errorf("%+v", manifest)
	}
	if f.images["build-1-arm64"] == f.images["build-1-amd64"] {
		t.Error("both architectures have one manifest")
	}
	if len(f.scans) != 2 {
		t.Errorf("scans: %q", f.scans)
	}
	if _, err := run("", build("arm64")...); err == nil || !strings.Contains(err.Error(), "ImageTagAlreadyExistsException: the tag build-1-arm64 is immutable") {
		t.Errorf("the same tag again: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	_, run := newCommand(t)
	if _, err := run("token", "login", "-u", "AWS", "--password-stdin", registry); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"":                                    "name a command",
		"run alpine":                          "docker run: not known here",
		"buildx imagetools create":            "only `docker buildx build` is known here",
		"build ctx":                           "with --tag",
		"build --tag a":                       "one folder as the context",
		"build --tag a gone":                  "failed to read dockerfile",
		"build --tag a --squash ctx":          "--squash is not known here",
		"build ctx --tag":                     "--tag needs a value",
		"build --push --tag ghcr.io/a:1 ctx":  "in no registry of ECR",
		"push " + registry + "/local/ghost:1": "does not exist locally",
		"login " + registry:                   "want --username",
	} {
		if _, err := run("", strings.Fields(line)...); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("docker %s: %v, want %s", line, err, want)
		}
	}
	if _, err := run("", "login", "-u", "AWS", "--password-stdin", registry); err == nil || !strings.Contains(err.Error(), "did `aws ecr get-login-password` fail?") {
		t.Errorf("no password: %v", err)
	}
	if out, err := run("", "build", "-t", registry+"/other:1", "ctx"); err != nil || !strings.Contains(out, "recorded") {
		t.Errorf("%s, %v", out, err)
	}
	if _, err := run("", "push", registry+"/other:1"); err == nil || !strings.Contains(err.Error(), "RepositoryNotFoundException") {
		t.Errorf("another repository: %v", err)
	}
}
