package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
)

// The pipelines start by their branch and paths, wait in line, and deploy what they say.
func TestPipelines(t *testing.T) {
	for _, env := range environments(t, sample(t), "") {
		stack := sampleApp(t)[env.StackName("delivery")]
		paths := env.Repository.Paths
		want := map[string][]string{"deploy": append(slices.Clone(paths.Deploy), config.ManifestPaths), "review": nil, "services": nil}
		if fleetOf(t).For(env.Name).ByMerge() {
			want = map[string][]string{"deploy": append(slices.Clone(paths.Deploy), "{k8s,services}/**"), "review": nil}
		}
		if env.BuildsImages() {
			want["dockerbuild"] = paths.Dockerbuild
		}
		if env.Rehearses() {
			want["programs"] = nil // TestProgramPaths
		}
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
		if env.Rehearses() {
			return []string{"Review/Review 1", "Review/Rehearse 1"}
		}
		return []string{"Review/Review 1"}
	case "programs":
		return []string{"Build/Build 1"}
	}
	stages := []string{"Plan/Plan 1", "Test/Test 1"}
	if env.Delivery.Approval {
		stages = append(stages, "Approve/Approve 1")
	}
	if env.Delivery.Window != nil { // with frozen dates
		stages = append(stages, "Window/Window 1", "Frozen/Frozen 1")
	}
	switch {
	case env.Gated() && env.CopiesImages():
		stages = append(stages, "KubernetesFirst/Images 1", "KubernetesFirst/Release 2", "KubernetesFirst/Verify 3")
	case env.Gated():
		stages = append(stages, "KubernetesFirst/Release 1", "KubernetesFirst/Verify 2")
	}
	stages = append(stages, "Network/Deploy 1", "Applications/Deploy 1", "Cluster/Deploy 1", "Delivery/Deploy 1")
	if env.CopiesImages() {
		stages = append(stages, "Images/Images 1")
	}
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
		deployed := deploymentsOf(env, sampleApp(t)[delivery])
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

// deploymentsOf lists what the builds that run the deployment's buildspec deploy, when everything differs: by pipeline, in the
// order in which they run.
func deploymentsOf(env config.Environment, stack template) map[string][][]string {
	deployed, stages := map[string][][]string{}, plannedStages(env, stack)
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
				_, rest, _ := strings.Cut(variables, `"name":"STAGE","type":"PLAINTEXT","value":"`)
				stage, _, _ := strings.Cut(rest, `"`)
				deployed[name] = append(deployed[name], stages[stage])
			}
		}
	}
	return deployed
}

// plannedStages are the stacks of the stages as the plan is told them, by the stages' names in capitals.
func plannedStages(env config.Environment, stack template) map[string][]string {
	stages, rest := map[string][]string{}, map[string]bool{}
	for _, a := range sampleArtifacts[env.Name] {
		if a.Type == "aws:cloudformation:stack" {
			rest[strings.TrimPrefix(a.Properties.StackName, env.Name+"-")] = true
		}
	}
	for _, project := range stack.ofType("AWS::CodeBuild::Project") {
		for _, variable := range asList(get(project.Properties, "Environment", "EnvironmentVariables")) {
			if get(variable, "Name") != "STAGES" {
				continue
			}
			for _, stage := range strings.Fields(get(variable, "Value").(string)) {
				name, stacks, _ := strings.Cut(stage, "=")
				stages[strings.ToUpper(name)] = strings.Split(stacks, ",")
				for _, stack := range strings.Split(stacks, ",") {
					delete(rest, stack)
				}
			}
		}
	}
	for name, stacks := range stages {
		if slices.Equal(stacks, []string{config.RestStacks}) {
			stages[name] = slices.Sorted(maps.Keys(rest))
		}
	}
	return stages
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
			missing := "ignore"
			if alarm.Properties["AlarmName"] == env.StackName("backups-failed") {
				missing = "notBreaching" // counts failures: where there is none, there is nothing to count
			}
			if alarm.Properties["TreatMissingData"] != missing || text(alarm.Properties["AlarmActions"]) != text(alarm.Properties["OKActions"]) {
				t.Errorf("%s %s: %s", env.Name, id, text(alarm.Properties))
			}
		}
		want := 1
		if env.BuildsImages() {
			want++
		}
		if !fleetOf(t).For(env.Name).ByMerge() {
			want++
		}
		if env.BacksUp() {
			want++
		}
		if env.Drills() {
			want++
		}
		if env.WatchesDrift() {
			want++
		}
		if got := len(stack.ofType("AWS::CloudWatch::Alarm")); got != want {
			t.Errorf("%s: %d alarms, want %d, one per deploying pipeline, of the backups, the drill and the looks for drift", env.Name, got, want)
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
		delete(env.(map[string]any), "backup") // a build restores
		delete(env.(map[string]any), "alerts") // to the topic of the pipelines
	}
	templates := read(t, synthesize(t, context, environments(t, context, "dev"), false))
	if _, ok := templates["dev-delivery"]; ok || len(templates) != 6+len(others()) {
		t.Errorf("stacks: %v", slices.Sorted(maps.Keys(templates)))
	}
}
