package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
)

// otherRights is what each role outside of the delivery stacks may do, by logical id without its hash: managed policies by
// name, and "action resource". A role that is not here fails the test, and so does anything more. The load balancer
// controller's role is compared with upstream's policy in TestLoadBalancerControllerRole.
func otherRights(env config.Environment) map[string][]string {
	function := []string{"managed service-role/AWSLambdaBasicExecutionRole", "managed service-role/AWSLambdaVPCAccessExecutionRole"}
	const handler = "ClusterEKSKubectlProviderHandler.Arn"
	secrets := "arn:aws:secretsmanager:" + env.Region + ":" + env.Account + ":secret:/" + env.Name + "/*"
	all := map[string][]string{
		"NetworkVPCFlowLogsRole": {"logs:CreateLogStream NetworkVPCFlowLogs.Arn", "logs:DescribeLogStreams NetworkVPCFlowLogs.Arn", "logs:PutLogEvents NetworkVPCFlowLogs.Arn"},
		"ClusterEKSRole":         {"managed AmazonEKSClusterPolicy"},
		"NodesRole":              {"managed AmazonEC2ContainerRegistryPullOnly", "managed AmazonEKSWorkerNodePolicy"},
		"ClusterCNIRole":         {"managed AmazonEKS_CNI_Policy"},
		// The function that runs kubectl and helm; it pulls charts from ECR and, where it exists, ECR Public.
		"ClusterEKSKubectlProviderHandlerServiceRole": append([]string{
			"eks:DescribeCluster ClusterEKS.Arn", "managed AmazonEC2ContainerRegistryReadOnly", "managed AmazonElasticContainerRegistryPublicReadOnly"}, function...),
		"ClusterEKSKubectlProviderframeworkonEventServiceRole": append([]string{
			"lambda:GetFunction " + handler, "lambda:InvokeFunction " + handler, "lambda:InvokeFunction " + handler + ":*"}, function...),
		"BootstrapexternaldnsRole": {
			"route53:ChangeResourceRecordSets ZONE", "route53:ListHostedZones *", "route53:ListResourceRecordSets ZONE", "route53:ListTagsForResources ZONE"},
		"BootstrapexternalsecretsRole": {
			"kms:Decrypt DATAKEY", "secretsmanager:DescribeSecret " + secrets, "secretsmanager:GetResourcePolicy " + secrets,
			"secretsmanager:GetSecretValue " + secrets, "secretsmanager:ListSecretVersionIds " + secrets},
		"GhostMySQLUserRole": databaseRights(env, "GhostMySQL"),
		"GhostRole": {
			"s3:AbortMultipartUpload GhostContent.Arn/*", "s3:DeleteObject GhostContent.Arn/*", "s3:GetObject GhostContent.Arn/*",
			"s3:ListBucket GhostContent.Arn", "s3:ListMultipartUploadParts GhostContent.Arn/*", "s3:PutObject GhostContent.Arn/*"},
	}
	if env.Alerts.SNS { // the conditions leave the topic's key, and Secrets Manager: TestAlerts
		all["AlertsRole"] = []string{"kms:Decrypt DATAKEY", "kms:Decrypt " + env.ARN("kms", "key/*"), "kms:GenerateDataKey " + env.ARN("kms", "key/*"),
			"logs:CreateLogStream AlertsLogs.Arn", "logs:PutLogEvents AlertsLogs.Arn", "secretsmanager:GetSecretValue AlertsToken", "sns:Publish " + env.ARN("sns", env.NotificationsTopic())}
	}
	if env.BacksUp() {
		all["BackupRole"] = backupRights(env)
	}
	if env.UsesSessionManager() {
		// The way into a cluster with a private endpoint: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager.html
		all["NodesRole"] = append(all["NodesRole"], "ssm:UpdateInstanceInformation arn:aws:ec2:"+env.Region+":"+env.Account+":instance/*",
			"ssmmessages:CreateControlChannel *", "ssmmessages:CreateDataChannel *", "ssmmessages:OpenControlChannel *", "ssmmessages:OpenDataChannel *")
	}
	if env.Ghost.Mail.Transport == config.MailSES { // from one address: TestMail
		identities := "arn:aws:ses:" + env.Region + ":" + env.Account + ":identity/*"
		all["GhostRole"] = append(all["GhostRole"], "ses:SendEmail "+identities, "ses:SendRawEmail "+identities)
	}
	if env.UpdatesImages() {
		all["BootstrapimagereflectorcontrollerRole"] = []string{
			"ecr:GetAuthorizationToken *", "ecr:BatchGetImage arn:aws:ecr:" + env.Region + ":" + env.Account + ":repository/" + env.Name + "/ghost",
			"ecr:ListImages arn:aws:ecr:" + env.Region + ":" + env.Account + ":repository/" + env.Name + "/ghost"}
	}
	for _, rights := range all {
		slices.Sort(rights)
	}
	return all
}

