package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

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
	images := []string{"ecr:GetAuthorizationToken *"}
	for _, action := range []string{"BatchCheckLayerAvailability", "BatchGetImage", "CompleteLayerUpload", "DescribeImageScanFindings", "DescribeImages", "InitiateLayerUpload", "PutImage", "UploadLayerPart"} {
		images = append(images, "ecr:"+action+" arn:aws:ecr:$:repository/"+env.Name+"/ghost")
	}
	connection := []string{"codeconnections:UseConnection " + env.Delivery.ConnectionARN, "codestar-connections:UseConnection " + env.Delivery.ConnectionARN}
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
	deployments := start("test", "deploy")
	all := map[string][]string{
		"test":          build("test"),
		"deploy":        build("deploy", assume("deploy"), assume("file-publishing"), assume("image-publishing"), assume("lookup")),
		"image-arm64":   build("image-arm64", images...),
		"image-amd64":   build("image-amd64", images...),
		"image-publish": build("image-publish", images...),
		"review":        build("review", append([]string{assume("lookup"), "secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/review-token-??????"}, connection...)...),
		"services": build("services", append([]string{
			"secretsmanager:GetSecretValue arn:aws:secretsmanager:$:secret:/" + env.Name + "/gitops/manifests-token-??????",
			"s3:ListBucket arn:aws:s3:::" + env.AssetsBucket() + " if s3:prefix services/*",
			"s3:PutObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*", "s3:DeleteObject arn:aws:s3:::" + env.AssetsBucket() + "/services/*",
		}, connection...)...),
		"pipeline-services":    pipeline(start("services")...),
		"pipeline-dockerbuild": pipeline(start("image-arm64", "image-amd64", "image-publish")...),
		"pipeline-review":      pipeline(start("review")...),
	}
	if env.Delivery.Approval {
		all["diff"] = build("diff", assume("lookup"))
		deployments = append(start("test", "deploy", "diff"), "sns:Publish TOPIC")
	}
	all["pipeline-infrastructure"], all["pipeline-app-resources"] = pipeline(deployments...), pipeline(deployments...)
	for name := range all {
		for i := range all[name] {
			all[name][i] = strings.ReplaceAll(all[name][i], "$", env.Region+":"+env.Account)
		}
		slices.Sort(all[name])
	}
	return all
}

// resourceName is a resource of a statement, with the stack's own by a word.
func resourceName(resource any) string {
	name := text(resource)
	for id, word := range map[string]string{`{"Fn::GetAtt":["Artifacts82DD59A1","Arn"]}`: "BUCKET", `{"Fn::GetAtt":["Key961B73FD","Arn"]}`: "KEY", `{"Ref":"TopicBFC7AF6E"}`: "TOPIC"} {
		if name == id {
			return word
		}
		if name == `{"Fn::Join":["",[`+id+`,"/*"]]}` {
			return word + "/*"
		}
	}
	return strings.Trim(name, `"`)
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
				service := map[bool]string{true: "codepipeline.amazonaws.com", false: "codebuild.amazonaws.com"}[strings.HasPrefix(name, "pipeline-")]
				if get(trust, "Principal", "Service") != service || get(trust, "Condition", "StringEquals", "aws:SourceAccount") != env.Account || len(asList(get(r.Properties, "AssumeRolePolicyDocument", "Statement"))) != 1 {
					t.Errorf("%s %s trusts %s", env.Name, id, text(trust))
				}
			}
		}
		if diff := cmp.Diff(rights(env), got); diff != "" {
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
		want := map[string][]string{"infrastructure": paths.Infrastructure, "app-resources": paths.AppResources, "dockerbuild": paths.Dockerbuild, "review": nil, "services": nil}
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
			if name == "services" {
				// A clone, because the archive has no tags.
				if text(trigger) != `{"Tags":{"Includes":["*/v*"]}}` || get(source, "OutputArtifactFormat") != "CODEBUILD_CLONE_REF" {
					t.Errorf("%s %s: trigger %s, source %s", env.Name, id, text(trigger), text(source))
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
			if diff := cmp.Diff(stagesOf(name, env.Delivery.Approval), actionsOf(p)); diff != "" {
				t.Errorf("%s %s: actions (-want +got):\n%s", env.Name, id, diff)
			}
		}
		if len(want) > 0 {
			t.Errorf("%s: missing %v", env.Name, slices.Sorted(maps.Keys(want)))
		}
	}
}

