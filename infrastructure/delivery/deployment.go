package delivery

import (
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// planNamespace is the namespace of what the plan found: RELEASE, FIRST, and each stage of stacks by its name in capitals.
const planNamespace = "Plan"

// planned is a variable of the plan.
func planned(name string) string { return "#{" + planNamespace + "." + name + "}" }

// commit is the commit of the execution, and execution is its id.
const (
	commit    = "#{" + SourceNamespace + ".CommitId}"
	execution = "#{codepipeline.PipelineExecutionId}"
)

// deployStage is a stage of the deployment with the stack that it deploys, by its name after the environment.
type deployStage struct{ name, stack string }

// deployStages are in the order in which the stacks need each other; a test compares it with the dependencies in the
// assembly. The pipelines are last, so that a change of theirs, which ends the execution that makes it, finds everything
// else done. The applications are those that no other stage names: this pipeline deploys the one that a commit adds.
var deployStages = []deployStage{{"Network", "network"}, {"Applications", config.RestStacks}, {"Cluster", "cluster"}, {"Delivery", "delivery"}}

// DeploymentProps is what the deployment of an environment needs from outside.
type DeploymentProps struct {
	Env           config.Environment
	Store         *Store
	Notifications *Notifications
	// Repositories are those of the applications' images, without the environment; with delivery.imagesFrom they are filled.
	Repositories []string
	// ByMerge publishes the services' manifests with the release; by default the deployment leaves them alone.
	ByMerge bool
	// VPC of the cluster; it is used with delivery.gate.
	VPC awsec2.IVpc
}

// Deployment is the pipeline <environment>-deploy with its projects.
type Deployment struct {
	constructs.Construct
	construct.Part
	Pipeline *Pipeline
}

// NewDeployment makes the pipeline that brings a commit into the environment, both halves: Source, Plan, Test, Approve where
// delivery.approval asks for it, Window and Frozen where delivery.window does, the stages of the stacks, Images with
// delivery.imagesFrom, and with delivery.gate Release, which verifies. Plan compares with what
// is deployed, so that a stage without a difference is skipped. It is the only pipeline that deploys: two that run at once
// would deploy a stack before what the same commit adds for it in another. docs/design/20261129.one-gate.md
func NewDeployment(scope constructs.Construct, id string, props *DeploymentProps) *Deployment {
	d, env := &Deployment{}, props.Env
	construct.Init(d, scope, id)
	test := NewProject(d, "Test", &ProjectProps{
		Env: env, Store: props.Store, Name: "test", Description: "Checks and tests before a deployment", Buildspec: testBuildspec,
		Size: awscodebuild.ComputeType_MEDIUM, Minutes: 60, Variables: map[string]string{"TEST_TARGETS": env.Delivery.Test},
		Rights: []policy.Statement{cloneRight(env)},
	})
	deploy := NewProject(d, "Deploy", &ProjectProps{
		Env: env, Store: props.Store, Name: "deploy", Description: "cdk deploy", Buildspec: deployBuildspec, Minutes: 120,
		// What the roles may do is the bootstrap's matter: docs/guides/bootstrap.md. The fourth, image-publishing, is for
		// images that the CDK builds; the stacks have none.
		Rights: []policy.Statement{cloneRight(env), assumeRight(d, env, "DeployByTheBootstrapsRoles", "deploy", "file-publishing", "lookup")},
	})
	releases := map[string]string{planned("RELEASE"): "yes"}
	stages := []Stage{planStage(d, props), {Name: "Test", If: releases, Actions: []Action{{Name: "Test", Project: test}}}}
	if env.Delivery.Approval {
		stages = append(stages, Stage{Name: "Approve", If: releases, Actions: []Action{{Name: "Approve", Approval: &Approval{
			Text: "Commit " + commit + ". The link leads to what it changes, in AWS and in Kubernetes.", Link: planned("PLAN_URL"),
		}}}})
	}
	if env.Delivery.Window != nil {
		stages = append(stages, windowStages(d, props, releases)...)
	}
	images := imagesActions(d, props)
	release := newReleaseBuilds(d, props)
	if env.Gated() {
		const name = "KubernetesFirst"
		stages = append(stages, Stage{Name: name, If: map[string]string{planned("RELEASE"): "yes", planned("FIRST"): "kubernetes"}, Actions: behind(images, release.actions(name))})
	}
	for _, s := range deployStages {
		stages = append(stages, Stage{
			Name: s.name, If: map[string]string{planned(strings.ToUpper(s.name)): "deploy"},
			Actions: []Action{{Name: config.DeployAction, Project: deploy, More: planNamespace, Variables: map[string]string{"STAGE": strings.ToUpper(s.name)}}},
		})
	}
	if images != nil { // the applications' repositories are there
		stages = append(stages, Stage{Name: "Images", If: releases, Actions: images})
	}
	const last = "Release"
	switch {
	case env.Gated():
		// One stage, because CodePipeline rolls back a stage: Release takes back what Verify found wanting. KubernetesFirst does
		// not roll back: what it last succeeded with is any old commit. docs/design/20261129.one-gate.md
		stages = append(stages, Stage{
			Name: last, If: map[string]string{planned("RELEASE"): "yes", planned("FIRST"): "aws"}, Rollback: env.RollsBack(), Actions: release.actions(last),
		})
	case release != nil: // Flux follows the branch itself, and the services' manifests are published
		stages = append(stages, Stage{Name: last, If: releases, Actions: release.actions(last)})
	}
	d.Pipeline = NewPipeline(d, "Pipeline", &PipelineProps{
		Env: env, Store: props.Store, Notifications: props.Notifications, Name: deployPipeline, Clone: true,
		Trigger: Trigger{Paths: deployPaths(env, props.ByMerge)}, Stages: stages, Restart: true,
	})
	return d
}

// servicePaths are the files that Flux applies and those that render the services' manifests. One pattern, because CodePipeline
// takes 8 and the default leaves one.
const servicePaths = "{k8s,services}/**"

// deployPaths are the files whose change starts a deployment: those of the AWS half, what Flux applies where the deployment reads
// it, and what renders the services where it publishes them.
func deployPaths(env config.Environment, byMerge bool) []string {
	paths, more := env.Repository.Paths.Deploy, config.ManifestPaths
	if byMerge {
		more = servicePaths
	}
	if (byMerge || env.ReadsManifests()) && !slices.Contains(paths, more) {
		paths = append(slices.Clone(paths), more)
	}
	return paths
}

// planStage compares the commit with what is deployed. Its build reads the templates of the environment's stacks.
func planStage(d *Deployment, props *DeploymentProps) Stage {
	env := props.Env
	var names []string
	for _, s := range deployStages {
		names = append(names, s.name+"="+s.stack)
	}
	plan := NewProject(d, "Plan", &ProjectProps{
		Env: env, Store: props.Store, Name: "plan", Description: "Compares a commit with what is deployed", Buildspec: planBuildspec,
		// Most of the time is for the execution before, whose stacks may take long.
		Size: awscodebuild.ComputeType_MEDIUM, Minutes: 150,
		Variables: map[string]string{"STAGES": strings.Join(names, " "), "PIPELINE": env.StackName(deployPipeline)},
		Rights: []policy.Statement{
			cloneRight(env),
			policy.Allow("WaitForOtherExecutionsOrTakeTheirPlace", policy.List{env.ARN("codepipeline", env.StackName(deployPipeline))},
				"codepipeline:ListPipelineExecutions", "codepipeline:ListActionExecutions", "codepipeline:ListRuleExecutions", "codepipeline:StopPipelineExecution"),
			policy.Allow("ReadTheDeployedTemplates", policy.List{env.ARN("cloudformation", "stack/"+env.Name+"-*/*")}, "cloudformation:DescribeStacks", "cloudformation:GetTemplate"),
			policy.Allow("LeaveTheToolForOthers", policy.List{*props.Store.Artifacts.BucketArn() + "/*"}, "s3:PutObject"),
			policy.Allow("EncryptIt", policy.List{*props.Store.Key.KeyArn()}, "kms:GenerateDataKey"),
		},
	})
	return Stage{Name: "Plan", Actions: []Action{{
		Name: "Plan", Project: plan, Namespace: planNamespace, Output: planNamespace,
		Variables: map[string]string{"EXECUTION": "#{codepipeline.PipelineExecutionId}"},
	}}}
}

// assumeRight lets a build assume roles of `cdk bootstrap`, by their kinds.
func assumeRight(scope constructs.Construct, env config.Environment, sid string, kinds ...string) policy.Statement {
	var roles policy.List
	for _, kind := range kinds {
		roles = append(roles, env.ARN("iam", "role/cdk-"+qualifier(scope)+"-"+kind+"-role-"+env.Account+"-"+env.Region))
	}
	return policy.Allow(sid, roles, "sts:AssumeRole")
}

// qualifier is the one that `cdk bootstrap` gave to its roles.
func qualifier(scope constructs.Construct) string {
	if own, ok := scope.Node().TryGetContext(jsii.String("@aws-cdk/core:bootstrapQualifier")).(string); ok {
		return own
	}
	return *awscdk.DefaultStackSynthesizer_DEFAULT_QUALIFIER()
}
