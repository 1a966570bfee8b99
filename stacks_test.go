package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Four stacks per environment, by their agreed names; the cluster after what its pods need.
func TestStacks(t *testing.T) {
	var want []string
	for _, env := range []string{"dev", "integration", "local", "production"} {
		want = append(want, env+"-cluster", env+"-delivery", env+"-ghost", env+"-network")
	}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(sampleApp(t)))); diff != "" {
		t.Errorf("stacks (-want +got):\n%s", diff)
	}
	for env, all := range sampleArtifacts {
		for id, a := range all {
			if a.Type != "aws:cloudformation:stack" {
				continue
			}
			if a.DisplayName != env+"/"+strings.TrimPrefix(a.Properties.StackName, env+"-") {
				t.Errorf("%s is shown as %s", a.Properties.StackName, a.DisplayName)
			}
			if want := env == "integration" || env == "production"; a.Properties.TerminationProtection != want {
				t.Errorf("%s: termination protection %t", a.Properties.StackName, a.Properties.TerminationProtection)
			}
			if a.Properties.StackName == env+"-cluster" && len(stacksOf(all, all[id].Dependencies)) != 2 {
				t.Errorf("%s depends on %v", id, a.Dependencies)
			}
		}
	}
}

// stacksOf keeps the stacks of a list of artifacts.
func stacksOf(all map[string]artifact, ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return all[id].Type != "aws:cloudformation:stack" })
}

// Only the network exports: what is exported cannot be replaced while another stack imports it.
func TestExports(t *testing.T) {
	for name, parsed := range sampleApp(t) {
		for id, output := range parsed.Outputs {
			if get(output, "Export") != nil && !strings.HasSuffix(name, "-network") {
				t.Errorf("%s exports %s", name, id)
			}
		}
	}
}

// The resource types in use are those that were chosen; a new one is a decision, and the local CloudFormation must know it.
func TestResourceTypes(t *testing.T) {
	allowedCustom := []string{"Custom::AWSCDK-EKS-HelmChart", "Custom::AWSCDK-EKS-KubernetesObjectValue", "Custom::AWSCDK-EKS-KubernetesResource"}
	for name, parsed := range sampleApp(t) {
		for id, r := range parsed.Resources {
			if !strings.HasPrefix(r.Type, "AWS::") && !slices.Contains(allowedCustom, r.Type) {
				t.Errorf("%s: %s is a %s: no functions in stacks but the kubectl provider", name, id, r.Type)
			}
		}
	}
}

// The ConfigMap that Flux substitutes has exactly the agreed keys.
func TestFacts(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("cluster")]
		manifest := stack.Resources[byPrefix(t, stack, "ClusterFacts")].Properties["Manifest"]
		objects := parseManifest(t, manifest)
		data, _ := get(objects, 0, "data").(map[string]any)
		want := []string{"AWS_ACCOUNT_ID", "AWS_PARTITION", "AWS_REGION", "CLUSTER_NAME", "DOMAIN", "ENVIRONMENT", "GIT_BRANCH", "GIT_PROVIDER", "GIT_URL", "HOSTED_ZONE_ID", "IMAGE_REGISTRY", "IMAGE_UPDATE_BRANCH", "VPC_CIDR", "VPC_ID"}
		if branch := data["IMAGE_UPDATE_BRANCH"]; branch != map[string]string{"local": "main", "dev": "dev", "integration": "main", "production": "image-updates/production"}[env.Name] {
			t.Errorf("%s: images are written to %v", env.Name, branch)
		}
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(data))); diff != "" {
			t.Errorf("%s: keys (-want +got):\n%s", env.Name, diff)
		}
		if data["ENVIRONMENT"] != env.Name || data["GIT_URL"] != env.RepositoryURL || data["GIT_BRANCH"] != env.Branch || data["DOMAIN"] != env.Domain {
			t.Errorf("%s: %v", env.Name, data)
		}
	}
}

// parseManifest resolves the references in a manifest to a placeholder and parses it.
func parseManifest(t *testing.T, manifest any) any {
	t.Helper()
	source, ok := manifest.(string)
	if !ok {
		var parts strings.Builder
		for _, part := range asList(get(manifest, "Fn::Join", 1)) {
			if s, ok := part.(string); ok {
				parts.WriteString(s)
			} else {
				parts.WriteString("REFERENCE")
			}
		}
		source = parts.String()
	}
	var objects any
	if err := json.Unmarshal([]byte(source), &objects); err != nil {
		t.Fatalf("%v: %s", err, source)
	}
	return objects
}

