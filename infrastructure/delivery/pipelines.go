package delivery

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipelineactions"
	"github.com/aws/jsii-runtime-go"
)

// Names of the pipelines after the environment. Their namespaces are those of the actions whose variables others use.
const (
	infrastructurePipeline = "infrastructure"
	appResourcesPipeline   = "app-resources"
	dockerbuildPipeline    = "dockerbuild"
	reviewPipeline         = "review"
	servicesPipeline       = "services"

	sourceNamespace = "Source"
	diffNamespace   = "Diff"
)

// infrastructureStacks in the order of their deployment: the pipelines last, so that a change of theirs, which ends the
// execution that makes it, finds everything else done.
var infrastructureStacks = []string{"network", "cluster", "delivery"}

// releaseTags start the release of a service: <service>/v1.2.3. A * stays between slashes, and what the version looks like
// a pattern cannot say: the build refuses what is no version.
const releaseTags = "*/v*"

// pipelines makes the projects and the pipelines.
func (d *Delivery) pipelines(applications []string) {
	for _, p := range d.table() {
		d.build(p)
	}
	paths := d.env.Repository.Paths
	d.deployment(infrastructurePipeline, paths.Infrastructure, infrastructureStacks)
	d.deployment(appResourcesPipeline, paths.AppResources, applications)
	d.dockerbuild(paths.Dockerbuild)
	d.services()
	if d.env.Delivery.Review {
		d.review()
	}
}

// action is an action that runs a project.
type action struct {
	name, project string
	order         float64
	namespace     string
	variables     map[string]string
}

// source is where a pipeline begins.
type source struct {
	action   awscodepipelineactions.CodeStarConnectionsSourceAction
	artifact awscodepipeline.Artifact
}

// newSource reads the environment's branch through the connection: an archive, or a clone with history where a build
// compares commits. The triggers start it, not each push.
func (d *Delivery) newSource(clone bool) source {
	artifact := awscodepipeline.NewArtifact(jsii.String("Source"), nil)
	return source{artifact: artifact, action: awscodepipelineactions.NewCodeStarConnectionsSourceAction(&awscodepipelineactions.CodeStarConnectionsSourceActionProps{
		ActionName:           jsii.String("Source"),
		VariablesNamespace:   jsii.String(sourceNamespace),
		ConnectionArn:        jsii.String(d.env.Delivery.ConnectionARN),
		Owner:                jsii.String(d.env.Repository.Owner),
		Repo:                 jsii.String(d.env.Repository.Name),
		Branch:               jsii.String(d.env.Branch),
		Output:               artifact,
		CodeBuildCloneOutput: jsii.Bool(clone),
		TriggerOnPush:        jsii.Bool(false),
	})}
}

// stage makes a stage of builds.
func (d *Delivery) stage(name string, from source, actions ...action) *awscodepipeline.StageProps {
	built := make([]awscodepipeline.IAction, len(actions))
	for i, a := range actions {
		variables := map[string]*awscodebuild.BuildEnvironmentVariable{}
		for key, value := range a.variables {
			variables[key] = &awscodebuild.BuildEnvironmentVariable{Value: value}
		}
		props := &awscodepipelineactions.CodeBuildActionProps{
			ActionName: jsii.String(a.name), Project: d.projects[a.project], Input: from.artifact, RunOrder: jsii.Number(max(a.order, 1)),
		}
		if len(variables) > 0 {
			props.EnvironmentVariables = &variables
		}
		if a.namespace != "" {
			props.VariablesNamespace = jsii.String(a.namespace)
		}
		built[i] = awscodepipelineactions.NewCodeBuildAction(props)
	}
	return &awscodepipeline.StageProps{StageName: jsii.String(name), Actions: &built}
}

// deployment makes a pipeline that tests and deploys stacks: Source, Test, Approve where the configuration asks for it,
// Deploy.
func (d *Delivery) deployment(name string, paths, stacks []string) {
	from := d.newSource(false)
	variables := map[string]string{"STACKS": strings.Join(stacks, " ")}
	stages := []*awscodepipeline.StageProps{d.stage("Test", from, action{name: "Test", project: "test"})}
	projects := []string{"test", "deploy"}
	topic := ""
	if d.env.Delivery.Approval {
		approve := d.stage("Approve", from, action{name: "Diff", project: "diff", namespace: diffNamespace, variables: variables})
		*approve.Actions = append(*approve.Actions, d.approval())
		stages = append(stages, approve)
		projects = append(projects, "diff")
		topic = *d.topic.TopicArn()
	}
	stages = append(stages, d.stage("Deploy", from, action{name: "Deploy", project: "deploy", variables: variables}))
	d.pipeline(pipelineProps{name: name, from: from, paths: paths, stages: stages, projects: projects, topic: topic, restart: true})
}

// approval waits until somebody has read the difference. It waits for seven days, CodePipeline's limit.
func (d *Delivery) approval() awscodepipeline.IAction {
	return awscodepipelineactions.NewManualApprovalAction(&awscodepipelineactions.ManualApprovalActionProps{
		ActionName:            jsii.String("Approve"),
		RunOrder:              jsii.Number(2),
		NotificationTopic:     d.topic,
		AdditionalInformation: jsii.String("Commit #{" + sourceNamespace + ".CommitId}. The link leads to the log of cdk diff."),
		ExternalEntityLink:    jsii.String("#{" + diffNamespace + ".DIFF_URL}"),
	})
}

