package delivery

import (
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipelineactions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// SourceNamespace is the namespace of the source's variables, for example #{Source.CommitId}.
const SourceNamespace = "Source"

// Trigger says what starts a pipeline: changed files of a push to the environment's branch, tags, or pull requests towards
// the branch. Exactly one field is set.
type Trigger struct {
	// Paths are patterns of files, at most 8.
	Paths []string
	// Tags are patterns of tags.
	Tags []string
	// PullRequests that are opened or updated. Reviews of several run at a time.
	PullRequests bool
}

// Stage is a stage of a pipeline after its source.
type Stage struct {
	Name string
	// If are conditions for its entry, at most five: a variable of an earlier action and its value, for example
	// {"#{Plan.RELEASE}": "yes"}. Where one does not hold, the stage is skipped.
	If map[string]string
	// Window must be open at its entry; an execution waits for it. A condition has one result, so that a stage has this or If.
	Window *config.Window
	// Rollback runs the stage again as the last execution in which it succeeded, where it has failed. It is for a pipeline
	// whose executions do not run side by side.
	Rollback bool
	Actions  []Action
}

// Action runs a project, or waits for an approval.
type Action struct {
	Name string
	// Project runs; nil for an approval.
	Project *Project
	// Approval is waited for; nil for a project.
	Approval *Approval
	// Order of the action in its stage, from 1, the default. Actions of one order run side by side.
	Order int
	// Namespace under which other actions find the variables that the project exports, if any.
	Namespace string
	// Variables of the build, in which #{Namespace.NAME} stands for the variable of another action.
	Variables map[string]string
	// Output names the artifact that the build leaves for others; none by default.
	Output string
	// Input names the artifact that the build works in instead of the source, and More one beside it, whose folder is in
	// CODEBUILD_SRC_DIR_<name>.
	Input, More string
}

// Approval is what somebody reads who approves. The notifications of the pipeline ask for it.
type Approval struct {
	Text, Link string
	// Days that it waits, at most 60; 7 by default.
	Days int
}

// PipelineProps is what distinguishes the pipelines.
type PipelineProps struct {
	Env   config.Environment
	Store *Store
	// Name of the pipeline after the environment, for example deploy for dev-deploy.
	Name string
	// Clone hands a clone with history to the builds, where one compares commits or reads tags; an archive by default.
	Clone   bool
	Trigger Trigger
	Stages  []Stage
	// Notifications tell of its failures, by an alarm, and ask for approvals; nil for neither.
	Notifications *Notifications
	// Restart runs the pipeline again when its own definition has changed.
	Restart bool
}

// Pipeline is a pipeline from the environment's branch.
type Pipeline struct {
	constructs.Construct
	construct.Part
	// Name is the agreed name, with the environment.
	Name     string
	Pipeline awscodepipeline.Pipeline
}

// NewPipeline makes a pipeline with its role and its alarm. Executions queue before each stage, in the order of their
// commits; only those of pull requests run side by side.
func NewPipeline(scope constructs.Construct, id string, props *PipelineProps) *Pipeline {
	p := &Pipeline{Name: props.Env.StackName(props.Name)}
	construct.Init(p, scope, id)
	input := artifact("Source")
	source := newSource(props, input)
	stages := []*awscodepipeline.StageProps{{StageName: jsii.String("Source"), Actions: &[]awscodepipeline.IAction{source}}}
	for _, s := range props.Stages {
		stages = append(stages, newStage(s, input, props.Notifications))
	}
	mode := awscodepipeline.ExecutionMode_QUEUED
	if props.Trigger.PullRequests {
		mode = awscodepipeline.ExecutionMode_PARALLEL
	}
	p.Pipeline = awscodepipeline.NewPipeline(p, jsii.String("Pipeline"), &awscodepipeline.PipelineProps{
		PipelineName:   jsii.String(p.Name),
		PipelineType:   awscodepipeline.PipelineType_V2,
		ExecutionMode:  mode,
		ArtifactBucket: props.Store.Artifacts,
		Role: NewRole(p, "Role", &RoleProps{
			Env: props.Env, Service: "codepipeline.amazonaws.com", Description: "Pipeline " + p.Name,
			PolicyName: "pipeline-" + props.Name, Policy: pipelinePolicy(props),
		}),
		UsePipelineRoleForActions: jsii.Bool(true), // else one more role per action, with the pipeline's rights divided
		RestartExecutionOnUpdate:  jsii.Bool(props.Restart),
		Stages:                    &stages,
		Triggers: &[]*awscodepipeline.TriggerProps{{
			ProviderType: awscodepipeline.ProviderType_CODE_STAR_SOURCE_CONNECTION, GitConfiguration: props.Trigger.git(source, props.Env.Branch),
		}},
	})
	if props.Notifications != nil {
		NewAlarm(p, "Alarm", &AlarmProps{Env: props.Env, Notifications: props.Notifications, Pipeline: props.Name})
	}
	return p
}

// git returns the trigger as CodePipeline takes it.
func (t Trigger) git(source awscodepipeline.IAction, branch string) *awscodepipeline.GitConfiguration {
	git := &awscodepipeline.GitConfiguration{SourceAction: source}
	switch {
	case t.PullRequests:
		git.PullRequestFilter = &[]*awscodepipeline.GitPullRequestFilter{{
			BranchesIncludes: jsii.Strings(branch),
			Events:           &[]awscodepipeline.GitPullRequestEvent{awscodepipeline.GitPullRequestEvent_OPEN, awscodepipeline.GitPullRequestEvent_UPDATED},
		}}
	case len(t.Tags) > 0:
		git.PushFilter = &[]*awscodepipeline.GitPushFilter{{TagsIncludes: jsii.Strings(t.Tags...)}}
	default:
		git.PushFilter = &[]*awscodepipeline.GitPushFilter{{BranchesIncludes: jsii.Strings(branch), FilePathsIncludes: jsii.Strings(t.Paths...)}}
	}
	return git
}

// newSource reads the environment's branch through the connection. The triggers start it, not each push.
func newSource(props *PipelineProps, output awscodepipeline.Artifact) awscodepipeline.IAction {
	return awscodepipelineactions.NewCodeStarConnectionsSourceAction(&awscodepipelineactions.CodeStarConnectionsSourceActionProps{
		ActionName:           jsii.String("Source"),
		VariablesNamespace:   jsii.String(SourceNamespace),
		ConnectionArn:        jsii.String(props.Env.Delivery.ConnectionARN),
		Owner:                jsii.String(props.Env.Repository.Owner),
		Repo:                 jsii.String(props.Env.Repository.Name),
		Branch:               jsii.String(props.Env.Branch),
		Output:               output,
		CodeBuildCloneOutput: jsii.Bool(props.Clone),
		TriggerOnPush:        jsii.Bool(false),
	})
}

// newStage makes a stage of builds and approvals.
func newStage(s Stage, input awscodepipeline.Artifact, told *Notifications) *awscodepipeline.StageProps {
	actions := make([]awscodepipeline.IAction, len(s.Actions))
	for i, a := range s.Actions {
		if a.Approval != nil {
			actions[i] = newApproval(a, told)
		} else {
			actions[i] = newBuild(a, input)
		}
	}
	conditions := entry(s.If)
	if s.Window != nil {
		conditions = open(s.Window)
	}
	props := &awscodepipeline.StageProps{StageName: jsii.String(s.Name), Actions: &actions, BeforeEntry: conditions}
	if s.Rollback {
		props.OnFailure = &awscodepipeline.FailureConditions{Result: awscodepipeline.Result_ROLLBACK}
	}
	return props
}

// entry skips a stage where a variable has another value. CodePipeline skips by the rules VariableCheck and LambdaInvoke only:
// https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-conditions.html
func entry(conditions map[string]string) *awscodepipeline.Conditions {
	if len(conditions) == 0 {
		return nil
	}
	var rules []awscodepipeline.Rule
	for i, variable := range slices.Sorted(maps.Keys(conditions)) {
		rules = append(rules, awscodepipeline.NewRule(&awscodepipeline.RuleProps{
			Name: jsii.String("Check" + strconv.Itoa(i+1)), Provider: jsii.String("VariableCheck"), Version: jsii.String("1"),
			Configuration: &map[string]any{"Variable": variable, "Operator": "EQ", "Value": conditions[variable]},
		}))
	}
	return &awscodepipeline.Conditions{Conditions: &[]*awscodepipeline.Condition{{Result: awscodepipeline.Result_SKIP, Rules: &rules}}}
}

// newBuild runs a project.
func newBuild(a Action, input awscodepipeline.Artifact) awscodepipeline.IAction {
	props := &awscodepipelineactions.CodeBuildActionProps{
		ActionName: jsii.String(a.Name), Project: a.Project.Project, Input: input, RunOrder: jsii.Number(max(a.Order, 1)),
	}
	if a.Input != "" {
		props.Input = artifact(a.Input)
	}
	if a.More != "" {
		props.ExtraInputs = &[]awscodepipeline.Artifact{artifact(a.More)}
	}
	if a.Output != "" {
		props.Outputs = &[]awscodepipeline.Artifact{artifact(a.Output)}
	}
	if len(a.Variables) > 0 {
		variables := map[string]*awscodebuild.BuildEnvironmentVariable{}
		for key, value := range a.Variables {
			variables[key] = &awscodebuild.BuildEnvironmentVariable{Value: value}
		}
		props.EnvironmentVariables = &variables
	}
	if a.Namespace != "" {
		props.VariablesNamespace = jsii.String(a.Namespace)
	}
	return awscodepipelineactions.NewCodeBuildAction(props)
}

// artifact is known by its name alone.
func artifact(name string) awscodepipeline.Artifact {
	return awscodepipeline.NewArtifact(jsii.String(name), nil)
}

// newApproval waits until somebody has read what the approval names.
func newApproval(a Action, told *Notifications) awscodepipeline.IAction {
	props := &awscodepipelineactions.ManualApprovalActionProps{
		ActionName:            jsii.String(a.Name),
		RunOrder:              jsii.Number(max(a.Order, 1)),
		AdditionalInformation: jsii.String(a.Approval.Text),
		ExternalEntityLink:    jsii.String(a.Approval.Link),
	}
	if a.Approval.Days > 0 {
		props.Timeout = awscdk.Duration_Days(jsii.Number(a.Approval.Days))
	}
	if told != nil {
		props.NotificationTopic = told.Topic
	}
	return awscodepipelineactions.NewManualApprovalAction(props)
}

// pipelinePolicy reads the source through the connection, keeps it in the store, starts the builds of the stages, and asks
// for their approvals.
func pipelinePolicy(props *PipelineProps) policy.Document {
	env, bucket := props.Env, *props.Store.Artifacts.BucketArn()
	var builds policy.List
	asks := false
	for _, s := range props.Stages {
		for _, a := range s.Actions {
			if a.Project != nil {
				builds = append(builds, env.ARN("codebuild", "project/"+a.Project.Name))
			}
			asks = asks || a.Approval != nil && props.Notifications != nil
		}
	}
	slices.Sort(builds)
	statements := []policy.Statement{
		policy.Allow("ReadTheRepository", policy.List{env.Delivery.ConnectionARN}, useConnection...),
		policy.Allow("KeepArtifacts", policy.List{bucket + "/*"}, "s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:PutObjectAcl"),
		policy.Allow("FindTheBucket", policy.List{bucket}, "s3:GetBucketAcl", "s3:GetBucketLocation", "s3:GetBucketVersioning"),
		policy.Allow("EncryptArtifacts", policy.List{*props.Store.Key.KeyArn()}, "kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"),
		policy.Allow("StartBuilds", slices.Compact(builds), "codebuild:BatchGetBuilds", "codebuild:StartBuild", "codebuild:StopBuild"),
	}
	if asks {
		statements = append(statements, policy.Allow("AskForApproval", policy.List{*props.Notifications.Topic.TopicArn()}, "sns:Publish"))
	}
	return policy.Of(statements...)
}
