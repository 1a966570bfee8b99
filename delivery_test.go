package main

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
)

// rights is what each role of a delivery stack may do, as "action resource", with $ for the environment's account and
// region. Anything more, and any role that is not here, fails the test.
func rights(env config.Environment) map[string][]string {
	build := func(name string, more ...string) []string {
		return append([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/" + name + ":*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/" + name + ":*",
			"s3:GetObject BUCKET/*", "s3:GetObjectVersion BUCKET/*", "kms:Decrypt KEY",
		}, more...)
	}
	assume := func(kind string) string {
		return "sts:AssumeRole arn:aws:iam::" + env.Account + ":role/cdk-hnb659fds-" + kind + "-role-" + env.Account + "-" + env.Region
	}
	images := func(actions ...string) []string {
		for i, action := range actions {
			actions[i] = "ecr:" + action + " arn:aws:ecr:$:repository/" + env.Name + "/ghost"
		}
		return actions
	}
	push := append(images("BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeImages", "InitiateLayerUpload", "PutImage", "UploadLayerPart"), "ecr:GetAuthorizationToken *")
	connection := []string{"codeconnections:UseConnection " + env.Delivery.ConnectionARN, "codestar-connections:UseConnection " + env.Delivery.ConnectionARN}
	var token []string
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
	all := map[string][]string{
		"plan": build("plan", append([]string{
			"cloudformation:DescribeStacks arn:aws:cloudformation:$:stack/" + env.Name + "-*/*", "cloudformation:GetTemplate arn:aws:cloudformation:$:stack/" + env.Name + "-*/*",
			"s3:PutObject BUCKET/*", "kms:GenerateDataKey KEY",
		}, connection...)...),
		"test":          build("test", connection...),
		"deploy":        build("deploy", append([]string{assume("deploy"), assume("file-publishing"), assume("lookup")}, connection...)...),
		"image-arm64":   build("image-arm64", push...),
		"image-amd64":   build("image-amd64", push...),
		"image-publish": build("image-publish", images("BatchGetImage", "DescribeImageScanFindings", "PutImage")...),
		"report": slices.Concat([]string{
			"logs:CreateLogStream arn:aws:logs:$:log-group:/" + env.Name + "/delivery/report:*", "logs:PutLogEvents arn:aws:logs:$:log-group:/" + env.Name + "/delivery/report:*",
			"codepipeline:ListActionExecutions arn:aws:codepipeline:$:" + env.Name + "-deploy", "codepipeline:ListPipelineExecutions arn:aws:codepipeline:$:" + env.Name + "-deploy",
			"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????",
		}, token),
		"start-report": {"codebuild:StartBuild arn:aws:codebuild:$:project/" + env.Name + "-report"},
		"review":       build("review", append([]string{"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????"}, connection...)...),
		"services": build("services", append([]string{
			"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/manifests-token-??????",
			"s3:ListBucket arn:aws:s3:::" + env.AssetsBucket() + " if s3:prefix services/*",
			"s3:PutObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*", "s3:DeleteObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*",
		}, connection...)...),
		"pipeline-services":    pipeline(start("services")...),
		"pipeline-dockerbuild": pipeline(start("image-arm64", "image-amd64", "image-publish")...),
		"pipeline-review":      pipeline(start("review")...),
	}
	if env.Gated() {
		all["release"] = build("release", append([]string{"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/release-token-??????"}, connection...)...)
		if env.RollsBack() {
			all["release"] = append(all["release"], "codepipeline:GetPipelineExecution arn:aws:codepipeline:$:"+env.Name+"-deploy")
		}
		all["verify"] = build("verify", append(inVPC(env), "eks:DescribeCluster arn:aws:eks:$:cluster/"+env.ClusterName())...)
		deployments = append(deployments, start("release", "verify")...)
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

// ownResources are the stack's own resources in the statements of its roles, by logical id without hash, and a word for each.
var ownResources = map[string]string{"DeliveryStoreArtifacts.Arn": "BUCKET", "DeliveryStoreKey.Arn": "KEY"}

// privateSubnet is the id of a private subnet, from the network's stack.
var privateSubnet = regexp.MustCompile(`import [a-z]+-network:ExportsOutputRefNetworkVPCprivateSubnet\d\w+`)

// resourceName returns a resource of a statement, with the stack's own by a word.
func resourceName(resource any) string {
	if ref, ok := get(resource, "Ref").(string); ok && idHash.ReplaceAllString(ref, "") == "DeliveryNotificationsTopic" {
		return "TOPIC"
	}
	name := privateSubnet.ReplaceAllString(plain(resource), "PRIVATE")
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
		if diff := gocmp.Diff(rights(env), got); diff != "" {
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

// The pipelines start by their branch and paths, wait in line, and deploy what they say.
func TestPipelines(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		paths := env.Repository.Paths
		want := map[string][]string{"deploy": append(slices.Clone(paths.Deploy), config.ManifestPaths), "dockerbuild": paths.Dockerbuild, "review": nil, "services": nil}
		for id, p := range stack.ofType("AWS::CodePipeline::Pipeline") {
			name := strings.TrimPrefix(p.Properties["Name"].(string), env.Name+"-")
			patterns, known := want[name]
			if !known {
				t.Errorf("%s: pipeline %s", env.Name, name)
			}
			delete(want, name)
			git := get(p.Properties, "Triggers", 0, "GitConfiguration")
			trigger, mode := get(git, "Push", 0), "QUEUED"
			if name == "review" {
				trigger, mode = get(git, "PullRequest", 0), "PARALLEL"
			}
			if p.Properties["PipelineType"] != "V2" || p.Properties["ExecutionMode"] != mode {
				t.Errorf("%s %s: type %v, mode %v", env.Name, id, p.Properties["PipelineType"], p.Properties["ExecutionMode"])
			}
			source := get(p.Properties, "Stages", 0, "Actions", 0, "Configuration")
			// A clone, because the archive has neither tags nor other commits.
			if cloned := get(source, "OutputArtifactFormat") == "CODEBUILD_CLONE_REF"; cloned != (name != "dockerbuild") {
				t.Errorf("%s %s: source %s", env.Name, id, text(source))
			}
			if name == "services" {
				if text(trigger) != `{"Tags":{"Includes":["*/v*"]}}` {
					t.Errorf("%s %s: trigger %s", env.Name, id, text(trigger))
				}
			} else if text(get(trigger, "Branches", "Includes")) != `["`+env.Branch+`"]` || len(asList(get(trigger, "FilePaths", "Includes"))) > 8 {
				t.Errorf("%s %s: trigger %s", env.Name, id, text(trigger))
			}
			if patterns != nil && text(get(trigger, "FilePaths", "Includes")) != text(patterns) {
				t.Errorf("%s %s: paths %s", env.Name, id, text(trigger))
			}
			if get(source, "DetectChanges") != false || get(source, "ConnectionArn") != env.Delivery.ConnectionARN {
				t.Errorf("%s %s: source %s", env.Name, id, text(source))
			}
			if diff := gocmp.Diff(stagesOf(name, env), actionsOf(p)); diff != "" {
				t.Errorf("%s %s: actions (-want +got):\n%s", env.Name, id, diff)
			}
		}
		if len(want) > 0 {
			t.Errorf("%s: missing %v", env.Name, slices.Sorted(maps.Keys(want)))
		}
	}
}

// stagesOf are a pipeline's actions after the source, "stage/action order".
func stagesOf(pipeline string, env config.Environment) []string {
	switch pipeline {
	case "dockerbuild":
		return []string{"Build/arm64 1", "Build/amd64 1", "Publish/Publish 1"}
	case "services":
		return []string{"Publish/Publish 1"}
	case "review":
		return []string{"Review/Review 1"}
	}
	stages := []string{"Plan/Plan 1", "Test/Test 1"}
	if env.Delivery.Approval {
		stages = append(stages, "Approve/Approve 1")
	}
	if env.Delivery.Window != nil { // with frozen dates
		stages = append(stages, "Window/Window 1", "Frozen/Frozen 1")
	}
	if env.Gated() {
		stages = append(stages, "KubernetesFirst/Release 1", "KubernetesFirst/Verify 2")
	}
	stages = append(stages, "Network/Deploy 1", "Applications/Deploy 1", "Cluster/Deploy 1", "Delivery/Deploy 1")
	if env.Gated() {
		stages = append(stages, "Release/Release 1", "Release/Verify 2")
	}
	return stages
}

// actionsOf lists a pipeline's actions after the source.
func actionsOf(pipeline resource) []string {
	var list []string
	for _, stage := range asList(pipeline.Properties["Stages"])[1:] {
		for _, action := range asList(get(stage, "Actions")) {
			list = append(list, fmt.Sprintf("%v/%v %v", get(stage, "Name"), get(action, "Name"), get(action, "RunOrder")))
		}
	}
	return list
}

// One pipeline deploys, each stack once and after the stacks that the assembly says it depends on, the pipeline itself last:
// a change of it ends the execution that makes it. Two pipelines would deploy the stacks of one commit in any order, so
// that a stack can miss what the same commit adds for it in another.
func TestDeployedInOrder(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		delivery := env.StackName("delivery")
		deployed := deploymentsOf(sampleApp(t)[delivery])
		if len(deployed) != 1 {
			t.Errorf("%s: %v deploy side by side, each in its own order; deploy by the ordered stages of one (infrastructure/delivery/deployment.go)", env.Name, slices.Sorted(maps.Keys(deployed)))
			continue
		}
		for pipeline, builds := range deployed {
			place := map[string]int{}
			for i, build := range builds {
				for _, stack := range build {
					if _, twice := place[env.StackName(stack)]; twice {
						t.Errorf("%s deploys %s twice", pipeline, stack)
					}
					place[env.StackName(stack)] = i
				}
			}
			if place[delivery] != len(builds)-1 || len(builds[len(builds)-1]) != 1 {
				t.Errorf("%s: the last build deploys %v, want %s alone: a change of the pipeline ends the execution", pipeline, builds[len(builds)-1], delivery)
			}
			all := sampleArtifacts[env.Name]
			for id, a := range all {
				if a.Type != "aws:cloudformation:stack" {
					continue
				}
				at, ok := place[a.Properties.StackName]
				if !ok {
					t.Errorf("%s never deploys %s; name it in a stage (infrastructure/delivery/deployment.go)", pipeline, a.Properties.StackName)
				}
				for _, dependency := range stacksOf(all, all[id].Dependencies) {
					// Within one build the CDK CLI keeps the order.
					if needed := all[dependency].Properties.StackName; ok && place[needed] > at {
						t.Errorf("%s deploys %s before %s, which it depends on; put its stage after that one", pipeline, a.Properties.StackName, needed)
					}
				}
			}
		}
	}
}

// deploymentsOf lists what the builds that run the deployment's buildspec deploy: by pipeline, in the order in which they run.
func deploymentsOf(stack template) map[string][][]string {
	deployed := map[string][][]string{}
	for _, p := range stack.ofType("AWS::CodePipeline::Pipeline") {
		name := p.Properties["Name"].(string)
		for _, stage := range asList(p.Properties["Stages"]) {
			actions := slices.Clone(asList(get(stage, "Actions")))
			slices.SortStableFunc(actions, func(a, b any) int {
				return cmp.Compare(get(a, "RunOrder").(float64), get(b, "RunOrder").(float64))
			})
			for _, action := range actions {
				project, _ := get(action, "Configuration", "ProjectName", "Ref").(string)
				if get(stack.Resources[project].Properties, "Source", "BuildSpec") != "buildspec.yml" {
					continue
				}
				variables, _ := get(action, "Configuration", "EnvironmentVariables").(string)
				_, rest, _ := strings.Cut(variables, `"name":"STACKS","type":"PLAINTEXT","value":"`)
				stacks, _, _ := strings.Cut(rest, `"`)
				deployed[name] = append(deployed[name], strings.Fields(stacks))
			}
		}
	}
	return deployed
}

// Sources, logs and notifications are encrypted and do not stay forever; only docker runs privileged.
func TestDeliveryStore(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		bucket, assets := bucketNamed(t, stack, nil), bucketNamed(t, stack, env.AssetsBucket())
		if get(assets, "VersioningConfiguration", "Status") != "Enabled" || get(assets, "PublicAccessBlockConfiguration", "BlockPublicPolicy") != true ||
			get(assets, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") != "AES256" ||
			get(assets, "LifecycleConfiguration", "Rules", 0, "NoncurrentVersionExpiration", "NoncurrentDays") != 90.0 {
			t.Errorf("%s: bucket %s", env.Name, text(assets))
		}
		if get(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") != "aws:kms" || get(bucket, "LifecycleConfiguration", "Rules", 0, "ExpirationInDays") != map[bool]any{false: 30.0, true: 365.0}[env.RollsBack()] {
			t.Errorf("%s: bucket %s", env.Name, text(bucket))
		}
		if stack.only(t, "AWS::SNS::Topic").Properties["KmsMasterKeyId"] == nil {
			t.Errorf("%s: the topic is not encrypted", env.Name)
		}
		for id, group := range stack.ofType("AWS::Logs::LogGroup") {
			if group.Properties["RetentionInDays"] != float64(env.Delivery.LogDays) {
				t.Errorf("%s %s: kept %v days", env.Name, id, group.Properties["RetentionInDays"])
			}
		}
		for id, project := range stack.ofType("AWS::CodeBuild::Project") {
			docker := strings.HasSuffix(project.Properties["Name"].(string), "-arm64") || strings.HasSuffix(project.Properties["Name"].(string), "-amd64")
			if get(project.Properties, "Environment", "PrivilegedMode") != docker || project.Properties["EncryptionKey"] == nil {
				t.Errorf("%s %s: %s", env.Name, id, text(project.Properties))
			}
		}
		if got := len(stack.ofType("AWS::SNS::Subscription")); got != len(env.Delivery.Notify) {
			t.Errorf("%s: %d subscriptions", env.Name, got)
		}
		for id, alarm := range stack.ofType("AWS::CloudWatch::Alarm") {
			if alarm.Properties["TreatMissingData"] != "ignore" || text(alarm.Properties["AlarmActions"]) != text(alarm.Properties["OKActions"]) {
				t.Errorf("%s %s: %s", env.Name, id, text(alarm.Properties))
			}
		}
		if got := len(stack.ofType("AWS::CloudWatch::Alarm")); got != 3 {
			t.Errorf("%s: %d alarms, want one per deploying pipeline", env.Name, got)
		}
	}
}

// bucketNamed returns the bucket called name, or with nil the one that CloudFormation names; the stack must have exactly one.
func bucketNamed(t *testing.T, stack template, name any) map[string]any {
	t.Helper()
	var found []map[string]any
	buckets := stack.ofType("AWS::S3::Bucket")
	for _, b := range buckets {
		if b.Properties["BucketName"] == name {
			found = append(found, b.Properties)
		}
	}
	if len(found) != 1 {
		t.Fatalf("got %d buckets called %v, want 1 of %v", len(found), name, slices.Sorted(maps.Keys(buckets)))
	}
	return found[0]
}

// Without a connection there is no delivery stack.
func TestNoDelivery(t *testing.T) {
	context := sample(t)
	for _, env := range context["gitops"].(map[string]any)["environments"].(map[string]any) {
		delete(env.(map[string]any), "delivery")
	}
	templates := read(t, synthesize(t, context, environments(t, context, "dev"), false))
	if _, ok := templates["dev-delivery"]; ok || len(templates) != 3 {
		t.Errorf("stacks: %v", slices.Sorted(maps.Keys(templates)))
	}
}
