package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/infrastructure/delivery"
)

// rights is what each role of a delivery stack may do, as "action resource", with $ for the environment's account and
// region. Anything more, and any role that is not here, fails the test.
func rights(env config.Environment, byMerge bool) map[string][]string {
	build := func(name string, more ...string) []string {
		return append([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/" + name + ":*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/" + name + ":*",
			"s3:GetObject BUCKET/*", "s3:GetObjectVersion BUCKET/*", "kms:Decrypt KEY",
		}, more...)
	}
	assume := func(kind string) string {
		return "sts:AssumeRole arn:aws:iam::" + env.Account + ":role/cdk-hnb659fds-" + kind + "-role-" + env.Account + "-" + env.Region
	}
	on := func(resource string, actions ...string) []string {
		for i, action := range actions {
			actions[i] = strings.Split(resource, ":")[2] + ":" + action + " " + resource
		}
		return actions
	}
	images := func(actions ...string) []string { return on("arn:aws:ecr:$:repository/"+env.Name+"/ghost", actions...) }
	executions := func(actions ...string) []string { return on("arn:aws:codepipeline:$:"+env.Name+"-deploy", actions...) }
	push := append(images("BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeImages", "InitiateLayerUpload", "PutImage", "UploadLayerPart"), "ecr:GetAuthorizationToken *")
	connection := []string{"codeconnections:UseConnection " + env.Delivery.ConnectionARN, "codestar-connections:UseConnection " + env.Delivery.ConnectionARN}
	token := slices.Clone(connection)
	for _, service := range []string{"codeconnections", "codestar-connections"} {
		token = append(token, service+":GetConnection "+env.Delivery.ConnectionARN, service+":GetConnectionToken "+env.Delivery.ConnectionARN)
	}
	pipeline := func(more ...string) []string {
		return append(slices.Concat(connection, []string{
			"s3:GetObject BUCKET/*", "s3:GetObjectVersion BUCKET/*", "s3:PutObject BUCKET/*", "s3:PutObjectAcl BUCKET/*",
			"s3:GetBucketAcl BUCKET", "s3:GetBucketLocation BUCKET", "s3:GetBucketVersioning BUCKET",
			"kms:Decrypt KEY", "kms:DescribeKey KEY", "kms:Encrypt KEY", "kms:GenerateDataKey KEY",
		}), more...)
	}
	start := func(projects ...string) []string {
		var all []string
		for _, p := range projects {
			for _, action := range []string{"BatchGetBuilds", "StartBuild", "StopBuild"} {
				all = append(all, "codebuild:"+action+" arn:aws:codebuild:$:project/"+env.Name+"-"+p)
			}
		}
		return all
	}
	deployments := start("plan", "test", "deploy")
	publish := []string{
		"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/manifests-token-??????",
		"s3:ListBucket arn:aws:s3:::" + env.AssetsBucket() + " if s3:prefix services/*",
		"s3:PutObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*", "s3:DeleteObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*",
	}
	all := map[string][]string{
		"plan": build("plan", append([]string{
			"cloudformation:DescribeStacks arn:aws:cloudformation:$:stack/" + env.Name + "-*/*", "cloudformation:GetTemplate arn:aws:cloudformation:$:stack/" + env.Name + "-*/*",
			"s3:PutObject BUCKET/*", "kms:GenerateDataKey KEY",
		}, append(executions("ListActionExecutions", "ListPipelineExecutions", "ListRuleExecutions", "StopPipelineExecution"), connection...)...)...),
		"test":   build("test", connection...),
		"deploy": build("deploy", append([]string{assume("deploy"), assume("file-publishing"), assume("lookup")}, connection...)...),
		"report": slices.Concat([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/report:*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/report:*",
			"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????",
		}, executions("ListActionExecutions", "ListPipelineExecutions"), token),
		// The fixture's services in repositories of their own: one by a build, one by a workflow there, which is not in production.
		"publish-catalog": slices.Concat([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/publish-catalog:*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/publish-catalog:*",
		}, publish[:1], token),
		"publish":         {"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/publish-tracking-??????"},
		"start-report":    {"codebuild:StartBuild arn:aws:codebuild:$:project/" + env.Name + "-report"},
		"review":          build("review", append([]string{"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????"}, connection...)...),
		"pipeline-review": pipeline(start("review")...),
	}
	if env.Name == "production" {
		delete(all, "publish")
	}
	if env.Rehearses() {
		rehearsals(all, env, build, connection, token)
		all["pipeline-review"], all["pipeline-programs"] = pipeline(start("review", "rehearsal")...), pipeline(start("programs")...)
	}
	if !byMerge {
		all["services"], all["pipeline-services"] = build("services", slices.Concat(publish, connection)...), pipeline(start("services")...)
	}
	if env.BuildsImages() {
		all["image-arm64"], all["image-amd64"] = build("image-arm64", push...), build("image-amd64", push...)
		all["image-publish"] = build("image-publish", images("BatchGetImage", "DescribeImageScanFindings", "PutImage")...)
		all["pipeline-dockerbuild"] = pipeline(start("image-arm64", "image-amd64", "image-publish")...)
	} else {
		source := env.ImageSource.ARN("ecr", "repository/"+env.ImageSource.Name+"/ghost")
		all["images"] = build("images", append(images("BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeImageScanFindings", "InitiateLayerUpload", "PutImage", "UploadLayerPart"),
			"ecr:GetAuthorizationToken *", "ecr:BatchGetImage "+source, "ecr:GetDownloadUrlForLayer "+source)...)
		deployments = append(deployments, start("images")...)
	}
	if env.Gated() {
		all["release"] = build("release", append([]string{"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/release-token-??????"}, connection...)...)
		if byMerge {
			all["release"] = append(all["release"], publish...)
			if env.DeletionProtection {
				all["release"] = append(all["release"], snapshots(env)...)
			}
		}
		if env.RollsBack() {
			all["release"] = append(all["release"], executions("GetPipelineExecution")...)
		}
		all["verify"] = build("verify", append(inVPC(env), "eks:DescribeCluster arn:aws:eks:$:cluster/"+env.ClusterName())...)
		deployments = append(deployments, start("release", "verify")...)
	}
	if env.Drills() {
		all["drill"] = slices.Concat([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/drill:*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/drill:*",
		}, token, inVPC(env), drill(env))
		all["start-drill"] = []string{"codebuild:StartBuild arn:aws:codebuild:$:project/" + env.Name + "-drill"}
	}
	if env.WatchesDrift() {
		all["drift"], all["start-drift"] = driftRights(env, token), []string{"codebuild:StartBuild arn:aws:codebuild:$:project/" + env.Name + "-drift"}
	}
	if env.Delivery.Window != nil {
		all["window"] = build("window")
		deployments = append(deployments, start("window")...)
	}
	if env.Delivery.Approval || env.Delivery.Window != nil {
		deployments = append(deployments, "sns:Publish TOPIC")
	}
	all["pipeline-deploy"] = pipeline(deployments...)
	for name := range all {
		for i := range all[name] {
			all[name][i] = strings.ReplaceAll(all[name][i], "$", env.Region+":"+env.Account)
		}
		slices.Sort(all[name])
	}
	return all
}

