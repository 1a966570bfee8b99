package addons

import (
	"archive/zip"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// environment is an environment in a region.
func environment(region string) config.Environment {
	return config.Environment{Name: "dev", Account: "111111111111", Region: region, Domain: "dev.example.com"}
}

// regionOf has a region of each partition whose policy is embedded.
var regionOf = map[string]string{"aws": "eu-west-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}

// upstreamFiles are the partitions' files in the module.
var upstreamFiles = map[string]string{"aws": "iam_policy.json", "aws-cn": "iam_policy_cn.json", "aws-us-gov": "iam_policy_us-gov.json"}

// localModule is the controller's Go module that the local system builds, at the commit of tag v3.2.2. Its docs/install
// holds the policies, which upstream has not changed since: those of v3.5.0 are the same files.
const localModule = "sigs.k8s.io/aws-load-balancer-controller@v0.0.0-20260423195125-93ff3b5fdaad"

// The embedded policy allows what upstream's allows, no more and no less. The module is in the module cache once the
// controller has been built for the local system; then its file is the judge. Before that the number of its permissions
// is, so that no edit of the embedded file goes unseen.
func TestLoadBalancerControllerPolicy(t *testing.T) {
	want := map[string]int{"aws": 98, "aws-cn": 98, "aws-us-gov": 98}
	for partition, region := range regionOf {
		got := LoadBalancerController(environment(region)).Policy.Permissions()
		if len(got) != want[partition] {
			t.Errorf("%s: %d permissions, upstream has %d", partition, len(got), want[partition])
		}
		content := upstream(t, "docs/install/"+upstreamFiles[partition])
		if content == nil {
			t.Logf("%s: %s is not in the module cache; compared the number of permissions only", partition, localModule)
			continue
		}
		var document policy.Document
		if err := json.Unmarshal(content, &document); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(document.Permissions(), got); diff != "" {
			t.Errorf("%s differs from upstream's (-upstream +embedded):\n%s", partition, diff)
		}
	}
}

// upstream reads a file of the controller's module from the module cache, unpacked or zipped, or returns nil.
func upstream(t *testing.T, name string) []byte {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	cache := strings.TrimSpace(string(out))
	if content, err := os.ReadFile(filepath.Join(cache, localModule, name)); err == nil {
		return content
	}
	module, version, _ := strings.Cut(localModule, "@")
	archive, err := zip.OpenReader(filepath.Join(cache, "cache", "download", module, "@v", version+".zip"))
	if err != nil {
		return nil
	}
	defer archive.Close()
	file, err := archive.Open(localModule + "/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// The policy and the chart that Flux installs are of one version.
func TestVersionsAgree(t *testing.T) {
	charts := chartVersions(t)
	for _, c := range All(environment("eu-west-1"), Resources{}) {
		if got := charts[c.Name]; got != c.ChartVersion {
			t.Errorf("k8s/platform/controllers installs %s %q, the policy is for %s: review upstream's policy and change both", c.Name, got, c.ChartVersion)
		}
	}
}

// chartVersions reads chart and version of the HelmReleases.
func chartVersions(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("../../k8s/platform/controllers/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("k8s/platform/controllers: %d files, %v", len(files), err)
	}
	pattern := regexp.MustCompile(`(?s)\n +chart: ([a-z-]+)\n(?: +[^\n]*\n){0,6}? +version: "?([0-9.]+)"?`)
	versions := map[string]string{}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range pattern.FindAllStringSubmatch(string(content), -1) {
			versions[match[1]] = match[2]
		}
	}
	return versions
}

// Our own policies are held to the environment.
func TestOwnPolicies(t *testing.T) {
	env := environment("eu-west-1")
	for _, c := range []struct {
		controller Rights
		want       []string
	}{
		{ExternalDNS(env, "Z1"), []string{
			`Allow route53:ChangeResourceRecordSets arn:aws:route53:::hostedzone/Z1 {"ForAllValues:StringLike":{"route53:ChangeResourceRecordSetsNormalizedRecordNames":["dev.example.com","*.dev.example.com"]}}`,
			`Allow route53:ListHostedZones * null`,
			`Allow route53:ListResourceRecordSets arn:aws:route53:::hostedzone/Z1 null`,
			`Allow route53:ListTagsForResources arn:aws:route53:::hostedzone/Z1 null`,
		}},
		{ExternalSecrets(env, "arn:key"), []string{
			`Allow kms:Decrypt arn:key {"StringEquals":{"kms:ViaService":"secretsmanager.eu-west-1.amazonaws.com"}}`,
			`Allow secretsmanager:DescribeSecret arn:aws:secretsmanager:eu-west-1:111111111111:secret:/dev/* null`,
			`Allow secretsmanager:GetResourcePolicy arn:aws:secretsmanager:eu-west-1:111111111111:secret:/dev/* null`,
			`Allow secretsmanager:GetSecretValue arn:aws:secretsmanager:eu-west-1:111111111111:secret:/dev/* null`,
			`Allow secretsmanager:ListSecretVersionIds arn:aws:secretsmanager:eu-west-1:111111111111:secret:/dev/* null`,
		}},
	} {
		if diff := cmp.Diff(c.want, c.controller.Policy.Permissions()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.controller.Name, diff)
		}
	}
}
