package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/infrastructure/addons"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/services/fleet"
)

// What may act on every resource ("*"), by logical id prefix and action, and why. Anything else fails the test.
var everything = map[string]string{
	"Bootstrapexternaldns route53:ListHostedZones":           "no resource level",
	"Bootstrapawsloadbalancercontroller":                     "upstream's policy, compared with upstream in infrastructure/addons",
	"NodesRole ssmmessages:CreateControlChannel":             "no resource level, as for the three below: Session Manager's channels of the node itself",
	"NodesRole ssmmessages:CreateDataChannel":                "no resource level",
	"NodesRole ssmmessages:OpenControlChannel":               "no resource level",
	"NodesRole ssmmessages:OpenDataChannel":                  "no resource level",
	"DeliveryDockerbuild ecr:GetAuthorizationToken":          "no resource level; the builds of the image",
	"DeliveryDeploymentImages ecr:GetAuthorizationToken":     "no resource level; the build that copies images",
	"DeliveryDeploymentVerify ec2:DescribeDhcpOptions":       "no resource level, as for the four below: CodeBuild puts the build into the VPC",
	"DeliveryDeploymentVerify ec2:DescribeNetworkInterfaces": "no resource level",
	"DeliveryDeploymentVerify ec2:DescribeSecurityGroups":    "no resource level",
	"DeliveryDeploymentVerify ec2:DescribeSubnets":           "no resource level",
	"DeliveryDeploymentVerify ec2:DescribeVpcs":              "no resource level",
	"DeliveryDrill ec2:DescribeDhcpOptions":                  "no resource level, as for the four below: CodeBuild puts the build into the VPC",
	"DeliveryDrill ec2:DescribeNetworkInterfaces":            "no resource level",
	"DeliveryDrill ec2:DescribeSecurityGroups":               "no resource level",
	"DeliveryDrill ec2:DescribeSubnets":                      "no resource level",
	"DeliveryDrill ec2:DescribeVpcs":                         "no resource level",
	"BackupRole cloudwatch:GetMetricData":                    "no resource level; AWS Backup asks for the size of a bucket",
	"BackupRole events:ListRules":                            "no resource level; AWS Backup looks for its own rule, by which it hears of changes in buckets",
	"BackupRole s3:ListAllMyBuckets":                         "no resource level",
	"BackupRole tag:GetResources":                            "no resource level; AWS Backup finds by tag what it keeps",
	"DeliveryDrift":                                          "drift detection reads every resource of the stacks with its caller's rights; actions that only read, TestDriftOnlyReads",
	"Bootstrapimagereflector ecr:GetAuthorizationToken":      "no resource level; the controller that lists the image's tags",
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

// asList returns a value that may be one or a list as a list.
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
			if !strings.HasPrefix(id, "Bootstrapawsloadbalancercontroller") {
				continue
			}
			var got policy.Document
			if err := json.Unmarshal([]byte(text(map[string]any{"Statement": statements})), &got); err != nil {
				t.Fatalf("%s: %v", env.Name, err)
			}
			want := addons.LoadBalancerController(env).Policy.Permissions()
			if diff := cmp.Diff(want, got.Permissions()); diff != "" {
				t.Errorf("%s (-upstream +template):\n%s", env.Name, diff)
			}
		}
	}
}

// excused reports whether an action on everything has a reason.
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
		want := map[string]bool{"kube-system/aws-node": true, "kube-system/aws-load-balancer-controller": true, "external-dns/external-dns": true, "external-secrets/external-secrets": true, "ghost/ghost": true, "billing/billing": true, "orders/orders": true}
		if env.UpdatesImages() {
			want["flux-system/image-reflector-controller"] = true
		}
		got := map[string]bool{}
		for _, name := range others() {
			for _, r := range podRoles(templates[env.StackName(name)]) {
				want[serviceAccount(r)] = true
			}
		}
		for _, stack := range append([]string{"cluster", "ghost", "billing", "orders"}, others()...) {
			for id, r := range podRoles(templates[env.StackName(stack)]) {
				condition := get(r.Properties, "AssumeRolePolicyDocument", "Statement", 0, "Condition", "StringEquals")
				if cluster := get(condition, "aws:RequestTag/eks-cluster-arn"); cluster != "arn:aws:eks:"+env.Region+":"+env.Account+":cluster/"+env.Name {
					t.Errorf("%s %s trusts cluster %v", env.Name, id, cluster)
				}
				got[serviceAccount(r)] = true
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

// podRoles are the roles that pods assume, by logical id.
func podRoles(parsed template) map[string]resource {
	found := parsed.ofType("AWS::IAM::Role")
	maps.DeleteFunc(found, func(_ string, r resource) bool {
		return !strings.Contains(text(r.Properties["AssumeRolePolicyDocument"]), "pods.eks.amazonaws.com")
	})
	return found
}

// serviceAccount is the one that a role trusts, behind its namespace.
func serviceAccount(role resource) string {
	condition := get(role.Properties, "AssumeRolePolicyDocument", "Statement", 0, "Condition", "StringEquals")
	return fmt.Sprint(get(condition, "aws:RequestTag/kubernetes-namespace"), "/", get(condition, "aws:RequestTag/kubernetes-service-account"))
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
		// The ways in are from the security groups of the pods and of the function, to MySQL's port.
		var sources []string
		for _, rule := range ghost.ofType("AWS::EC2::SecurityGroupIngress") {
			p := rule.Properties
			sources = append(sources, text(p["SourceSecurityGroupId"]))
			if p["FromPort"] != 3306.0 || p["ToPort"] != 3306.0 || p["CidrIp"] != nil {
				t.Errorf("%s: %s", env.Name, text(p))
			}
		}
		slices.Sort(sources)
		if len(sources) != 2 || !strings.Contains(sources[0], "GhostMySQLUserAccess") || !strings.Contains(sources[1], "Workloads") {
			t.Errorf("%s: ways in: %s", env.Name, sources)
		}
		for _, group := range ghost.ofType("AWS::EC2::SecurityGroup") {
			if inline := group.Properties["SecurityGroupIngress"]; inline != nil {
				t.Errorf("%s: more ways in: %s", env.Name, text(inline))
			}
		}
		var secret map[string]any
		for id, r := range ghost.ofType("AWS::SecretsManager::Secret") {
			if strings.HasPrefix(id, "GhostMySQLSecret") {
				secret = r.Properties
			}
		}
		if secret["Name"] != "/"+env.Name+"/ghost/database" || secret["KmsKeyId"] == nil {
			t.Errorf("%s: secret %s", env.Name, text(secret))
		}
		if template := get(secret, "GenerateSecretString", "SecretStringTemplate"); template != `{"dbname":"ghost","username":"ghost"}` && template != `{"username":"ghost","dbname":"ghost"}` {
			t.Errorf("%s: secret template %v", env.Name, template)
		}
		if n := len(ghost.ofType("AWS::SecretsManager::SecretTargetAttachment")); n != 2 {
			t.Errorf("%s: %d attachments of secrets, want 2", env.Name, n)
		}
		// The pods' password changes, and the first pods do not race with a change that nobody waits for.
		rotation := ghost.only(t, "AWS::SecretsManager::RotationSchedule").Properties
		if days := get(rotation, "RotationRules", "AutomaticallyAfterDays"); days != float64(env.Ghost.Database.RotationDays) || rotation["RotateImmediatelyOnUpdate"] != false {
			t.Errorf("%s: rotation %s", env.Name, text(rotation))
		}
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
		manifest := fmt.Sprint(stack.Resources[stepID(t, stack, "FluxInstance")].Properties["Manifest"])
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
