package delivery

import (
	"slices"

	"k8s-plus-aws-gitops/config"
)

// policies writes the policies of the environment's roles; bucket and key are ARNs and may be CDK tokens.
type policies struct {
	env         config.Environment
	qualifier   string
	image       string
	bucket, key string
}

// policy is a list of statements.
type policy []map[string]any

// document is the policy as IAM takes it.
func (p policy) document() map[string]any {
	statements := make([]any, len(p))
	for i, s := range p {
		statements[i] = s
	}
	return map[string]any{"Version": "2012-10-17", "Statement": statements}
}

// allow makes a statement.
func allow(sid string, resources []string, actions ...string) map[string]any {
	return map[string]any{"Sid": sid, "Effect": "Allow", "Action": wide(actions), "Resource": wide(resources)}
}

// wide widens strings, as encoding/json would deliver them.
func wide(list []string) []any {
	all := make([]any, len(list))
	for i, s := range list {
		all[i] = s
	}
	return all
}

// arn makes an ARN in the environment's account and region.
func (p policies) arn(service, resource string) string {
	return "arn:" + p.env.Partition() + ":" + service + ":" + p.env.Region + ":" + p.env.Account + ":" + resource
}

// bootstrapRole is one of the roles that `cdk bootstrap` makes.
func (p policies) bootstrapRole(kind string) string {
	return "arn:" + p.env.Partition() + ":iam::" + p.env.Account + ":role/cdk-" + p.qualifier + "-" + kind + "-role-" + p.env.Account + "-" + p.env.Region
}

// build is what every build does: write its own log and read the source.
func (p policies) build(logGroup string, more ...map[string]any) policy {
	return append(policy{
		allow("WriteItsLog", []string{p.arn("logs", "log-group:"+logGroup+":*")}, "logs:CreateLogStream", "logs:PutLogEvents"),
		allow("ReadTheSource", []string{p.bucket + "/*"}, "s3:GetObject", "s3:GetObjectVersion"),
		allow("DecryptTheSource", []string{p.key}, "kms:Decrypt"),
	}, more...)
}

// deploy is what `cdk deploy` does: assume the four roles of the bootstrap. What those may do is the bootstrap's matter:
// docs/guides/bootstrap.md.
func (p policies) deploy(logGroup string) policy {
	var roles []string
	for _, kind := range []string{"deploy", "file-publishing", "image-publishing", "lookup"} {
		roles = append(roles, p.bootstrapRole(kind))
	}
	return p.build(logGroup, allow("DeployByTheBootstrapsRoles", roles, "sts:AssumeRole"))
}

// diff is what `cdk diff --method template` does: read templates.
func (p policies) diff(logGroup string) policy {
	return p.build(logGroup, allow("LookOnly", []string{p.bootstrapRole("lookup")}, "sts:AssumeRole"))
}

// review looks only, clones the whole repository to compare two commits, and reads the token with which it comments.
// Secrets Manager appends six characters to a secret's name.
func (p policies) review(logGroup string) policy {
	return append(p.diff(logGroup),
		allow("CloneTheRepository", []string{p.env.Delivery.ConnectionARN}, useConnection...),
		allow("ReadTheTokenForComments", []string{p.arn("secretsmanager", "secret:"+p.env.SecretName("gitops", "review-token")+"-??????")}, "secretsmanager:GetSecretValue"),
	)
}

// images pushes to one repository and reads what the scan of a push found. The login has no resource level.
func (p policies) images(logGroup string) policy {
	return p.build(logGroup,
		allow("LogInToTheRegistry", []string{"*"}, "ecr:GetAuthorizationToken"),
		allow("PushToOneRepository", []string{p.arn("ecr", "repository/"+p.image)},
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImageScanFindings",
			"ecr:DescribeImages", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
	)
}

// services clones the repository with its tags, reads the token with which it pushes manifests and opens pull requests, and
// keeps the services' static files. Their bucket holds nothing else; earlier versions of a file stay out of its reach.
func (p policies) services(logGroup string) policy {
	bucket := "arn:" + p.env.Partition() + ":s3:::" + p.env.AssetsBucket()
	list := allow("ListTheAssets", []string{bucket}, "s3:ListBucket")
	list["Condition"] = map[string]any{"StringLike": map[string]any{"s3:prefix": config.AssetsPrefix + "*"}}
	return p.build(logGroup,
		allow("CloneTheRepository", []string{p.env.Delivery.ConnectionARN}, useConnection...),
		allow("ReadTheTokenForManifests", []string{p.arn("secretsmanager", "secret:"+p.env.SecretName("gitops", "manifests-token")+"-??????")}, "secretsmanager:GetSecretValue"),
		list,
		allow("SyncTheAssets", []string{bucket + "/" + config.AssetsPrefix + "*"}, "s3:PutObject", "s3:DeleteObject"),
	)
}

// useConnection is one action under its present and its former name; AWS documents to allow both.
var useConnection = []string{"codeconnections:UseConnection", "codestar-connections:UseConnection"}

// pipeline reads the source through the connection, keeps it in the bucket, and starts builds of the given projects.
func (p policies) pipeline(projects []string, topic string) policy {
	var builds []string
	for _, name := range slices.Compact(slices.Sorted(slices.Values(projects))) {
		builds = append(builds, p.arn("codebuild", "project/"+name))
	}
	statements := policy{
		allow("ReadTheRepository", []string{p.env.Delivery.ConnectionARN}, useConnection...),
		allow("KeepArtifacts", []string{p.bucket + "/*"}, "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl"),
		allow("FindTheBucket", []string{p.bucket}, "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"),
		allow("EncryptArtifacts", []string{p.key}, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
		allow("StartBuilds", builds, "codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"),
	}
	if topic != "" {
		statements = append(statements, allow("AskForApproval", []string{topic}, "sns:Publish"))
	}
	return statements
}
