package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/infrastructure/addons"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

// What may act on every resource ("*"), by logical id prefix and action, and why. Anything else fails the test.
var everything = map[string]string{
	"Roleexternaldns route53:ListHostedZones": "no resource level",
	"Roleawsloadbalancercontroller":           "upstream's policy, compared with upstream in infrastructure/addons",
	"Roleimage ecr:GetAuthorizationToken":     "no resource level; the builds of the image, and the controller that lists its tags",
}

// statementsOf lists the statements of the identity policies of a template, by logical id.
func statementsOf(t template) map[string][]any {
	found := map[string][]any{}
	for id, r := range t.Resources {
		switch r.Type {
		case "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy":
			found[id] = asList(get(r.Properties, "PolicyDocument", "Statement"))
		case "AWS::IAM::Role":
			for _, p := range asList(r.Properties["Policies"]) {
				found[id] = append(found[id], asList(get(p, "PolicyDocument", "Statement"))...)
			}
		}
	}
	return found
}

// asList is a value that may be one or a list.
func asList(value any) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		return v
	default:
		return []any{v}
	}
}

func TestNoPolicyAllowsEverything(t *testing.T) {
	for stack, parsed := range sampleApp(t) {
		if strings.Contains(string(parsed.raw), "AdministratorAccess") || strings.Contains(string(parsed.raw), "PowerUserAccess") {
			t.Errorf("%s: an administrator's policy", stack)
		}
		for id, statements := range statementsOf(parsed) {
			for _, s := range statements {
				for _, action := range asList(get(s, "Action")) {
					if strings.HasSuffix(action.(string), "*") {
						t.Errorf("%s %s allows %s", stack, id, action)
					}
					if slices.Contains(asList(get(s, "Resource")), any("*")) && !excused(id, action.(string)) {
						t.Errorf("%s %s allows %s on *; name the resource, or give a reason in this test", stack, id, action)
					}
				}
			}
		}
	}
}

// The load balancer controller gets upstream's policy, whatever CDK does to its statements.
func TestLoadBalancerControllerRole(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		for id, statements := range statementsOf(templates[env.StackName("cluster")]) {
			if !strings.HasPrefix(id, "Roleawsloadbalancercontroller") {
				continue
			}
			want := addons.LoadBalancerController(env).Policy.Permissions()
			if diff := cmp.Diff(want, addons.Document{"Statement": statements}.Permissions()); diff != "" {
				t.Errorf("%s (-upstream +template):\n%s", env.Name, diff)
			}
		}
	}
}

// excused tells whether an action on everything has a reason.
func excused(id, action string) bool {
	for key := range everything {
		prefix, only, _ := strings.Cut(key, " ")
		if strings.HasPrefix(id, prefix) && (only == "" || only == action) {
			return true
		}
	}
	return false
}

// Every role that pods assume trusts one ServiceAccount of one cluster, and every association's ServiceAccount is the one
// that its role trusts.
func TestPodIdentityRolesTrustOneServiceAccount(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		want := map[string]bool{"kube-system/aws-node": true, "kube-system/aws-load-balancer-controller": true, "external-dns/external-dns": true, "external-secrets/external-secrets": true, "ghost/ghost": true}
		if env.UpdatesImages() {
			want["flux-system/image-reflector-controller"] = true
		}
		got := map[string]bool{}
		for _, stack := range []string{"cluster", "ghost"} {
			for id, r := range templates[env.StackName(stack)].ofType("AWS::IAM::Role") {
				trust := text(r.Properties["AssumeRolePolicyDocument"])
				if !strings.Contains(trust, "pods.eks.amazonaws.com") {
					continue
				}
				condition := get(r.Properties, "AssumeRolePolicyDocument", "Statement", 0, "Condition", "StringEquals")
				if cluster := get(condition, "aws:RequestTag/eks-cluster-arn"); cluster != "arn:aws:eks:"+env.Region+":"+env.Account+":cluster/"+env.Name {
					t.Errorf("%s %s trusts cluster %v", env.Name, id, cluster)
				}
				got[fmt.Sprint(get(condition, "aws:RequestTag/kubernetes-namespace"), "/", get(condition, "aws:RequestTag/kubernetes-service-account"))] = true
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: roles (-want +got):\n%s", env.Name, diff)
		}
		for id, a := range templates[env.StackName("cluster")].ofType("AWS::EKS::PodIdentityAssociation") {
			if key := fmt.Sprint(a.Properties["Namespace"], "/", a.Properties["ServiceAccount"]); !want[key] {
				t.Errorf("%s %s associates %s, whom no role trusts", env.Name, id, key)
			}
		}
	}
}