// The rest of the configuration: no way out, mirror, x86, private repository, own zone.
func TestVariants(t *testing.T) {
	context := sample(t)
	gitops := context["gitops"].(map[string]any)
	gitops["repository"].(map[string]any)["credentials"] = "githubApp"
	mirror := "111111111111.dkr.ecr.us-east-1.amazonaws.com/ghcr.io"
	gitops["environments"] = map[string]any{"closed": map[string]any{
		"account": "111111111111", "region": "us-east-1", "domain": "closed.example.com", "branch": "closed",
		"network": map[string]any{
			"cidr": "10.60.0.0/19", "zones": []any{"b", "d"}, "nat": "none", "mirror": mirror,
			"endpoints": []any{"ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "lambda", "logs", "secretsmanager", "sts"},
		},
		"nodes": map[string]any{"architecture": "x86_64", "instanceTypes": []any{"m7i.large"}},
	}}
	templates := read(t, synthesize(t, context, environments(t, context, ""), false))
	network, cluster := templates["closed-network"], templates["closed-cluster"]
	if len(network.ofType("AWS::EC2::NatGateway")) != 0 || len(network.ofType("AWS::EC2::VPCEndpoint")) != 11 || len(network.ofType("AWS::EC2::Subnet")) != 6 {
		t.Errorf("network: %d gateways, %d endpoints, %d subnets", len(network.ofType("AWS::EC2::NatGateway")), len(network.ofType("AWS::EC2::VPCEndpoint")), len(network.ofType("AWS::EC2::Subnet")))
	}
	network.only(t, "AWS::Route53::HostedZone")
	if got := cluster.only(t, "AWS::EKS::Nodegroup").Properties["AmiType"]; got != "AL2023_x86_64_STANDARD" && got != "AL2023_X86_64_STANDARD" {
		t.Errorf("nodes: %v", got)
	}
	source := get(parseManifest(t, cluster.Resources[byPrefix(t, cluster, "FluxSource")].Properties["Manifest"]), 0, "spec")
	if get(source, "provider") != "github" || get(source, "secretRef", "name") != "flux-git" {
		t.Errorf("source: %s", text(source))
	}
	instance := get(parseManifest(t, cluster.Resources[byPrefix(t, cluster, "FluxInstance")].Properties["Manifest"]), 0, "spec", "distribution")
	if get(instance, "registry") != mirror+"/fluxcd" {
		t.Errorf("instance: %s", text(instance))
	}
	chart := cluster.Resources[byPrefix(t, cluster, "ClusterchartFluxOperator")].Properties
	if chart["Repository"] != "oci://"+mirror+"/controlplaneio-fluxcd/charts/flux-operator" {
		t.Errorf("chart: %s", text(chart))
	}
}

// A mistake costs one line each, exit code 1, and nothing is written.
func TestRunReportsBadConfiguration(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("CDK_OUTDIR", filepath.Join(dir, "out"))
	t.Setenv("CDK_CONTEXT_JSON", `{"gitops": {"repository": {"owner": "me", "name": "platform"}, "environments": {"dev": {"account": 1, "region": "eu-west-1", "domain": "dev.example.com"}}}}`)
	var stderr bytes.Buffer
	if code := run(&stderr); code != 1 {
		t.Errorf("exit code %d", code)
	}
	want := "context.gitops.environments.dev.account: is 1; write a string in quotes\n" +
		"context.gitops.environments.dev.branch: is missing; name the branch that this environment follows, for example \"main\"\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("written: %v, %v", entries, err)
	}
}

func TestRunNeedsNpm(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CDK_CONTEXT_JSON", `{"gitops": {"repository": {"owner": "me", "name": "platform"}, "environments": {"dev": {"account": "111111111111", "region": "eu-west-1", "domain": "dev.example.com", "branch": "main"}}}}`)
	var stderr bytes.Buffer
	if code := run(&stderr); code != 1 || !strings.HasSuffix(stderr.String(), "layer.zip: not found; run npm ci\n") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}

func TestFirstLine(t *testing.T) {
	for in, want := range map[string]string{
		"Error: bad\n    at Object (/tmp/x.js:1)": "Error: bad", "\n one \n two": "one", "": "",
	} {
		if got := firstLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// Flux writes image tags where the configuration says so: the cluster's folder and the AWS half agree.
func TestImageAutomation(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		content, err := os.ReadFile(filepath.Join("k8s", "clusters", env.Name, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if lists := strings.Contains(string(content), "../base/image-automation"); lists != env.UpdatesImages() {
			t.Errorf("k8s/clusters/%s lists ../base/image-automation: %t, delivery.imageUpdates says %t", env.Name, lists, env.UpdatesImages())
		}
		instance := get(parseManifest(t, sampleApp(t)[env.StackName("cluster")].Resources[byPrefix(t, sampleApp(t)[env.StackName("cluster")], "FluxInstance")].Properties["Manifest"]), 0, "spec", "components")
		if runs := strings.Contains(text(instance), "image-automation-controller"); runs != env.UpdatesImages() {
			t.Errorf("%s: components %s", env.Name, text(instance))
		}
	}
}
