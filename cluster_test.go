package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/internal/services"
)

func TestCluster(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		cluster := stack.only(t, "AWS::EKS::Cluster").Properties
		for _, c := range []struct {
			path []any
			want any
		}{
			{[]any{"Name"}, env.Name},
			{[]any{"Version"}, env.Cluster.Version},
			{[]any{"AccessConfig", "AuthenticationMode"}, "API"},
			{[]any{"AccessConfig", "BootstrapClusterCreatorAdminPermissions"}, false},
			{[]any{"BootstrapSelfManagedAddons"}, false},
			{[]any{"UpgradePolicy", "SupportType"}, "STANDARD"},
			{[]any{"DeletionProtection"}, env.DeletionProtection},
			{[]any{"ResourcesVpcConfig", "EndpointPrivateAccess"}, true},
			{[]any{"ResourcesVpcConfig", "EndpointPublicAccess"}, len(env.Cluster.PublicAccessCIDRs) > 0},
			{[]any{"EncryptionConfig", 0, "Resources", 0}, "secrets"},
			{[]any{"KubernetesNetworkConfig", "ServiceIpv4Cidr"}, env.Cluster.ServiceCIDR},
		} {
			if got := get(cluster, c.path...); got != c.want {
				t.Errorf("%s: %v is %v, want %v", env.Name, c.path, got, c.want)
			}
		}
		if logs := asList(get(cluster, "Logging", "ClusterLogging", "EnabledTypes")); len(logs) != 5 {
			t.Errorf("%s: logs %s", env.Name, text(logs))
		}
		for id, key := range stack.ofType("AWS::KMS::Key") {
			if key.Properties["EnableKeyRotation"] != true {
				t.Errorf("%s: %s does not rotate", env.Name, id)
			}
		}
		var addons []string
		for _, a := range stack.ofType("AWS::EKS::Addon") {
			addons = append(addons, a.Properties["AddonName"].(string))
		}
		slices.Sort(addons)
		if diff := cmp.Diff([]string{"coredns", "eks-pod-identity-agent", "kube-proxy", "metrics-server", "vpc-cni"}, addons); diff != "" {
			t.Errorf("%s: add-ons (-want +got):\n%s", env.Name, diff)
		}
		// The function that applies manifests is in private subnets.
		for id, f := range stack.ofType("AWS::Lambda::Function") {
			for _, subnet := range asList(get(f.Properties, "VpcConfig", "SubnetIds")) {
				if !strings.Contains(text(subnet), "privateSubnet") {
					t.Errorf("%s: %s is in %s", env.Name, id, text(subnet))
				}
			}
			// That of alerts reaches APIs of AWS alone.
			if alerts := f.Properties["FunctionName"] == env.AlertsFunctionName(); alerts != (get(f.Properties, "VpcConfig") == nil) {
				t.Errorf("%s: %s is outside the VPC, or is that of alerts and inside", env.Name, id)
			}
		}
		want := 2
		if env.Alerts.SNS {
			want = 3
		}
		if got := len(stack.ofType("AWS::Lambda::Function")); got != want {
			t.Errorf("%s: %d functions, want the two of the kubectl provider, and that of alerts.sns", env.Name, got)
		}
		// The access entries of the kubectl provider and of the functions of the databases of Ghost and orders, and the configured ones.
		// A team's own applications may have databases, too.
		got := 0
		for _, e := range stack.ofType("AWS::EKS::AccessEntry") {
			if !slices.ContainsFunc(others(), func(name string) bool {
				return strings.Contains(text(e.Properties["PrincipalArn"]), "role/"+env.DatabaseFunctionName(name))
			}) {
				got++
			}
		}
		if want := 3 + len(env.Cluster.Admins) + len(env.Cluster.Viewers); got != want {
			t.Errorf("%s: %d access entries, want %d", env.Name, got, want)
		}
	}
}

