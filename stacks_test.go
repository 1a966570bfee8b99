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

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// Four stacks per environment, one for each service that has something in AWS, and one for each engine of which services share an
// instance, by their agreed names; the cluster after what its pods need, and services after what they share.
func TestStacks(t *testing.T) {
	var want []string
	for _, env := range []string{"dev", "integration", "local", "production"} {
		want = append(want, env+"-billing", env+"-cluster", env+"-delivery", env+"-ghost", env+"-network", env+"-orders")
		for _, name := range others() {
			want = append(want, env+"-"+name)
		}
	}
	want = append(want, "dev-shared-postgres")
	slices.Sort(want)
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
			needed := map[string]int{"cluster": 4 + len(others()), "orders": 2, "shared-postgres": 1}
			if env == "dev" {
				needed["cluster"], needed["orders"] = needed["cluster"]+1, 3
			}
			if want := needed[strings.TrimPrefix(a.Properties.StackName, env+"-")]; want > 0 && len(stacksOf(all, all[id].Dependencies)) != want {
				t.Errorf("%s depends on %v", id, a.Dependencies)
			}
		}
	}
}

// stacksOf keeps the stacks of a list of artifacts.
func stacksOf(all map[string]artifact, ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return all[id].Type != "aws:cloudformation:stack" })
}

// Only the network exports, and what services share: what is exported cannot be replaced while another stack imports it. Of an
// instance that is its identifier, which is agreed, its administrator's secret and its security group, which do not change.
func TestExports(t *testing.T) {
	for name, parsed := range sampleApp(t) {
		for id, output := range parsed.Outputs {
			if get(output, "Export") != nil && !strings.HasSuffix(name, "-network") && !strings.Contains(name, "-shared-") {
				t.Errorf("%s exports %s", name, id)
			}
		}
	}
}

// The resource types in use are those that were chosen; a new one is a decision, and the local CloudFormation must know it.
func TestResourceTypes(t *testing.T) {
	allowedCustom := []string{"Custom::AWSCDK-EKS-HelmChart", "Custom::AWSCDK-EKS-KubernetesObjectValue", "Custom::AWSCDK-EKS-KubernetesResource", "Custom::DatabaseUser"}
	for name, parsed := range sampleApp(t) {
		for id, r := range parsed.Resources {
			if !strings.HasPrefix(r.Type, "AWS::") && !slices.Contains(allowedCustom, r.Type) {
				t.Errorf("%s: %s is a %s: no functions in stacks but the kubectl provider, those of databases and that of alerts", name, id, r.Type)
			}
		}
	}
}

// The ConfigMap that Flux substitutes holds the facts; what AWS decides is a reference.
func TestFacts(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("cluster")]
		got := get(parseManifest(t, stack.Resources[stepID(t, stack, "ClusterFacts")].Properties["Manifest"]), 0, "data")
		want := map[string]any{}
		for name, value := range env.ClusterFacts(config.Deployed{VPCID: "REFERENCE", HostedZoneID: "REFERENCE", AlertsAddress: alertsReference(env)}) {
			want[name] = value
		}
		if diff := cmp.Diff(any(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", env.Name, diff)
		}
	}
}

// alertsReference is the address of the function for alerts in the facts, where there is one.
func alertsReference(env config.Environment) string {
	if env.Alerts.SNS {
		return "REFERENCE"
	}
	return ""
}

// parseManifest resolves the references in a manifest to a placeholder and parses it.
func parseManifest(t testing.TB, manifest any) any {
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

// The rest of the configuration: endpoints, two zones, x86, private repository, own zone.
func TestVariants(t *testing.T) {
	context := sample(t)
	gitops := context["gitops"].(map[string]any)
	gitops["repository"].(map[string]any)["credentials"] = "githubApp"
	gitops["environments"] = map[string]any{"closed": map[string]any{
		"account": "111111111111", "region": "us-east-1", "domain": "closed.example.com", "branch": "closed",
		"network": map[string]any{
			"cidr": "10.60.0.0/19", "zones": []any{"b", "d"},
			"endpoints": []any{"ecr.api", "ecr.dkr"},
		},
		"nodes": map[string]any{"architecture": "x86_64", "instanceTypes": []any{"m7i.large"}},
	}}
	templates := read(t, synthesize(t, context, environments(t, context, ""), false))
	network, cluster := templates["closed-network"], templates["closed-cluster"]
	if len(network.ofType("AWS::EC2::NatGateway")) != 1 || len(network.ofType("AWS::EC2::VPCEndpoint")) != 3 || len(network.ofType("AWS::EC2::Subnet")) != 6 {
		t.Errorf("network: %d gateways, %d endpoints, %d subnets", len(network.ofType("AWS::EC2::NatGateway")), len(network.ofType("AWS::EC2::VPCEndpoint")), len(network.ofType("AWS::EC2::Subnet")))
	}
	network.only(t, "AWS::Route53::HostedZone")
	if got := cluster.only(t, "AWS::EKS::Nodegroup").Properties["AmiType"]; got != "AL2023_x86_64_STANDARD" && got != "AL2023_X86_64_STANDARD" {
		t.Errorf("nodes: %v", got)
	}
	source := get(parseManifest(t, cluster.Resources[stepID(t, cluster, "FluxSource")].Properties["Manifest"]), 0, "spec")
	if get(source, "provider") != "github" || get(source, "secretRef", "name") != "flux-git" {
		t.Errorf("source: %s", text(source))
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
	want := "context.gitops.environments.dev.account: must be a string, got 1; write it in quotes\n" +
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
		content, err := os.ReadFile(filepath.Join(fixture.Dir(t), "k8s", "clusters", env.Name, "kustomization.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if lists := strings.Contains(string(content), "../base/image-automation"); lists != env.UpdatesImages() {
			t.Errorf("k8s/clusters/%s lists ../base/image-automation: %t, delivery.imageUpdates says %t", env.Name, lists, env.UpdatesImages())
		}
		instance := get(parseManifest(t, sampleApp(t)[env.StackName("cluster")].Resources[stepID(t, sampleApp(t)[env.StackName("cluster")], "FluxInstance")].Properties["Manifest"]), 0, "spec", "components")
		if runs := strings.Contains(text(instance), "image-automation-controller"); runs != env.UpdatesImages() {
			t.Errorf("%s: components %s", env.Name, text(instance))
		}
	}
}