func TestDatabase(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		ghost := templates[env.StackName("ghost")]
		db := ghost.only(t, "AWS::RDS::DBInstance")
		for property, want := range map[string]any{
			"PubliclyAccessible": false, "StorageEncrypted": true, "DeletionProtection": env.DeletionProtection,
			"MultiAZ": env.Ghost.Database.MultiAZ, "DBInstanceIdentifier": env.Name + "-ghost", "DBName": "ghost", "Engine": "mysql",
			"BackupRetentionPeriod": float64(env.Ghost.Database.BackupDays), "DBInstanceClass": env.Ghost.Database.InstanceClass,
		} {
			if got := db.Properties[property]; got != want {
				t.Errorf("%s: %s is %v, want %v", env.Name, property, got, want)
			}
		}
		if want := map[bool]string{true: "Snapshot", false: "Delete"}[env.DeletionProtection]; db.DeletionPolicy != want || db.UpdateReplacePolicy != want {
			t.Errorf("%s: removal %s %s, want %s", env.Name, db.DeletionPolicy, db.UpdateReplacePolicy, want)
		}
		if secure := get(ghost.only(t, "AWS::RDS::DBParameterGroup").Properties, "Parameters", "require_secure_transport"); secure != "1" {
			t.Errorf("%s: require_secure_transport is %v", env.Name, secure)
		}
		for _, subnet := range asList(ghost.only(t, "AWS::RDS::DBSubnetGroup").Properties["SubnetIds"]) {
			if !strings.Contains(text(subnet), "isolatedSubnet") {
				t.Errorf("%s: the database is in %s", env.Name, text(subnet))
			}
		}
		// The one way in is from the pods' security group, to MySQL's port.
		rule := ghost.only(t, "AWS::EC2::SecurityGroupIngress").Properties
		if rule["FromPort"] != 3306.0 || rule["ToPort"] != 3306.0 || rule["CidrIp"] != nil || !strings.Contains(text(rule["SourceSecurityGroupId"]), "Workloads") {
			t.Errorf("%s: %s", env.Name, text(rule))
		}
		if inline := ghost.only(t, "AWS::EC2::SecurityGroup").Properties["SecurityGroupIngress"]; inline != nil {
			t.Errorf("%s: more ways in: %s", env.Name, text(inline))
		}
		secret := ghost.only(t, "AWS::SecretsManager::Secret").Properties
		if secret["Name"] != "/"+env.Name+"/ghost/database" || secret["KmsKeyId"] == nil {
			t.Errorf("%s: secret %s", env.Name, text(secret))
		}
		if template := get(secret, "GenerateSecretString", "SecretStringTemplate"); template != `{"dbname":"ghost","username":"ghost"}` && template != `{"username":"ghost","dbname":"ghost"}` {
			t.Errorf("%s: secret template %v", env.Name, template)
		}
		ghost.only(t, "AWS::SecretsManager::SecretTargetAttachment")
	}
}

func TestBucketAndImages(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		ghost := templates[env.StackName("ghost")]
		want := map[bool]string{true: "Retain", false: "Delete"}[env.DeletionProtection]
		bucket, images := ghost.only(t, "AWS::S3::Bucket"), ghost.only(t, "AWS::ECR::Repository")
		if bucket.DeletionPolicy != want || images.DeletionPolicy != want {
			t.Errorf("%s: removal %s %s, want %s", env.Name, bucket.DeletionPolicy, images.DeletionPolicy, want)
		}
		if got := text(bucket.Properties["PublicAccessBlockConfiguration"]); got != `{"BlockPublicAcls":true,"BlockPublicPolicy":true,"IgnorePublicAcls":true,"RestrictPublicBuckets":true}` {
			t.Errorf("%s: public access %s", env.Name, got)
		}
		if bucket.Properties["BucketEncryption"] == nil || get(bucket.Properties, "VersioningConfiguration", "Status") != "Enabled" {
			t.Errorf("%s: bucket %s", env.Name, text(bucket.Properties))
		}
		if policy := text(ghost.only(t, "AWS::S3::BucketPolicy").Properties); !strings.Contains(policy, `"aws:SecureTransport":"false"`) || !strings.Contains(policy, `"Deny"`) {
			t.Errorf("%s: bucket policy %s", env.Name, policy)
		}
		if images.Properties["ImageTagMutability"] != "IMMUTABLE" || get(images.Properties, "ImageScanningConfiguration", "ScanOnPush") != true {
			t.Errorf("%s: images %s", env.Name, text(images.Properties))
		}
	}
}

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
			if get(f.Properties, "VpcConfig") == nil {
				t.Errorf("%s: %s is outside the VPC", env.Name, id)
			}
		}
		if len(stack.ofType("AWS::Lambda::Function")) != 2 {
			t.Errorf("%s: %d functions, want the two of the kubectl provider", env.Name, len(stack.ofType("AWS::Lambda::Function")))
		}
		// The access entry of the kubectl provider, and the configured ones.
		if got, want := len(stack.ofType("AWS::EKS::AccessEntry")), 1+len(env.Cluster.Admins)+len(env.Cluster.Viewers); got != want {
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
			if strings.HasPrefix(id, "NodeRole") && strings.Contains(text(r), "AmazonEKS_CNI_Policy") {
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
		root := byPrefix(t, stack, "FluxKustomization")
		before := reachable(stack, root)
		for _, want := range slices.Concat(slices.Collect(maps.Keys(stack.ofType("AWS::EKS::PodIdentityAssociation"))), slices.Collect(maps.Keys(stack.ofType("AWS::EKS::Nodegroup"))), slices.Collect(maps.Keys(stack.ofType("AWS::CertificateManager::Certificate")))) {
			if !before[want] {
				t.Errorf("%s: the root Kustomization does not depend on %s", env.Name, want)
			}
		}
		associations := stack.ofType("AWS::EKS::PodIdentityAssociation")
		if want := map[bool]int{true: 5, false: 4}[env.UpdatesImages()]; len(associations) != want {
			t.Errorf("%s: %d associations, want %d", env.Name, len(associations), want)
		}
		for id := range associations { // Flux's own controllers, too, start with their roles
			if !reachable(stack, byPrefix(t, stack, "FluxInstance"))[id] {
				t.Errorf("%s: the FluxInstance does not depend on %s", env.Name, id)
			}
		}
		order := []string{"FluxKustomization", "FluxSource", "FluxRunning", "FluxInstance", "ClusterchartFluxOperator", "FluxNamespace"}
		for i, later := range order[:len(order)-1] {
			if !reachable(stack, byPrefix(t, stack, later))[byPrefix(t, stack, order[i+1])] {
				t.Errorf("%s: %s does not depend on %s", env.Name, later, order[i+1])
			}
		}
		if !before[byPrefix(t, stack, "ClusterFacts")] {
			t.Errorf("%s: the root Kustomization does not depend on the facts", env.Name)
		}
	}
}

