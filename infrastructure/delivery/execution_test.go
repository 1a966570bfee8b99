package delivery

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// actions are what CloudFormation does with a type for whoever executes a stack: the permissions of the create, update
// and delete handlers in the type's schema, for the properties in use.
// https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-schema.html#schema-properties-handlers
var actions = map[string][]string{
	"AWS::CDK::Metadata":                          {},
	"AWS::CertificateManager::Certificate":        {"acm:RequestCertificate", "acm:DescribeCertificate", "acm:DeleteCertificate", "acm:AddTagsToCertificate", "route53:ChangeResourceRecordSets", "route53:GetChange"},
	"AWS::CloudWatch::Alarm":                      {"cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms", "cloudwatch:DeleteAlarms", "cloudwatch:TagResource"},
	"AWS::CodeBuild::Project":                     {"codebuild:CreateProject", "codebuild:BatchGetProjects", "codebuild:UpdateProject", "codebuild:DeleteProject", "iam:PassRole"},
	"AWS::CodePipeline::Pipeline":                 {"codepipeline:CreatePipeline", "codepipeline:GetPipeline", "codepipeline:UpdatePipeline", "codepipeline:DeletePipeline", "codepipeline:TagResource", "codeconnections:PassConnection", "iam:PassRole"},
	"AWS::EC2::EIP":                               {"ec2:AllocateAddress", "ec2:ReleaseAddress", "ec2:DescribeAddresses", "ec2:CreateTags"},
	"AWS::EC2::FlowLog":                           {"ec2:CreateFlowLogs", "ec2:DeleteFlowLogs", "ec2:DescribeFlowLogs", "iam:PassRole", "logs:CreateLogDelivery", "logs:DeleteLogDelivery"},
	"AWS::EC2::InternetGateway":                   {"ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"},
	"AWS::EC2::LaunchTemplate":                    {"ec2:CreateLaunchTemplate", "ec2:CreateLaunchTemplateVersion", "ec2:ModifyLaunchTemplate", "ec2:DeleteLaunchTemplate"},
	"AWS::EC2::NatGateway":                        {"ec2:CreateNatGateway", "ec2:DeleteNatGateway"},
	"AWS::EC2::Route":                             {"ec2:CreateRoute", "ec2:ReplaceRoute", "ec2:DeleteRoute"},
	"AWS::EC2::RouteTable":                        {"ec2:CreateRouteTable", "ec2:DeleteRouteTable"},
	"AWS::EC2::SecurityGroup":                     {"ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup", "ec2:AuthorizeSecurityGroupEgress", "ec2:RevokeSecurityGroupEgress"},
	"AWS::EC2::SecurityGroupIngress":              {"ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"},
	"AWS::EC2::Subnet":                            {"ec2:CreateSubnet", "ec2:ModifySubnetAttribute", "ec2:DeleteSubnet"},
	"AWS::EC2::SubnetRouteTableAssociation":       {"ec2:AssociateRouteTable", "ec2:DisassociateRouteTable"},
	"AWS::EC2::VPC":                               {"ec2:CreateVpc", "ec2:ModifyVpcAttribute", "ec2:DeleteVpc"},
	"AWS::EC2::VPCEndpoint":                       {"ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint", "ec2:DeleteVpcEndpoints"},
	"AWS::EC2::VPCGatewayAttachment":              {"ec2:AttachInternetGateway", "ec2:DetachInternetGateway"},
	"AWS::ECR::Repository":                        {"ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:PutImageScanningConfiguration", "ecr:PutImageTagMutability", "ecr:TagResource", "ecr:DeleteRepository"},
	"AWS::EKS::AccessEntry":                       {"eks:CreateAccessEntry", "eks:AssociateAccessPolicy", "eks:DeleteAccessEntry"},
	"AWS::EKS::Addon":                             {"eks:CreateAddon", "eks:UpdateAddon", "eks:DeleteAddon", "eks:CreatePodIdentityAssociation", "iam:PassRole"},
	"AWS::EKS::Cluster":                           {"eks:CreateCluster", "eks:UpdateClusterConfig", "eks:UpdateClusterVersion", "eks:DeleteCluster", "iam:PassRole", "iam:CreateServiceLinkedRole", "kms:CreateGrant", "kms:DescribeKey"},
	"AWS::EKS::Nodegroup":                         {"eks:CreateNodegroup", "eks:UpdateNodegroupConfig", "eks:UpdateNodegroupVersion", "eks:DeleteNodegroup", "ec2:RunInstances", "iam:PassRole", "iam:CreateServiceLinkedRole"},
	"AWS::EKS::PodIdentityAssociation":            {"eks:CreatePodIdentityAssociation", "eks:UpdatePodIdentityAssociation", "eks:DeletePodIdentityAssociation", "iam:PassRole"},
	"AWS::Events::Rule":                           {"events:PutRule", "events:PutTargets", "events:RemoveTargets", "events:DeleteRule", "events:TagResource"},
	"AWS::IAM::Policy":                            {"iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:GetRolePolicy"},
	"AWS::IAM::Role":                              {"iam:CreateRole", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePolicy", "iam:DeleteRole", "iam:TagRole"},
	"AWS::KMS::Alias":                             {"kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"},
	"AWS::KMS::Key":                               {"kms:CreateKey", "kms:PutKeyPolicy", "kms:EnableKeyRotation", "kms:ScheduleKeyDeletion", "kms:TagResource"},
	"AWS::Lambda::Function":                       {"lambda:CreateFunction", "lambda:UpdateFunctionCode", "lambda:UpdateFunctionConfiguration", "lambda:DeleteFunction", "lambda:GetLayerVersion", "lambda:TagResource", "iam:PassRole", "s3:GetObject"},
	"AWS::Lambda::LayerVersion":                   {"lambda:PublishLayerVersion", "lambda:DeleteLayerVersion", "s3:GetObject"},
	"AWS::Logs::LogGroup":                         {"logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:DeleteLogGroup", "logs:TagResource", "logs:DescribeLogGroups"},
	"AWS::Logs::MetricFilter":                     {"logs:PutMetricFilter", "logs:DescribeMetricFilters", "logs:DeleteMetricFilter"},
	"AWS::Logs::ResourcePolicy":                   {"logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DeleteResourcePolicy"},
	"AWS::RDS::DBInstance":                        {"rds:CreateDBInstance", "rds:ModifyDBInstance", "rds:DeleteDBInstance", "rds:CreateDBSnapshot", "rds:AddTagsToResource", "kms:CreateGrant", "iam:CreateServiceLinkedRole", "secretsmanager:GetSecretValue"},
	"AWS::RDS::DBParameterGroup":                  {"rds:CreateDBParameterGroup", "rds:ModifyDBParameterGroup", "rds:DeleteDBParameterGroup"},
	"AWS::RDS::DBSubnetGroup":                     {"rds:CreateDBSubnetGroup", "rds:ModifyDBSubnetGroup", "rds:DeleteDBSubnetGroup"},
	"AWS::Route53::HostedZone":                    {"route53:CreateHostedZone", "route53:DeleteHostedZone", "route53:ChangeTagsForResource", "route53:GetHostedZone"},
	"AWS::S3::Bucket":                             {"s3:CreateBucket", "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration", "s3:PutBucketPublicAccessBlock", "s3:PutBucketVersioning", "s3:PutBucketOwnershipControls", "s3:PutBucketTagging", "s3:DeleteBucket"},
	"AWS::S3::BucketPolicy":                       {"s3:PutBucketPolicy", "s3:DeleteBucketPolicy"},
	"AWS::SNS::Subscription":                      {"sns:Subscribe", "sns:Unsubscribe", "sns:GetSubscriptionAttributes"},
	"AWS::SNS::Topic":                             {"sns:CreateTopic", "sns:SetTopicAttributes", "sns:DeleteTopic", "sns:TagResource", "sns:GetTopicAttributes"},
	"AWS::SNS::TopicPolicy":                       {"sns:SetTopicAttributes"},
	"AWS::SSM::Parameter":                         {"ssm:PutParameter", "ssm:GetParameters", "ssm:DeleteParameter"},
	"AWS::SecretsManager::Secret":                 {"secretsmanager:CreateSecret", "secretsmanager:UpdateSecret", "secretsmanager:DeleteSecret", "secretsmanager:GetRandomPassword", "secretsmanager:TagResource"},
	"AWS::SecretsManager::SecretTargetAttachment": {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "rds:DescribeDBInstances"},
	// Custom resources are calls of the kubectl provider's function.
	"Custom::AWSCDK-EKS-HelmChart":             {"lambda:InvokeFunction"},
	"Custom::AWSCDK-EKS-KubernetesObjectValue": {"lambda:InvokeFunction"},
	"Custom::AWSCDK-EKS-KubernetesResource":    {"lambda:InvokeFunction"},
}

// executionPolicy reads the patterns of actions that the bootstrap's execution role gets.
func executionPolicy(t *testing.T) (patterns []string, content []byte) {
	t.Helper()
	content, err := os.ReadFile("execution-policy.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Statement []struct {
			Sid, Effect string
			Action      []string
			Resource    any
		}
	}
	if err := json.Unmarshal(content, &document); err != nil {
		t.Fatal(err)
	}
	for _, s := range document.Statement {
		if s.Effect == "Allow" {
			patterns = append(patterns, s.Action...)
		}
	}
	return patterns, content
}