// dockerbuild makes the pipeline that builds the image for both architectures, each on its own kind of machine, and gives
// it a tag when the scan allows. Flux takes it from there.
func (d *Delivery) dockerbuild(paths []string) {
	from := d.newSource(false)
	// The same for all actions of an execution, also when one is retried.
	variables := map[string]string{"BUILD": "#{codepipeline.PipelineExecutionId}"}
	d.pipeline(pipelineProps{
		name: dockerbuildPipeline, from: from, paths: paths,
		projects: []string{"image-arm64", "image-amd64", "image-publish"},
		stages: []*awscodepipeline.StageProps{
			d.stage("Build", from, action{name: "arm64", project: "image-arm64", variables: variables}, action{name: "amd64", project: "image-amd64", variables: variables}),
			d.stage("Publish", from, action{name: "Publish", project: "image-publish", variables: variables}),
		},
	})
}

// review makes the pipeline that comments on pull requests towards the environment's branch, several at a time.
func (d *Delivery) review() {
	from := d.newSource(true)
	variables := map[string]string{"REVIEW_COMMIT": "#{" + sourceNamespace + ".CommitId}", "REVIEW_BRANCH": "#{" + sourceNamespace + ".BranchName}"}
	d.pipeline(pipelineProps{
		name: reviewPipeline, from: from, projects: []string{"review"}, pullRequests: true,
		stages: []*awscodepipeline.StageProps{d.stage("Review", from, action{name: "Review", project: "review", variables: variables})},
	})
}

// services makes the pipeline that publishes a service when its tag is pushed: in every environment, so that a release
// reaches each as its fleet.yaml says, at once or as a proposal. The build finds the tags in its clone: the variable in
// which CodePipeline names the tag is missing when an execution is started in another way, as the first one is, and a
// variable that is missing fails its action.
func (d *Delivery) services() {
	from := d.newSource(true)
	d.pipeline(pipelineProps{
		name: servicesPipeline, from: from, projects: []string{"services"}, tags: []string{releaseTags},
		stages: []*awscodepipeline.StageProps{d.stage("Publish", from, action{name: "Publish", project: "services"})},
	})
}

// pipelineProps is what distinguishes the pipelines.
type pipelineProps struct {
	name         string
	from         source
	paths        []string // patterns that start it
	tags         []string // patterns of tags that start it instead
	pullRequests bool     // started by pull requests instead
	stages       []*awscodepipeline.StageProps
	projects     []string
	topic        string // that it publishes to
	restart      bool   // runs again when its own definition has changed
}

// pipeline makes a pipeline with its role. Deployments queue: each merged commit is deployed, in order, and none is
// skipped by a later one that may be rejected.
func (d *Delivery) pipeline(p pipelineProps) {
	git := &awscodepipeline.GitConfiguration{SourceAction: p.from.action}
	mode := awscodepipeline.ExecutionMode_QUEUED
	switch {
	case p.pullRequests:
		mode = awscodepipeline.ExecutionMode_PARALLEL
		git.PullRequestFilter = &[]*awscodepipeline.GitPullRequestFilter{{
			BranchesIncludes: jsii.Strings(d.env.Branch),
			Events:           &[]awscodepipeline.GitPullRequestEvent{awscodepipeline.GitPullRequestEvent_OPEN, awscodepipeline.GitPullRequestEvent_UPDATED},
		}}
	case len(p.tags) > 0:
		git.PushFilter = &[]*awscodepipeline.GitPushFilter{{TagsIncludes: jsii.Strings(p.tags...)}}
	default:
		git.PushFilter = &[]*awscodepipeline.GitPushFilter{{BranchesIncludes: jsii.Strings(d.env.Branch), FilePathsIncludes: jsii.Strings(p.paths...)}}
	}
	names := make([]string, len(p.projects))
	for i, project := range p.projects {
		names[i] = d.projectName(project)
	}
	start := &awscodepipeline.StageProps{StageName: jsii.String("Source"), Actions: &[]awscodepipeline.IAction{p.from.action}}
	stages := append([]*awscodepipeline.StageProps{start}, p.stages...)
	awscodepipeline.NewPipeline(d.Stack, jsii.String("Pipeline-"+p.name), &awscodepipeline.PipelineProps{
		PipelineName:              jsii.String(d.env.StackName(p.name)),
		PipelineType:              awscodepipeline.PipelineType_V2,
		ExecutionMode:             mode,
		ArtifactBucket:            d.artifacts,
		Role:                      d.role("pipeline-"+p.name, "codepipeline.amazonaws.com", "Pipeline "+d.env.StackName(p.name), d.policies.pipeline(names, p.topic)),
		UsePipelineRoleForActions: jsii.Bool(true), // else one more role per action, with the pipeline's rights divided
		RestartExecutionOnUpdate:  jsii.Bool(p.restart),
		Stages:                    &stages,
		Triggers:                  &[]*awscodepipeline.TriggerProps{{ProviderType: awscodepipeline.ProviderType_CODE_STAR_SOURCE_CONNECTION, GitConfiguration: git}},
	})
	if !p.pullRequests {
		d.alarm(p.name)
	}
}
