package main

import (
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// checkovFinding is a check of checkov that resources of a type do not pass, and why that is right. `checkov -d
// testdata/templates --framework cloudformation` runs checkov itself (docs/design/20261129.aws-facts.md); this list is
// held against the templates without it: for each check the test evaluates the same property.
type checkovFinding struct {
	check, kind string
	// missing reports whether a resource lacks what the check asks for.
	missing func(properties map[string]any) bool
	// accepted are the resources, by logical id without hash, that may lack it; none must lack it.
	accepted []string
	reason   string
}

// without reports whether a property is not set, or not true.
func without(path string) func(map[string]any) bool {
	return func(properties map[string]any) bool {
		value := at(properties, path)
		return value == nil || value == false
	}
}

// writesAnywhere reports whether a role's own policies allow a change of something on every resource without a condition.
func writesAnywhere(properties map[string]any) bool {
	for _, policy := range asList(properties["Policies"]) {
		for _, s := range asList(get(policy, "PolicyDocument", "Statement")) {
			if get(s, "Condition") != nil || !slices.Contains(texts(get(s, "Resource")), "*") {
				continue
			}
			for _, action := range texts(get(s, "Action")) {
				if known, ok := awsdata.Find(action); ok && known.Level != "Read" && known.Level != "List" {
					return true
				}
			}
		}
	}
	return false
}

// wildcardName reports whether a certificate is for names that it does not list.
func wildcardName(properties map[string]any) bool {
	return slices.ContainsFunc(append(texts(properties["SubjectAlternativeNames"]), texts(properties["DomainName"])...), func(name string) bool {
		return strings.HasPrefix(name, "*.")
	})
}

// functions are the two of the CDK's kubectl provider, those of databases, and that of alerts.
var functions = []string{"ClusterEKSKubectlProviderHandler", "ClusterEKSKubectlProviderframeworkonEvent", "GhostMySQLUserFunction", "ServiceDatabaseUserFunction", "AlertsFunction"}

var checkovFindings = []checkovFinding{
	{check: "CKV_AWS_158", kind: "AWS::Logs::LogGroup", missing: without("KmsKeyId"), reason: "Every log group is under a key of the environment."},
	{check: "CKV_AWS_18", kind: "AWS::S3::Bucket", missing: without("LoggingConfiguration"),
		accepted: []string{"DeliveryStoreArtifacts", "DeliveryAssets", "GhostContent", "ServiceBucket"},
		reason:   "One role writes each, and they hold what is in Git, public, or one service's. Who needs the record enables CloudTrail data events for the account, which name the caller and arrive in order; access logs do neither surely."},
	{check: "CKV_AWS_116", kind: "AWS::Lambda::Function", missing: without("DeadLetterConfig"), accepted: functions,
		reason: "CloudFormation, Secrets Manager or Flux calls them and waits for the answer; a call that fails fails the deployment, or is repeated by the rotation that it belongs to, or by Flux."},
	{check: "CKV_AWS_115", kind: "AWS::Lambda::Function", missing: without("ReservedConcurrentExecutions"), accepted: functions[:len(functions)-1],
		reason: "They run during deployments and rotations, a few at a time; a new account has too few to reserve any, and reserved executions would be taken from the account's other functions all day."},
	{check: "CKV_AWS_173", kind: "AWS::Lambda::Function", missing: without("KmsKeyArn"), accepted: functions,
		reason: "Their variables are ARNs and names and hold no secret; Lambda encrypts them with its own key."},
	{check: "CKV_AWS_118", kind: "AWS::RDS::DBInstance", missing: without("MonitoringInterval"), accepted: []string{"GhostMySQLDatabase", "ServiceDatabase", "SharedDatabase"},
		reason: "CloudWatch has processor, memory, storage and connections each minute, and the slow log has the statements; the agent's seconds cost a role and a log for what nobody asks of a small database."},
	{check: "CKV_AWS_161", kind: "AWS::RDS::DBInstance", missing: without("EnableIAMDatabaseAuthentication"), accepted: []string{"GhostMySQLDatabase", "ServiceDatabase", "SharedDatabase"},
		reason: "Ghost and most drivers connect by password over TLS and cannot renew a token every 15 minutes; a second way in that nothing uses is one to guard."},
	{check: "CKV_AWS_157", kind: "AWS::RDS::DBInstance", missing: without("MultiAZ"), accepted: []string{"GhostMySQLDatabase", "ServiceDatabase", "SharedDatabase"},
		reason: "A standby doubles the price: ghost.database.multiAz and a service's aws.database.multiAz decide, and production sets them."},
	{check: "CKV_AWS_111", kind: "AWS::IAM::Role", missing: writesAnywhere, accepted: []string{"NodesRole", "BootstrapawsloadbalancercontrollerRole"},
		reason: "Session Manager's channels have no resource level. And upstream's policy for exactly this version (TestLoadBalancerControllerRole): listeners, rules and web ACLs have no tag of the cluster to narrow by."},
	{check: "CKV2_AWS_71", kind: "AWS::CertificateManager::Certificate", missing: wildcardName, accepted: []string{"Certificate"},
		reason: "One certificate for the environment's domain and one level below it: applications come and go by pull requests to the Kubernetes half, which cannot ask ACM. It is held by ACM, from which no key can be read."},
	{check: "CKV_AWS_136", kind: "AWS::ECR::Repository", missing: func(p map[string]any) bool { return at(p, "EncryptionConfiguration.EncryptionType") != "KMS" },
		accepted: []string{"GhostImages"},
		reason:   "The images are public software and a repository's configuration, encrypted by ECR with AES-256. A key of our own would be needed by whoever pulls, in every account that promotes an image, and cannot be added or removed later."},
}

// No resource lacks what a check of checkov asks for without a reason here, and no reason is left over.
func TestCheckovFindings(t *testing.T) {
	templates := sampleApp(t)
	for _, f := range checkovFindings {
		lacking := map[string]bool{}
		for stack, parsed := range templates {
			if ofOthers(stack) {
				continue
			}
			for id, r := range parsed.ofType(f.kind) {
				name := idHash.ReplaceAllString(id, "")
				if !f.missing(r.Properties) {
					continue
				}
				lacking[name] = true
				if !slices.Contains(f.accepted, name) {
					t.Errorf("%s %s (%s) fails %s: change it, or accept it in checkov_test.go if this holds for it: %s", stack, id, f.kind, f.check, f.reason)
				}
			}
		}
		for _, name := range f.accepted {
			if !lacking[name] {
				t.Errorf("%s: no %s %s lacks it any more; remove it from checkov_test.go", f.check, f.kind, name)
			}
		}
	}
}

// The key of a log group lets CloudWatch Logs use it in the environment's region. Without that the group is not made:
// "The specified KMS key does not exist or is not allowed to be used".
func TestKeysOfLogGroups(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		for stack, parsed := range templates {
			if !strings.HasPrefix(stack, env.Name+"-") {
				continue
			}
			for id, group := range parsed.ofType("AWS::Logs::LogGroup") {
				var allowedIn string
				for _, s := range asList(get(keyOf(templates, parsed, group.Properties["KmsKeyId"]), "KeyPolicy", "Statement")) {
					if get(s, "Sid") == "EncryptLogGroups" {
						allowedIn = text(get(s, "Principal", "Service")) + text(get(s, "Condition", "ArnLike"))
					}
				}
				if !strings.Contains(allowedIn, "logs."+env.Region+".") || !strings.Contains(allowedIn, `"kms:EncryptionContext:aws:logs:arn"`) || !strings.Contains(allowedIn, env.Account+":log-group:*") {
					t.Errorf("%s %s: its key lets CloudWatch Logs do nothing, got %q: call retention.AllowLogs with it", stack, id, allowedIn)
				}
			}
		}
	}
}

// keyOf follows a reference to a key, in its stack or another, and returns the key's properties.
func keyOf(templates map[string]template, parsed template, reference any) map[string]any {
	if name := get(reference, "Fn::ImportValue"); name != nil {
		for _, other := range templates {
			for _, output := range other.Outputs {
				if text(get(output, "Export", "Name")) == text(name) {
					return keyOf(templates, other, get(output, "Value"))
				}
			}
		}
	}
	id, _ := get(reference, "Fn::GetAtt", 0).(string)
	return parsed.Resources[id].Properties
}