// stagesOf are a pipeline's actions after the source, "stage/action order".
func stagesOf(pipeline string, approval bool) []string {
	switch {
	case pipeline == "dockerbuild":
		return []string{"Build/arm64 1", "Build/amd64 1", "Publish/Publish 1"}
	case pipeline == "services":
		return []string{"Publish/Publish 1"}
	case pipeline == "review":
		return []string{"Review/Review 1"}
	case approval:
		return []string{"Test/Test 1", "Approve/Diff 1", "Approve/Approve 2", "Deploy/Deploy 1"}
	default:
		return []string{"Test/Test 1", "Deploy/Deploy 1"}
	}
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

// What is deployed: the pipelines themselves last; each stack by exactly one pipeline.
func TestDeployedStacks(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		var deployed []string
		for _, p := range sampleApp(t)[env.StackName("delivery")].ofType("AWS::CodePipeline::Pipeline") {
			for _, stage := range asList(p.Properties["Stages"]) {
				for _, action := range asList(get(stage, "Actions")) {
					variables, _ := get(action, "Configuration", "EnvironmentVariables").(string)
					if get(action, "Name") != "Deploy" {
						continue
					}
					_, rest, _ := strings.Cut(variables, `"name":"STACKS","type":"PLAINTEXT","value":"`)
					stacks, _, _ := strings.Cut(rest, `"`)
					if strings.Contains(stacks, "delivery") && !strings.HasSuffix(stacks, " delivery") {
						t.Errorf("%s: %q: a change of the pipelines ends the execution that makes it, so it comes last", env.Name, stacks)
					}
					deployed = append(deployed, strings.Fields(stacks)...)
				}
			}
		}
		slices.Sort(deployed)
		if diff := cmp.Diff([]string{"cluster", "delivery", "ghost", "network"}, deployed); diff != "" {
			t.Errorf("%s: deployed stacks (-want +got):\n%s", env.Name, diff)
		}
	}
}

// Sources, logs and notifications are encrypted and do not stay forever; only docker runs privileged.
func TestDeliveryStore(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		bucket, assets := stack.Resources["Artifacts82DD59A1"].Properties, named(t, stack, env.AssetsBucket())
		if get(assets, "VersioningConfiguration", "Status") != "Enabled" || get(assets, "PublicAccessBlockConfiguration", "BlockPublicPolicy") != true ||
			get(assets, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") != "AES256" ||
			get(assets, "LifecycleConfiguration", "Rules", 0, "NoncurrentVersionExpiration", "NoncurrentDays") != 90.0 {
			t.Errorf("%s: bucket %s", env.Name, text(assets))
		}
		if get(bucket, "BucketEncryption", "ServerSideEncryptionConfiguration", 0, "ServerSideEncryptionByDefault", "SSEAlgorithm") != "aws:kms" || get(bucket, "LifecycleConfiguration", "Rules", 0, "ExpirationInDays") != 30.0 {
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
		if got := len(stack.ofType("AWS::CloudWatch::Alarm")); got != 4 {
			t.Errorf("%s: %d alarms, want one per deploying pipeline", env.Name, got)
		}
	}
}

// named is the bucket of a name, of two in the stack.
func named(t *testing.T, stack template, name string) map[string]any {
	t.Helper()
	buckets := stack.ofType("AWS::S3::Bucket")
	for _, b := range buckets {
		if b.Properties["BucketName"] == name && len(buckets) == 2 {
			return b.Properties
		}
	}
	t.Errorf("no bucket %s, or others: %v", name, slices.Sorted(maps.Keys(buckets)))
	return nil
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