// matches tells whether a pattern of IAM allows an action.
func matches(pattern, action string) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, ".*")
	return regexp.MustCompile("^(?i:" + expression + ")$").MatchString(action)
}

// The execution policy allows what the types in all templates need, and no service that none of them uses.
func TestExecutionPolicyCoversTheTemplates(t *testing.T) {
	patterns, content := executionPolicy(t)
	names, err := filepath.Glob("../../testdata/templates/*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	types, services := map[string]bool{}, map[string]bool{"codestar-connections": true} // the former name of codeconnections
	for _, name := range names {
		var template struct {
			Resources map[string]struct{ Type string }
		}
		text, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(text, &template)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range template.Resources {
			types[r.Type] = true
		}
	}
	types["AWS::Route53::HostedZone"] = true // of environments that name no zone
	for _, kind := range slices.Sorted(maps.Keys(types)) {
		needed, known := actions[kind]
		if !known {
			t.Errorf("%s is new: add its actions here and to execution-policy.json, and run cdk bootstrap again (docs/guides/bootstrap.md)", kind)
		}
		for _, action := range needed {
			service, _, _ := strings.Cut(action, ":")
			services[service] = true
			if !slices.ContainsFunc(patterns, func(p string) bool { return matches(p, action) }) {
				t.Errorf("execution-policy.json does not allow %s, which %s needs", action, kind)
			}
		}
	}
	for _, pattern := range patterns {
		service, action, _ := strings.Cut(pattern, ":")
		if !services[service] || (action == "*" && service != "eks" && service != "ecr") || service == "iam" && strings.HasPrefix(action, "*") && !strings.HasPrefix(action, "*RolePolic") {
			t.Errorf("execution-policy.json allows %s, which is more than the templates need", pattern)
		}
	}
	// What a managed policy may hold, without blanks, after the placeholders are filled in.
	filled := strings.NewReplacer("ACCOUNT", "111111111111", "REGION", "ap-southeast-4", " ", "", "\n", "").Replace(string(content))
	if len(filled) > 6144 {
		t.Errorf("execution-policy.json has %d characters, IAM takes 6144", len(filled))
	}
}

// Nothing in a stack may make users, keys or groups, or act on IAM without naming roles of the account.
func TestExecutionPolicyMakesNoUsers(t *testing.T) {
	patterns, _ := executionPolicy(t)
	for _, action := range []string{"iam:CreateUser", "iam:CreateAccessKey", "iam:AddUserToGroup", "iam:CreatePolicyVersion", "iam:PassUser", "sts:AssumeRole", "organizations:LeaveOrganization", "s3:DeleteObject", "ec2:TerminateInstances"} {
		for _, pattern := range patterns {
			if matches(pattern, action) {
				t.Errorf("execution-policy.json allows %s by %s", action, pattern)
			}
		}
	}
}
