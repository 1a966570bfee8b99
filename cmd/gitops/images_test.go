package main

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// images of integration as Flux writes it, and of production as a promotion does.
const (
	aTag          = ":20261120113000-0123456789ab"
	aDigest       = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	testedImage   = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/integration/ghost" + aTag + aDigest
	promotedImage = "333333333333.dkr.ecr.eu-west-1.amazonaws.com/production/ghost" + aTag
)

// runs names an image in an environment's folder.
func runs(t *testing.T, dir, environment, image string) {
	t.Helper()
	name := filepath.Join("k8s/clusters", environment, "images.yaml")
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := strings.Cut(string(content), "GHOST_IMAGE: ")
	put(t, dir, name, before+"GHOST_IMAGE: "+image+"\n")
}

// Where there is nothing to copy, and where something must not be copied, no registry is asked.
func TestImagesCopyAsksNobody(t *testing.T) {
	dir := fixture.Tree(t)
	t.Chdir(dir)
	for _, step := range []struct {
		environment, image, says string
		code                     int
	}{
		{"dev", "docker.io/library/ghost:6.65.0", "dev builds its own images: there is nothing to copy.", 0},
		{"production", "docker.io/library/ghost:6.65.0", "k8s/clusters/production names no image of its registry: there is nothing to copy.", 0},
		{"production", promotedImage, "must have a tag and a digest", 1},
		{"production", testedImage, "bin/gitops promotion integration production --write", 1},
	} {
		runs(t, dir, step.environment, step.image)
		if said := gitops(t, step.code, "images", "copy", step.environment); !strings.Contains(said, step.says) {
			t.Errorf("%s with %s: %s, want %q", step.environment, step.image, said, step.says)
		}
	}
}

// A login is asked for in the registry's own region, and is what ECR packs into its token.
func TestLogIn(t *testing.T) {
	var signed, token string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed = r.Header.Get("Authorization")
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = w.Write([]byte(`{"authorizationData": [{"authorizationToken": "` + base64.StdEncoding.EncodeToString([]byte(token)) + `"}]}`))
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1"} {
		t.Setenv(name, value)
	}
	env := config.Environment{Name: "integration", Account: "222222222222", Region: "eu-central-1"}
	token = "AWS:secret:with:colons"
	at, err := logIn(t.Context(), env)
	if err != nil || at.Host != "222222222222.dkr.ecr.eu-central-1.amazonaws.com" || at.User != "AWS" || at.Password != "secret:with:colons" {
		t.Errorf("%+v, %v", at, err)
	}
	if !strings.Contains(signed, "/eu-central-1/ecr/") {
		t.Errorf("signed for %s", signed)
	}
	token = "nothing"
	if _, err := logIn(t.Context(), env); err == nil || !strings.Contains(err.Error(), "no login at the registry of integration") {
		t.Errorf("a token that is none: %v", err)
	}
}

// The program that judges the scan is told repository, digests and region; its refusal is one.
func TestScanned(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	put(t, dir, "scan", "#!/bin/sh\necho \"$AWS_REGION $@\" > said\ntest \"$2\" = sha256:1\n")
	if err := os.Chmod("scan", 0o700); err != nil {
		t.Fatal(err)
	}
	allowed := scanned(newImages(), config.Environment{Region: "eu-central-1"}, filepath.Join(dir, "scan"))
	if err := allowed(t.Context(), "production/ghost", []string{"sha256:1", "sha256:2"}); err != nil {
		t.Error(err)
	}
	if said, err := os.ReadFile("said"); err != nil || string(said) != "eu-central-1 production/ghost sha256:1 sha256:2\n" {
		t.Errorf("%s (%v)", said, err)
	}
	if err := allowed(t.Context(), "production/ghost", []string{"sha256:2"}); err == nil || !strings.Contains(err.Error(), "accept the finding in dockerbuild/accepted.json") {
		t.Errorf("refused: %v", err)
	}
	if err := scanned(newImages(), config.Environment{}, filepath.Join(dir, "none"))(t.Context(), "production/ghost", []string{"sha256:1"}); err == nil {
		t.Error("a program that is not there allows it")
	}
}

// A promotion writes the image into the target's file, says what comes next, and the second time that nothing is to do.
func TestPromotionWrite(t *testing.T) {
	dir := t.TempDir()
	fixture.Write(t, dir)
	t.Chdir(dir)
	gitIn(t, dir, "init", "--quiet", "--initial-branch", "main")
	commitIn(t, dir)
	gitIn(t, dir, "branch", "production")
	runs(t, dir, "integration", testedImage)
	commitIn(t, dir)
	said := gitops(t, 0, "promotion", "integration", "production", "--write")
	for _, want := range []string{
		"k8s/clusters/production/images.yaml: GHOST_IMAGE: docker.io/library/ghost:6.65.0 -> " + promotedImage + aDigest + "\n",
		"Next: bring k8s/clusters/production/images.yaml to branch main",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("lacks %q: %s", want, said)
		}
	}
	if changed := gitIn(t, dir, "status", "--porcelain"); strings.TrimSpace(changed) != "M k8s/clusters/production/images.yaml" {
		t.Errorf("changed: %q", changed)
	}
	if said := gitops(t, 0, "promotion", "integration", "production", "--write"); !strings.HasPrefix(said, "k8s/clusters/production/images.yaml names what integration runs.\n") {
		t.Errorf("the second time: %s", said)
	}
}
