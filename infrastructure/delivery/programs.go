package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

const (
	// programsArchive is what rehearsals begin with, in the bucket of the pipelines.
	programsArchive = "rehearsals/programs.tar.zst"
	// rehearsalResults are the results of rehearsals there, each under the id of its build.
	rehearsalResults = "rehearsals/results/"
)

// programPaths are what the programs of the local system are built from, and the tool that builds them.
var programPaths = []string{"go.{mod,sum}", "package-lock.json", "local/go.{mod,sum}", "local/platform.yaml", "local/{npm,programs}/**", "local/endpoint/moto/*.txt"}

// ProgramsProps says whose programs they are.
type ProgramsProps struct {
	Env   config.Environment
	Store *Store
}

// Programs is the pipeline <environment>-programs with its project.
type Programs struct {
	constructs.Construct
	construct.Part
	Pipeline *Pipeline
}

// NewPrograms makes what keeps the programs of the local system for rehearsals: after a merge that changes what they are built
// from, and every two weeks, since the bucket forgets after 30 days. It has no alarm: without the programs a rehearsal builds
// them, and takes longer.
//
// Rehearsals run the code of pull requests and use what this build has left. So this one runs what is merged, and no other may
// write the archive (TestRehearsalsWriteNoPrograms).
func NewPrograms(scope constructs.Construct, id string, props *ProgramsProps) *Programs {
	p, env := &Programs{}, props.Env
	construct.Init(p, scope, id)
	bucket := *props.Store.Artifacts.BucketArn()
	project := NewProject(p, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: programsPipeline, Description: "Builds the programs of rehearsals", Buildspec: programsBuildspec,
		Laboratory: true, Size: awscodebuild.ComputeType_MEDIUM, Minutes: 90,
		Variables: map[string]string{"PROGRAMS_BUCKET": *props.Store.Artifacts.BucketName(), "PROGRAMS_KEY": programsArchive},
		Rights: []policy.Statement{
			policy.Allow("KeepThePrograms", policy.List{bucket + "/" + programsArchive}, "s3:PutObject"),
			policy.Allow("EncryptThePrograms", policy.List{*props.Store.Key.KeyArn()}, "kms:GenerateDataKey"),
			cloneRight(env),
		},
	})
	p.Pipeline = NewPipeline(p, "Pipeline", &PipelineProps{
		Env: env, Store: props.Store, Name: programsPipeline, Clone: true, Trigger: Trigger{Paths: programPaths},
		Stages: []Stage{{Name: "Build", Actions: []Action{{Name: "Build", Project: project}}}},
	})
	role := NewRole(p, "Role", &RoleProps{
		Env: env, Service: "events.amazonaws.com", Description: "Starts the builds of programs of " + env.Name, PolicyName: "start-programs",
		Policy: policy.Of(policy.Allow("StartThePipeline", policy.List{env.ARN("codepipeline", p.Pipeline.Name)}, "codepipeline:StartPipelineExecution")),
	})
	awsevents.NewRule(p, jsii.String("Schedule"), &awsevents.RuleProps{
		Description: jsii.String("Programs of " + env.Name + ", before the bucket forgets them"),
		Schedule:    awsevents.Schedule_Expression(jsii.String("rate(14 days)")),
		Targets:     &[]awsevents.IRuleTarget{awseventstargets.NewCodePipeline(p.Pipeline.Pipeline, &awseventstargets.CodePipelineTargetOptions{EventRole: role})},
	})
	return p
}