// backupRights are those of AWS Backup: to read and copy what has the environment's name, to keep what it made, and nothing that
// changes or removes data.
func backupRights(env config.Environment) []string {
	var all []string
	allow := func(resource string, actions ...string) {
		for _, action := range actions {
			all = append(all, action+" "+resource)
		}
	}
	allow(env.ARN("rds", "db:*"), "rds:DescribeDBInstances", "rds:DescribeDBSnapshots", "rds:ListTagsForResource")
	allow(env.ARN("rds", "snapshot:*"), "rds:DescribeDBSnapshots", "rds:ListTagsForResource")
	allow(env.ARN("rds", "db:"+env.Name+"-*"), "rds:CreateDBSnapshot")
	allow(env.ARN("dynamodb", "table/"+env.Name+"-*"), "dynamodb:CreateBackup", "dynamodb:DescribeTable", "dynamodb:ListTagsOfResource", "dynamodb:StartAwsBackupJob")
	allow(env.ARN("dynamodb", "table/"+env.Name+"-*/backup/*"), "dynamodb:DeleteBackup", "dynamodb:DescribeBackup")
	allow(env.ARN("s3", env.Name+"-*"), "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketNotification", "s3:GetBucketTagging", "s3:GetBucketVersioning",
		"s3:GetInventoryConfiguration", "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketNotification", "s3:PutInventoryConfiguration")
	allow(env.ARN("s3", env.Name+"-*/*"), "s3:GetObject", "s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectVersion", "s3:GetObjectVersionAcl", "s3:GetObjectVersionTagging")
	allow(env.ARN("events", "rule/AwsBackupManagedRule*"), "events:DeleteRule", "events:DescribeRule", "events:DisableRule", "events:EnableRule",
		"events:ListTargetsByRule", "events:PutRule", "events:PutTargets", "events:RemoveTargets")
	allow("*", "cloudwatch:GetMetricData", "events:ListRules", "s3:ListAllMyBuckets", "tag:GetResources")
	allow(env.ARN("backup", "recovery-point:*"), "backup:TagResource")
	kms := []string{"kms:CreateGrant", "kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"} // for services that hold backups, see the conditions
	allow("NetworkDataKey.Arn", kms...)
	places := []config.Environment{env}
	if env.Backup.CopyTo != "" {
		there := env
		there.Region = env.Backup.CopyTo
		places = append(places, there)
		allow(there.ARN("kms", "key/*"), kms...)
	}
	for _, place := range places {
		allow(place.ARN("rds", "snapshot:awsbackup:*"), "rds:AddTagsToResource", "rds:CopyDBSnapshot", "rds:CreateDBSnapshot", "rds:DeleteDBSnapshot")
		allow(place.ARN("backup", "backup-vault:"+env.Name), "backup:CopyIntoBackupVault", "backup:DescribeBackupVault")
	}
	return all
}

