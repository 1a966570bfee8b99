package main

import "slices"

// executionFiles are the managed policies and the services whose actions each has: IAM limits the size of one. The first
// takes services that none names.
var executionFiles = []struct {
	file     string
	services []string
}{
	{"workloads", []string{"eks", "rds", "ecr", "lambda", "secretsmanager", "ssm", "kms"}},
	{"services", []string{"sqs", "sns", "dynamodb", "elasticache", "backup", "backup-storage", "budgets", "ce"}},
	{"network", []string{"ec2", "acm", "route53", "ses"}},
	{"delivery", []string{"codebuild", "codepipeline", "codeconnections", "codestar-connections", "logs", "cloudwatch", "events", "s3"}},
	{"identity", []string{"iam"}},
}

// fileOf names the policy that has the actions of a service.
func fileOf(service string) string {
	for _, f := range executionFiles {
		if slices.Contains(f.services, service) {
			return f.file
		}
	}
	return executionFiles[0].file
}

// global are the services whose requests are in no region of ours.
var global = []string{"budgets", "ce", "iam", "route53"}

var inRegion = map[string]map[string][]string{"StringEquals": {"aws:RequestedRegion": {"REGION"}}}

const passRoles = "PassRolesToTheirServices"

// narrowed are the actions that are allowed elsewhere than on all resources of their kinds in the account and region.
// The first that matches counts.
var narrowed = []struct {
	sid, reason string
	actions     []string
	resources   []string
	condition   map[string]map[string][]string
}{
	{sid: "Ec2", reason: "most of what makes a VPC has no resource level, or one with images and shared resources of other accounts",
		actions: []string{"ec2:*"}, resources: []string{"*"}, condition: inRegion},
	{sid: passRoles, reason: "the condition is generated: the services that the templates' roles trust",
		actions: []string{"iam:PassRole"}, resources: []string{"arn:aws:iam::ACCOUNT:role/*"}},
	{sid: "ServicesOwnRoles", reason: "spot is for node groups with nodes.spot; the others are made with the first backup, cluster, database and cache of an account",
		actions: []string{"iam:CreateServiceLinkedRole"}, resources: []string{"arn:aws:iam::ACCOUNT:role/aws-service-role/*"},
		condition: map[string]map[string][]string{"StringEquals": {"iam:AWSServiceName": {
			"backup.amazonaws.com", "eks-nodegroup.amazonaws.com", "eks.amazonaws.com", "elasticache.amazonaws.com", "rds.amazonaws.com", "spot.amazonaws.com"}}}},
	{sid: "Connections", reason: "one action and one connection, in any region, under their present and their former prefix: https://docs.aws.amazon.com/dtconsole/latest/userguide/rename.html",
		actions: []string{"codeconnections:PassConnection", "codestar-connections:PassConnection"}, resources: []string{
			"arn:aws:codeconnections:*:ACCOUNT:connection/*", "arn:aws:codestar-connections:*:ACCOUNT:connection/*"}},
	{sid: "Assets", reason: "the code of functions and layers is in the bootstrap's bucket; no other object is read",
		actions: []string{"s3:GetObject", "s3:GetObjectVersion"}, resources: []string{"arn:aws:s3:::cdk-*-assets-ACCOUNT-REGION/*"}},
	{sid: "Buckets", reason: "the names that this repository gives: <…>-<account>-<region>, and CloudFormation's for <environment>-delivery",
		actions: []string{"s3:*"}, resources: []string{"arn:aws:s3:::*-ACCOUNT-REGION", "arn:aws:s3:::*-delivery-*"}},
}

