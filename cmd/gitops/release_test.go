package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"k8s-plus-aws-gitops/internal/services/assets/s3test"
)

// bucketOf makes an AWS account with a bucket for the environment's static files, and points this process at it.
func bucketOf(t *testing.T, bucket string) *s3.Client {
	t.Helper()
	url, client := s3test.New(t, bucket)
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-1", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
	} {
		t.Setenv(name, value)
	}
	return client
}

// keys of a bucket, each release by the order of its first sight.
func keys(t *testing.T, client *s3.Client, bucket string, seen *[]string) []string {
	t.Helper()
	out, err := client.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, o := range out.Contents {
		parts := strings.SplitN(aws.ToString(o.Key), "/", 4)
		if !slices.Contains(*seen, parts[2]) {
			*seen = append(*seen, parts[2])
		}
		all = append(all, fmt.Sprintf("%s/%d/%s", parts[1], slices.Index(*seen, parts[2]), parts[3]))
	}
	slices.Sort(all)
	return all
}

// TestRelease goes the way of a release: tags, static files before manifests, another environment's proposal.
func TestRelease(t *testing.T) {
	const bucket = "local-services-assets-000000000000-eu-west-1"
	client := bucketOf(t, bucket)
	dir, remote, app := fleetCheckout(t)
	release := func(code int, args ...string) string {
		t.Helper()
		return gitops(t, code, append([]string{"service", "publish", "-e", "local", "--release", "--remote", remote, "--app", app}, args...)...)
	}
	commit := func(tags ...string) {
		t.Helper()
		gitIn(t, dir, "add", "-A")
		gitIn(t, dir, "commit", "-qm", "x", "--allow-empty")
		for _, tag := range tags {
			gitIn(t, dir, "tag", tag)
		}
	}
	var seen []string
	gitops(t, 0, "service", "add", "npm", "--image", "ghcr.io/nodezoo/npm:1.0.0")
	gitops(t, 0, "service", "add", "info", "--image", "ghcr.io/nodezoo/info:1.0.0")
	put(t, dir, "k8s/services/npm/assets/app.css", "p {}")
	put(t, dir, "k8s/services/npm/assets/img/a.svg", "<svg/>")
	commit()
	if says := release(0); !strings.Contains(says, "nothing to release") || gitIn(t, remote, "for-each-ref") != "" {
		t.Errorf("without a tag: %s", says)
	}
	commit("npm/v1.0.0")
	if says := release(0, "--dry-run"); !strings.Contains(says, "npm would change local/npm") || !strings.Contains(says, "+ s3://"+bucket+"/services/npm/") || len(keys(t, client, bucket, &seen)) > 0 || gitIn(t, remote, "for-each-ref") != "" {
		t.Errorf("a dry run: %s", says)
	}
	if says := release(0); !strings.Contains(says, "2 of 2 static files uploaded") || !strings.Contains(says, "npm local/npm@") || strings.Contains(says, "info") {
		t.Errorf("the first release: %s", says)
	}
	if got := keys(t, client, bucket, &seen); !slices.Equal(got, []string{"npm/0/app.css", "npm/0/img/a.svg"}) {
		t.Errorf("keys %q", got)
	}
	manifest := gitIn(t, remote, "show", "local/npm:npm.k8s.yaml")
	if !strings.Contains(manifest, "ASSETS_PREFIX: services/npm/"+seen[0]) || !strings.Contains(manifest, "ASSETS_BUCKET: "+bucket) {
		t.Errorf("the manifest does not name the files:\n%s", manifest)
	}
	if says := release(0); !strings.Contains(says, "1 of 1 are as they were published") {
		t.Errorf("again: %s", says)
	}
	// A proposal changes nothing that is live.
	put(t, dir, "k8s/services/npm/assets/app.css", "p {color: red}")
	commit("npm/v1.1.0", "info/v2.0.0")
	if says := release(0, "--propose"); !strings.Contains(says, "merge proposals/local/npm into local/npm") || !strings.Contains(says, "Releasing info/v2.0.0 to local") {
		t.Errorf("a proposal: %s", says)
	}
	if got := keys(t, client, bucket, &seen); !slices.Equal(got, []string{"npm/0/app.css", "npm/0/img/a.svg", "npm/1/app.css", "npm/1/img/a.svg"}) {
		t.Errorf("keys %q", got)
	}
	if now := gitIn(t, remote, "show", "local/npm:npm.k8s.yaml"); now != manifest {
		t.Errorf("the proposal is live: %s", now)
	}
	t.Setenv("SOURCE_REPOSITORY", "https://me:secret@github.com/my-company/platform.git")
	release(0)
	if log := gitIn(t, remote, "log", "-1", "--format=%B", "local/npm"); !strings.Contains(log, "Source-Tag: npm/v1.1.0") || !strings.Contains(log, "Source-Repository: https://github.com/my-company/platform.git\n") {
		t.Errorf("commit: %s", log)
	}
	releaseRefusals(t, dir, commit, release)
}

// releaseRefusals are tags that must not be published by.
func releaseRefusals(t *testing.T, dir string, commit func(...string), release func(int, ...string) string) {
	t.Helper()
	gitIn(t, dir, "checkout", "-q", "-B", "bad")
	for tag, want := range map[string]string{"npm/v1.2": `tag "npm/v1.2": must be <service>/v<major>`, "web/v1.0.0": `tag web/v1.0.0: there is no service "web" at this commit`} {
		commit(tag)
		if says := release(1); !strings.Contains(says, want) {
			t.Errorf("%s: %s", tag, says)
		}
	}
	put(t, dir, "k8s/services/info.yaml", "image: ghcr.io/nodezoo/info:1.0.0\nport: 8080\nenvironments: {local: {enabled: false}}\n")
	gitops(t, 0, "generate")
	commit("info/v3.0.0")
	if says := release(0); !strings.Contains(says, "info/v3.0.0 is not in local, as its file says") {
		t.Errorf("a service that is not in the environment: %s", says)
	}
	// Of two tags, one of a service that was released from a later commit.
	gitIn(t, dir, "checkout", "-q", "npm/v1.0.0")
	gitIn(t, dir, "tag", "-d", "npm/v1.0.0")
	commit("npm/v1.0.1")
	release(0)
	gitIn(t, dir, "checkout", "-q", "HEAD^")
	gitIn(t, dir, "tag", "npm/v1.0.2")
	if says := release(0); !strings.Contains(says, "as they were published") {
		t.Errorf("equal manifests are no step back: %s", says)
	}
	for args, code := range map[string]int{"npm --release": 2, "--release -o json": 2} {
		gitops(t, code, append([]string{"service", "publish", "-e", "local"}, strings.Fields(args)...)...)
	}
}