// databaseRights are those of the function of a database: its user's secret, the administrator's to read, both under the
// environment's key.
func databaseRights(env config.Environment, id string) []string {
	return []string{
		"managed service-role/AWSLambdaVPCAccessExecutionRole",
		"eks:DescribeCluster arn:aws:eks:" + env.Region + ":" + env.Account + ":cluster/" + env.Name, "kms:Decrypt DATAKEY", "kms:GenerateDataKey DATAKEY",
		"secretsmanager:DescribeSecret " + id + "UserSecret", "secretsmanager:GetSecretValue " + id + "Secret", "secretsmanager:GetSecretValue " + id + "UserSecret",
		"secretsmanager:PutSecretValue " + id + "UserSecret", "secretsmanager:UpdateSecretVersionStage " + id + "UserSecret"}
}

// idHash ends a logical id.
var idHash = regexp.MustCompile(`[0-9A-F]{8}$`)

// plain writes a value of a template: references by logical id without the hash, conditions as if they held.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any:
		for function, argument := range v {
			list := asList(argument)
			switch function {
			case "Ref":
				if id, _ := argument.(string); !strings.HasPrefix(id, "AWS::") {
					return idHash.ReplaceAllString(id, "")
				}
				return map[any]string{"AWS::Partition": "aws"}[argument]
			case "Fn::GetAtt":
				return idHash.ReplaceAllString(plain(list[0]), "") + "." + plain(list[1])
			case "Fn::Join":
				var parts []string
				for _, part := range asList(list[1]) {
					parts = append(parts, plain(part))
				}
				return strings.Join(parts, plain(list[0]))
			case "Fn::If":
				return plain(list[1])
			case "Fn::ImportValue":
				return "import " + plain(argument)
			}
		}
	}
	return text(value)
}

// anywhere replaces what differs between environments.
func anywhere(resource string) string {
	switch {
	case strings.HasPrefix(resource, "arn:aws:route53:::hostedzone/"):
		return "ZONE"
	case strings.HasPrefix(resource, "import ") && strings.Contains(resource, "-network:ExportsOutputFnGetAttNetworkDataKey"):
		return "DATAKEY"
	}
	return resource
}

// rightsIn collects what the roles of a template may do.
func rightsIn(t *testing.T, parsed template) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	add := func(role string, statements any) {
		for _, s := range asList(statements) {
			if get(s, "Effect") != "Allow" || get(s, "NotAction") != nil || get(s, "NotResource") != nil {
				t.Errorf("%s: an unusual statement: %s", role, text(s))
			}
			for _, action := range asList(get(s, "Action")) {
				for _, resource := range asList(get(s, "Resource")) {
					found[role] = append(found[role], fmt.Sprint(action, " ", anywhere(plain(resource))))
				}
			}
		}
	}
	for id, r := range parsed.Resources {
		name := idHash.ReplaceAllString(id, "")
		switch r.Type {
		case "AWS::IAM::Role":
			found[name] = append(found[name], []string{}...)
			for _, policy := range asList(r.Properties["ManagedPolicyArns"]) {
				found[name] = append(found[name], "managed "+strings.TrimPrefix(plain(policy), "arn:aws:iam::aws:policy/"))
			}
			for _, policy := range asList(r.Properties["Policies"]) {
				add(name, get(policy, "PolicyDocument", "Statement"))
			}
		case "AWS::IAM::Policy":
			if r.Properties["Users"] != nil || r.Properties["Groups"] != nil {
				t.Errorf("%s is for users or groups", id)
			}
			for _, role := range asList(r.Properties["Roles"]) {
				add(idHash.ReplaceAllString(fmt.Sprint(get(role, "Ref")), ""), get(r.Properties, "PolicyDocument", "Statement"))
			}
		default:
			if strings.HasPrefix(r.Type, "AWS::IAM::") {
				t.Errorf("%s is a %s: give rights to roles, by policies inside", id, r.Type)
			}
		}
	}
	return found
}