// bootstrapRoles keeps the roles of the bootstrap out of reach: what CloudFormation may do is not CloudFormation's to change.
var bootstrapRoles = statement{Sid: "NeverTheBootstrapsOwnRoles", Effect: "Deny",
	Action:   []string{"iam:AttachRolePolicy", "iam:CreateRole", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"},
	Resource: []string{"arn:aws:iam::ACCOUNT:role/cdk-*"}}

const boundaryARN = "arn:aws:iam::ACCOUNT:policy/platform-boundary"

// boundary is what a role of a stack can do at most: anything that its own policy says, but nothing that makes or changes
// identities or passes a role, and no role of another kind than the bootstrap's, which the pipelines assume.
// iam:CreateServiceLinkedRole stays: EKS and the load balancer controller make the roles of AWS's own services.
var boundary = []statement{
	{Sid: "WhatTheRolesPolicySays", Effect: "Allow", Action: []string{"*"}, Resource: []string{"*"}},
	{Sid: "NoIdentities", Effect: "Deny", Resource: []string{"*"}, Action: []string{
		"account:*", "iam:Add*", "iam:Attach*", "iam:Change*", "iam:CreateAccessKey", "iam:CreateGroup", "iam:CreateInstanceProfile", "iam:CreateLoginProfile",
		"iam:CreateOpenIDConnectProvider", "iam:CreatePolicy*", "iam:CreateRole", "iam:CreateSAMLProvider", "iam:CreateUser", "iam:Deactivate*", "iam:Delete*", "iam:Detach*",
		"iam:PassRole", "iam:Put*", "iam:Remove*", "iam:Set*", "iam:Update*", "iam:Upload*", "organizations:*", "sso:*"}},
	{Sid: "NoOtherRoles", Effect: "Deny", Action: []string{"sts:AssumeRole"}, NotResource: []string{"arn:aws:iam::ACCOUNT:role/cdk-*"}},
}

// withholding leaves actions of a type's handlers out.
type withholding struct {
	kind string
	// properties, by path, that make the handler call them; no template sets one.
	properties []string
	reason     string
	actions    []string
}

const noUsers = "The stacks give rights to roles; who may write a user's or group's policy could raise his own rights."

// withheld are the actions that a handler calls for properties that no template sets, where they reach identities or
// services that the platform does not use. Actions that read, or act on the same service, are allowed as the schema says:
// a handler may call them whatever the properties are.
var withheld = []withholding{
	{"AWS::CertificateManager::Certificate", []string{"CertificateAuthorityArn"}, "Certificates are public ones; no private authority is used.",
		[]string{"acm-pca:GetCertificate", "acm-pca:IssueCertificate"}},
	{"AWS::EC2::EIP", []string{"TransferAddress"}, "No address comes from another account.", []string{"ec2:AcceptAddressTransfer"}},
	{"AWS::EC2::VPCEndpoint", []string{"ServiceNetworkArn", "ResourceConfigurationArn", "ServiceRegion"}, "Endpoints are AWS's services of the same region.",
		[]string{"vpc-lattice:CreateServiceNetworkVpcEndpointAssociation", "vpce:AllowMultiRegion"}},
	{"AWS::EKS::Cluster", []string{"ComputeConfig.NodeRoleArn"}, "Instance profiles are made for EKS Auto Mode; nodes are a managed node group.",
		[]string{"iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile", "iam:GetInstanceProfile", "iam:RemoveRoleFromInstanceProfile", "iam:TagInstanceProfile"}},
	{"AWS::ElastiCache::ReplicationGroup", []string{"LogDeliveryConfigurations"}, "Caches send no logs: the handler asks for these rights where they go to CloudWatch Logs or Firehose.",
		[]string{"firehose:PutRecord", "firehose:PutRecordBatch", "firehose:TagDeliveryStream", "logs:CreateLogDelivery", "logs:CreateLogStream", "logs:DeleteLogDelivery",
			"logs:GetLogDelivery", "logs:ListLogDeliveries", "logs:PutLogEvents", "logs:UpdateLogDelivery"}},
	{"AWS::IAM::Policy", []string{"Users", "Groups"}, noUsers,
		[]string{"iam:DeleteGroupPolicy", "iam:DeleteUserPolicy", "iam:GetGroupPolicy", "iam:GetUserPolicy", "iam:PutGroupPolicy", "iam:PutUserPolicy"}},
	{"AWS::IAM::Role", []string{"PermissionsBoundary"}, "Roles have no boundary, or all of them: identity-bounded.json sets it and never removes it.",
		[]string{"iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary"}},
	{"AWS::Lambda::Function", []string{"FileSystemConfigs", "CapacityProviderConfig"}, "Functions mount no file system and run on Lambda's own capacity.",
		[]string{"elasticfilesystem:DescribeMountTargets", "lambda:PassCapacityProvider", "s3files:ListMountTargets"}},
	{"AWS::Logs::LogGroup", []string{"BearerTokenAuthenticationEnabled"}, "Logs are written with IAM's credentials only, and go to no delivery stream.",
		[]string{"firehose:TagDeliveryStream", "logs:PutBearerTokenAuthentication"}},
	{"AWS::S3::Bucket", []string{"MetadataConfiguration", "MetadataTableConfiguration", "AccessControl"}, "No bucket keeps tables of its metadata; objects are never CloudFormation's to remove or share.",
		[]string{"s3:CreateBucketMetadataTableConfiguration", "s3:DeleteBucketMetadataTableConfiguration", "s3:DeleteObject", "s3:PutObjectAcl",
			"s3:UpdateBucketMetadataAnnotationTableConfiguration", "s3:UpdateBucketMetadataInventoryTableConfiguration", "s3:UpdateBucketMetadataJournalTableConfiguration",
			"s3tables:CreateNamespace", "s3tables:CreateTable", "s3tables:CreateTableBucket", "s3tables:GetTable", "s3tables:GetTableMetadataLocation",
			"s3tables:PutTableBucketPolicy", "s3tables:PutTableEncryption", "s3tables:PutTablePolicy", "s3tables:UpdateTableMetadataLocation"}},
	{"AWS::SecretsManager::SecretTargetAttachment", nil, "The target is always an RDS instance (TestDatabase); DocumentDB and Redshift are not used.",
		[]string{"docdb-elastic:GetCluster", "redshift-serverless:GetNamespace", "redshift-serverless:ListWorkgroups", "redshift:DescribeClusters"}},
}