// rehearsals are the rights of the build that runs a pull request's code, which has no token; of the one that tells of it; and of
// the one that alone writes what rehearsals begin with.
func rehearsals(all map[string][]string, env config.Environment, build func(string, ...string) []string, connection, token []string) {
	const results, project = "BUCKET/rehearsals/results/*", " arn:aws:codebuild:$:project/"
	log := " arn:aws:logs:$:log-group:/" + env.Name + "/delivery/rehearsed:*"
	all["rehearsal"] = build("rehearsal", append([]string{"s3:PutObject " + results, "kms:GenerateDataKey KEY"}, connection...)...)
	all["programs"] = build("programs", append([]string{"s3:PutObject BUCKET/rehearsals/programs.tar.zst", "kms:GenerateDataKey KEY"}, connection...)...)
	all["rehearsed"] = append([]string{
		"logs:CreateLogStream" + log, "logs:PutLogEvents" + log, "s3:GetObject " + results, "s3:GetObjectVersion " + results, "kms:Decrypt KEY",
		"codebuild:BatchGetBuilds" + project + env.Name + "-rehearsal", "codebuild:ListBuildsForProject" + project + env.Name + "-rehearsal", "codebuild:StopBuild" + project + env.Name + "-rehearsal",
		"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????",
	}, token...)
	all["start-rehearsed"] = []string{"codebuild:StartBuild" + project + env.Name + "-rehearsed"}
	all["start-programs"] = []string{"codepipeline:StartPipelineExecution arn:aws:codepipeline:$:" + env.Name + "-programs"}
}