// The pods of a service may use what its file asks for, by the service's own names, and nothing else.
func TestServiceRoles(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "dev,production") {
		// The condition of those for mail leaves one sender: TestServiceMail.
		want := map[string][]string{"billing": {
			"sns:Publish " + env.ARN("sns", env.Name+"-billing"),
			"s3:GetObject arn:aws:s3:::" + env.Name + "-services-assets-" + env.Account + "-" + env.Region + "/services/billing/*",
			"ses:SendEmail " + env.ARN("ses", "identity/*"), "ses:SendRawEmail " + env.ARN("ses", "identity/*"),
		}}
		for _, action := range []string{"AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject"} {
			want["orders"] = append(want["orders"], "s3:"+action+" ServiceBucket.Arn/*")
		}
		for _, action := range []string{"ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl", "ReceiveMessage", "SendMessage"} {
			for _, queue := range []string{"orders", "orders-dead"} {
				want["orders"] = append(want["orders"], "sqs:"+action+" "+env.ARN("sqs", env.Name+"-"+queue))
			}
		}
		for _, action := range []string{"BatchGetItem", "BatchWriteItem", "ConditionCheckItem", "DeleteItem", "DescribeTable", "GetItem", "PutItem", "Query", "Scan", "UpdateItem"} {
			want["orders"] = append(want["orders"], "dynamodb:"+action+" "+env.ARN("dynamodb", "table/"+env.Name+"-orders"))
		}
		want["orders"] = append(want["orders"], "s3:ListBucket ServiceBucket.Arn", "ses:SendEmail "+env.ARN("ses", "identity/"+env.Domain))
		for service, rights := range want {
			got, all := rightsIn(t, templates[env.StackName(service)]), map[string][]string{"ServiceRole": rights}
			if service == "orders" {
				rights := databaseRights(env, "ServiceDatabase")
				if env.Name == "dev" { // where the administrator is that of the shared instance
					const read = "secretsmanager:GetSecretValue "
					rights[slices.Index(rights, read+"ServiceDatabaseSecret")] = read + "import dev-shared-postgres:ExportsOutputRefSharedSecret8523A111B07BD530"
				}
				all["ServiceDatabaseUserRole"] = rights
			}
			for _, list := range []map[string][]string{all, got} {
				for _, rights := range list {
					slices.Sort(rights)
				}
			}
			if diff := cmp.Diff(all, got); diff != "" {
				t.Errorf("%s, %s: rights (-wanted +template):\n%s", env.Name, service, diff)
			}
		}
	}
}

// Every role of every stack may do exactly what is written here; the delivery stacks' are in TestDeliveryRoles.
func TestRoles(t *testing.T) {
	templates := sampleApp(t)
	for _, env := range environments(t, sample(t), "") {
		got := map[string][]string{}
		for _, stack := range []string{"network", "cluster", "ghost"} {
			maps.Copy(got, rightsIn(t, templates[env.StackName(stack)]))
		}
		delete(got, "BootstrapawsloadbalancercontrollerRole")
		for _, rights := range got {
			slices.Sort(rights)
		}
		if diff := cmp.Diff(otherRights(env), got); diff != "" {
			t.Errorf("%s: rights (-wanted +template):\n%s", env.Name, diff)
		}
	}
	for stack, parsed := range templates {
		if strings.Contains(stack, "-shared-") {
			if got := rightsIn(t, parsed); len(got) > 0 {
				t.Errorf("stack %s has roles: %v; the services' functions have theirs", stack, got)
			}
			continue
		}
		if part := stack[strings.LastIndex(stack, "-")+1:]; !slices.Contains([]string{"network", "cluster", "ghost", "delivery", "billing", "orders"}, part) && !ofOthers(stack) {
			t.Errorf("stack %s: no test reads its roles", stack)
		}
	}
}