// byPrefix is the logical id of the one custom resource whose id starts so.
func byPrefix(t *testing.T, parsed template, prefix string) string {
	t.Helper()
	for id, r := range parsed.Resources {
		if strings.HasPrefix(id, prefix) && strings.HasPrefix(r.Type, "Custom::") {
			return id
		}
	}
	t.Fatalf("no custom resource %s…", prefix)
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

func TestNetwork(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("network")]
		want := map[string]int{"one": 1, "per-zone": 3}[string(env.Network.NAT)]
		if got := len(stack.ofType("AWS::EC2::NatGateway")); got != want {
			t.Errorf("%s: %d NAT gateways, want %d", env.Name, got, want)
		}
		if got := stack.only(t, "AWS::EC2::VPCEndpoint").Properties; got["VpcEndpointType"] != "Gateway" || !strings.Contains(text(got["ServiceName"]), "s3") {
			t.Errorf("%s: endpoint %s", env.Name, text(got))
		}
		if got := stack.only(t, "AWS::EC2::FlowLog").Properties["TrafficType"]; got != "ALL" {
			t.Errorf("%s: flow logs of %v", env.Name, got)
		}
		if got := get(stack.only(t, "AWS::Logs::LogGroup").Properties, "RetentionInDays"); got != float64(env.Network.FlowLogDays) {
			t.Errorf("%s: flow logs for %v days", env.Name, got)
		}
		counts := map[string]int{}
		for id, s := range stack.ofType("AWS::EC2::Subnet") {
			if s.Properties["MapPublicIpOnLaunch"] != false {
				t.Errorf("%s: %s gives public addresses", env.Name, id)
			}
			tags := text(s.Properties["Tags"])
			for tag := range map[string]bool{"kubernetes.io/role/elb": true, "kubernetes.io/role/internal-elb": true} {
				if strings.Contains(tags, `"`+tag+`"`) {
					counts[tag]++
				}
			}
		}
		if diff := cmp.Diff(map[string]int{"kubernetes.io/role/elb": 3, "kubernetes.io/role/internal-elb": 3}, counts); diff != "" {
			t.Errorf("%s: tagged subnets (-want +got):\n%s", env.Name, diff)
		}
	}
}

// Every Kustomization that waits for the end of its children holds a worker of kustomize-controller: the root, the layers and
// the parts of the fleet. One more is needed, or the children never end and a removal stands still.
func TestWorkersOutnumberWaitingKustomizations(t *testing.T) {
	templates := sampleApp(t)
	layers, err := filepath.Glob("k8s/clusters/base/*.yaml")
	if err != nil || len(layers) == 0 {
		t.Fatalf("no layers: %v", err)
	}
	for _, env := range environments(t, sample(t), "") {
		stack := templates[env.StackName("cluster")]
		manifest := fmt.Sprint(stack.Resources[byPrefix(t, stack, "FluxInstance")].Properties["Manifest"])
		if !strings.Contains(manifest, "CancelHealthCheckOnNewRevision=true") {
			t.Errorf("%s: a commit that repairs waits for the health of the one that broke", env.Name)
		}
		_, after, found := strings.Cut(manifest, "--concurrent=")
		var workers int
		if _, err := fmt.Sscan(strings.FieldsFunc(after+" ", func(r rune) bool { return r < '0' || r > '9' })[0], &workers); !found || err != nil {
			t.Fatalf("%s: the FluxInstance sets no workers: %v", env.Name, err)
		}
		if waiting := 1 + len(layers) + fleet.Shards; workers <= waiting {
			t.Errorf("%s: %d workers for %d Kustomizations that wait", env.Name, workers, waiting)
		}
	}
}