// snapshots are the rights to keep databases before their schemas change, and to forget what has the mark.
func snapshots(env config.Environment) []string {
	database, made := "arn:aws:rds:$:db:"+env.Name+"-*", "arn:aws:rds:$:snapshot:"+env.Name+"-*-before-*"
	return []string{
		"rds:AddTagsToResource " + made, "rds:CreateDBSnapshot " + database, "rds:CreateDBSnapshot " + made, "rds:DeleteDBSnapshot " + made + " if marked",
		"rds:DescribeDBSnapshots " + database, "rds:DescribeDBSnapshots arn:aws:rds:$:snapshot:*",
	}
}

// drill are the rights to restore snapshots of named databases into instances of one name each, which have a mark.
func drill(env config.Environment) []string {
	all := []string{
		"kms:CreateGrant DATAKEY if via rds." + env.Region + ".amazonaws.com", "kms:DescribeKey DATAKEY if via rds." + env.Region + ".amazonaws.com",
		"rds:DescribeDBSnapshots arn:aws:rds:$:snapshot:*",
		"rds:RestoreDBInstanceFromDBSnapshot arn:aws:rds:$:og:default:*", "rds:RestoreDBInstanceFromDBSnapshot arn:aws:rds:$:pg:" + env.Name + "-*",
		"rds:RestoreDBInstanceFromDBSnapshot arn:aws:rds:$:subgrp:" + env.Name + "-*", "rds:RestoreDBInstanceFromDBSnapshot arn:aws:rds:$:snapshot:awsbackup:*",
	}
	for _, service := range env.Backup.Drill.Services {
		source, made := "arn:aws:rds:$:db:"+env.Name+"-"+service, "arn:aws:rds:$:db:"+env.Name+"-"+service+"-restored"
		all = append(all, "rds:DescribeDBInstances "+source, "rds:DescribeDBInstances "+made, "rds:DescribeDBSnapshots "+source,
			"rds:RestoreDBInstanceFromDBSnapshot arn:aws:rds:$:snapshot:rds:"+env.Name+"-"+service+"-*",
			"rds:RestoreDBInstanceFromDBSnapshot "+made, "rds:AddTagsToResource "+made, "rds:ModifyDBInstance "+made+" if marked", "rds:DeleteDBInstance "+made+" if marked")
	}
	return all
}