func TestNodes(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		data := stack.only(t, "AWS::EC2::LaunchTemplate").Properties["LaunchTemplateData"]
		for _, c := range []struct {
			path []any
			want any
		}{
			{[]any{"MetadataOptions", "HttpTokens"}, "required"},
			{[]any{"MetadataOptions", "HttpPutResponseHopLimit"}, 1.0},
			{[]any{"BlockDeviceMappings", 0, "Ebs", "Encrypted"}, true},
			{[]any{"BlockDeviceMappings", 0, "Ebs", "VolumeSize"}, float64(env.Nodes.DiskGiB)},
		} {
			if got := get(data, c.path...); got != c.want {
				t.Errorf("%s: %v is %v, want %v", env.Name, c.path, got, c.want)
			}
		}
		groups := text(get(data, "SecurityGroupIds"))
		if !strings.Contains(groups, "ClusterSecurityGroupId") || !strings.Contains(groups, "Workloads") {
			t.Errorf("%s: security groups %s", env.Name, groups)
		}
		nodes := stack.only(t, "AWS::EKS::Nodegroup").Properties
		if nodes["AmiType"] != "AL2023_ARM_64_STANDARD" || nodes["CapacityType"] != map[bool]string{true: "SPOT", false: "ON_DEMAND"}[env.Nodes.Spot] {
			t.Errorf("%s: nodes %s", env.Name, text(nodes))
		}
		for id, r := range stack.ofType("AWS::IAM::Role") {
			if strings.HasPrefix(id, "NodesRole") && strings.Contains(text(r), "AmazonEKS_CNI_Policy") {
				t.Errorf("%s: nodes may manage network interfaces", env.Name)
			}
		}
	}
}

// The order of the bootstrap, and with it of the removal.
func TestBootstrapOrder(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		root := stepID(t, stack, "FluxKustomization")
		before := reachable(stack, root)
		for _, want := range slices.Concat(slices.Collect(maps.Keys(stack.ofType("AWS::EKS::PodIdentityAssociation"))), slices.Collect(maps.Keys(stack.ofType("AWS::EKS::Nodegroup"))), slices.Collect(maps.Keys(stack.ofType("AWS::CertificateManager::Certificate")))) {
			if !before[want] {
				t.Errorf("%s: the root Kustomization does not depend on %s", env.Name, want)
			}
		}
		associations := stack.ofType("AWS::EKS::PodIdentityAssociation")
		// The controllers', Ghost's, those of billing and orders, and those of other applications.
		want := map[bool]int{true: 7, false: 6}[env.UpdatesImages()]
		for _, name := range others() {
			want += len(podRoles(templates[env.StackName(name)]))
		}
		if len(associations) != want {
			t.Errorf("%s: %d associations, want %d", env.Name, len(associations), want)
		}
		for id := range associations { // Flux's own controllers, too, start with their roles
			if !reachable(stack, stepID(t, stack, "FluxInstance"))[id] {
				t.Errorf("%s: the FluxInstance does not depend on %s", env.Name, id)
			}
		}
		order := []string{"FluxKustomization", "FluxSource", "FluxRunning", "FluxInstance", "FluxOperator", "FluxNamespace"}
		for i, later := range order[:len(order)-1] {
			if !reachable(stack, stepID(t, stack, later))[stepID(t, stack, order[i+1])] {
				t.Errorf("%s: %s does not depend on %s", env.Name, later, order[i+1])
			}
		}
		if !before[stepID(t, stack, "ClusterFacts")] {
			t.Errorf("%s: the root Kustomization does not depend on the facts", env.Name)
		}
	}
}

// stepID returns the logical id of a step of the bootstrap, by the beginning of its construct's id.
func stepID(t *testing.T, parsed template, step string) string {
	t.Helper()
	for id, r := range parsed.Resources {
		if strings.HasPrefix(id, "Bootstrap"+step) && strings.HasPrefix(r.Type, "Custom::") {
			return id
		}
	}
	t.Fatalf("the bootstrap has no step %s", step)
	return ""
}

// reachable follows DependsOn.
func reachable(parsed template, id string) map[string]bool {
	seen := map[string]bool{}
	var visit func(string)
	visit = func(id string) {
		for _, next := range parsed.Resources[id].DependsOn {
			if !seen[next] {
				seen[next] = true
				visit(next)
			}
		}
	}
	visit(id)
	return seen
}

// The cluster's stack holds an association for as many services as may have one, beside what it has: a stack of CloudFormation
// has at most 500 resources. Some room is left for applications in Go.
func TestTheClustersStackHasRoom(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		own := len(templates[env.StackName("cluster")].Resources)
		if free := 500 - services.MaxAWS - own; free < 30 {
			t.Errorf("%s: the cluster's stack has %d resources, and with %d services there is room for %d more: lower services.MaxAWS", env.Name, own, services.MaxAWS, free)
		}
	}
}