// driftRights are those of whoever looks for drift: it reads configuration, keeps its memory, and sends messages.
func driftRights(env config.Environment, token []string) []string {
	const stacks = " arn:aws:cloudformation:$:stack/"
	all := slices.Concat(inVPC(env), token, []string{
		"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/drift:*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/drift:*",
		"cloudformation:BatchDescribeTypeConfigurations *", "cloudformation:DescribeStackDriftDetectionStatus *", "cloudformation:DescribeStacks *", "eks:DescribeClusterVersions *", "rds:DescribeDBMajorEngineVersions *",
		"secretsmanager:ListSecrets *", "ssm:GetParameters arn:aws:ssm:$:parameter/CFN-*", "logs:FilterLogEvents arn:aws:logs:$:log-group:/aws/eks/" + env.Name + "/cluster:*",
		"iam:GetPolicy arn:aws:iam::" + env.Account + ":policy/platform-*-" + env.Region, "iam:GetPolicyVersion arn:aws:iam::" + env.Account + ":policy/platform-*-" + env.Region,
		"s3:GetObject BUCKET/drift/*", "s3:PutObject BUCKET/drift/*", "s3:ListBucket BUCKET", "kms:Decrypt KEY", "kms:GenerateDataKey KEY", "sns:Publish TOPIC",
	})
	for _, action := range []string{"DescribeStackResourceDrifts", "DetectStackDrift", "DetectStackResourceDrift", "ListStackResources"} {
		all = append(all, "cloudformation:"+action+stacks+env.Name+"-*/*")
	}
	if env.Drift.Repair {
		for _, action := range []string{"CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "ExecuteChangeSet"} {
			all = append(all, "cloudformation:"+action+stacks+env.Name+"-*/*")
		}
	}
	for _, action := range delivery.DetectionReads() { // TestDriftReads
		all = append(all, action+" *")
	}
	return all
}

// ownResources are the stack's own resources in the statements of its roles, by logical id without hash, and a word for each.
var ownResources = map[string]string{"DeliveryStoreArtifacts.Arn": "BUCKET", "DeliveryStoreKey.Arn": "KEY"}

// privateSubnet is the id of a private subnet, from the network's stack.
var privateSubnet = regexp.MustCompile(`import [a-z]+-network:ExportsOutputRefNetworkVPCprivateSubnet\d\w+`)

// resourceName returns a resource of a statement, with the stack's own by a word.
func resourceName(resource any) string {
	if ref, ok := get(resource, "Ref").(string); ok && idHash.ReplaceAllString(ref, "") == "DeliveryNotificationsTopic" {
		return "TOPIC"
	}
	name := anywhere(privateSubnet.ReplaceAllString(plain(resource), "PRIVATE"))
	own, rest, _ := strings.Cut(name, "/")
	if word, ok := ownResources[own]; ok {
		return strings.TrimSuffix(word+"/"+rest, "/")
	}
	return name
}

// Every role of every delivery stack may do exactly what it needs.
func TestDeliveryRoles(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		got := map[string][]string{}
		for id, r := range stack.Resources {
			switch r.Type {
			case "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::User", "AWS::IAM::Group":
				t.Errorf("%s %s: only roles with their policy inside", env.Name, id)
			case "AWS::IAM::Role":
				name, _ := get(r.Properties, "Policies", 0, "PolicyName").(string)
				if r.Properties["ManagedPolicyArns"] != nil || len(asList(r.Properties["Policies"])) != 1 {
					t.Errorf("%s %s: more than one policy", env.Name, id)
				}
				got[name] = rightsOf(t, get(r.Properties, "Policies", 0, "PolicyDocument", "Statement"))
				trust := get(r.Properties, "AssumeRolePolicyDocument", "Statement", 0)
				service := "codebuild.amazonaws.com"
				switch {
				case name == "publish":
					if conditions := get(trust, "Condition"); get(trust, "Principal", "Federated") != env.ARN("iam", "oidc-provider/token.actions.githubusercontent.com") ||
						get(conditions, "StringEquals", "token.actions.githubusercontent.com:aud") != "sts.amazonaws.com" ||
						get(conditions, "StringLike", "token.actions.githubusercontent.com:sub") != "repo:my-company/tracking:ref:refs/tags/v*" {
						t.Errorf("%s %s trusts %s", env.Name, id, text(trust))
					}
					continue
				case strings.HasPrefix(name, "pipeline-"):
					service = "codepipeline.amazonaws.com"
				case strings.HasPrefix(name, "start-"):
					service = "events.amazonaws.com"
				}
				if get(trust, "Principal", "Service") != service || get(trust, "Condition", "StringEquals", "aws:SourceAccount") != env.Account || len(asList(get(r.Properties, "AssumeRolePolicyDocument", "Statement"))) != 1 {
					t.Errorf("%s %s trusts %s", env.Name, id, text(trust))
				}
			}
		}
		if diff := gocmp.Diff(rights(env, fleetOf(t).For(env.Name).ByMerge()), got); diff != "" {
			t.Errorf("%s: rights (-wanted +template):\n%s", env.Name, diff)
		}
	}
}

// rightsOf flattens statements into "action resource".
func rightsOf(t *testing.T, statements any) []string {
	t.Helper()
	var lines []string
	for _, s := range asList(statements) {
		if get(s, "Effect") != "Allow" || get(s, "NotAction") != nil || get(s, "NotResource") != nil {
			t.Errorf("an unusual statement: %s", text(s))
		}
		condition := ""
		if prefix := get(s, "Condition", "StringLike", "s3:prefix"); prefix != nil {
			condition = fmt.Sprint(" if s3:prefix ", prefix)
		} else if equal := get(s, "Condition", "StringEquals"); get(equal, "ec2:AuthorizedService") != nil {
			subnets := asList(get(equal, "ec2:Subnet"))
			for _, subnet := range subnets {
				if !strings.HasSuffix(resourceName(subnet), ":subnet/PRIVATE") {
					t.Errorf("a build beside the private subnets: %s", text(subnet))
				}
			}
			condition = fmt.Sprintf(" if of %v in %d subnets", get(equal, "ec2:AuthorizedService"), len(subnets))
		} else if via := get(equal, "kms:ViaService"); via != nil {
			condition = fmt.Sprint(" if via ", via)
		} else if get(equal, "aws:ResourceTag/"+config.RestoredTag) != nil || get(s, "Condition", "StringLike", "aws:ResourceTag/"+config.BeforeTag) != nil {
			condition = " if marked"
		} else if get(s, "Condition") != nil {
			t.Errorf("an unusual condition: %s", text(s))
		}
		for _, action := range asList(get(s, "Action")) {
			for _, resource := range asList(get(s, "Resource")) {
				lines = append(lines, fmt.Sprint(action, " ", resourceName(resource), condition))
			}
		}
	}
	slices.Sort(lines)
	return lines
}

// What runs a pull request's code cannot write what later rehearsals begin with: it would run in those of others. A rehearsal
// also has no secret, which the review's build needs.
func TestRehearsalsWriteNoPrograms(t *testing.T) {
	rehearsing := 0
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		for _, pipeline := range stack.ofType("AWS::CodePipeline::Pipeline") {
			if get(pipeline.Properties, "Triggers", 0, "GitConfiguration", "PullRequest") == nil {
				continue
			}
			for _, action := range asList(get(pipeline.Properties, "Stages", 1, "Actions")) {
				project := stack.Resources[fmt.Sprint(get(action, "Configuration", "ProjectName", "Ref"))]
				role := stack.Resources[fmt.Sprint(get(project.Properties, "ServiceRole", "Fn::GetAtt", 0))]
				for _, right := range rightsOf(t, get(role.Properties, "Policies", 0, "PolicyDocument", "Statement")) {
					name, resource, _ := strings.Cut(right, " ")
					of := regexp.MustCompile("^" + strings.ReplaceAll(regexp.QuoteMeta(resource), `\*`, ".*") + "$") // IAM's * crosses folders
					if strings.HasPrefix(name, "s3:Put") && of.MatchString("BUCKET/rehearsals/programs.tar.zst") || strings.Contains(name, "*") {
						t.Errorf("%s: %s may write the programs: %s", env.Name, get(action, "Name"), right)
					}
					if get(action, "Name") == "Rehearse" && strings.HasPrefix(name, "secretsmanager:") {
						t.Errorf("%s: a rehearsal may read a secret: %s", env.Name, right)
					}
				}
				if get(action, "Name") == "Rehearse" {
					rehearsing++
				}
			}
		}
	}
	if rehearsing != 1 {
		t.Errorf("%d environments rehearse, want the one of the fixture: by default nothing is added", rehearsing)
	}
}
