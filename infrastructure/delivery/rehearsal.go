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

// rehearsing are the states of a build after which somebody is to be told: it runs, or it has ended, however.
// https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications.html#sample-build-notifications-ref
var rehearsing = []string{"IN_PROGRESS", "SUCCEEDED", "FAILED", "FAULT", "STOPPED", "TIMED_OUT"}

// RehearsalProps is what the rehearsals of pull requests need from outside.
type RehearsalProps struct {
	Env   config.Environment
	Store *Store
}

// Rehearsal is the project <environment>-rehearsal, which rehearses a pull request, and <environment>-rehearsed, which tells of it.
type Rehearsal struct {
	constructs.Construct
	construct.Part
	// Project is for an action of the review's pipeline.
	Project *Project
	// Rule hears of its builds.
	Rule awsevents.Rule
}

// NewRehearsal makes two projects, because the first runs the code of pull requests. It reads the source and the programs, and
// writes its log and a result; it has no token. 4 cores and 8 GiB: the local system takes 2.4 GiB, and the compiler up to 3 more.
//
// The second is started by a rule and no action of the pipeline, so that a rehearsal that ran out of time or was stopped is told,
// too. It runs what Flux follows, as the report of a deployment does, and has the token and the right to stop the first: it ends
// the rehearsals of a pull request's earlier pushes, and of one with the label no-rehearsal. It is small, as that report is.
func NewRehearsal(scope constructs.Construct, id string, props *RehearsalProps) *Rehearsal {
	r, env := &Rehearsal{}, props.Env
	construct.Init(r, scope, id)
	bucket, key := props.Store.Artifacts, policy.List{*props.Store.Key.KeyArn()}
	results := policy.List{*bucket.BucketArn() + "/" + rehearsalResults + "*"} // named by the builds' ids
	r.Project = NewProject(r, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: "rehearsal", Description: "gitops rehearse of a pull request", Buildspec: rehearsalBuildspec,
		Laboratory: true, Size: awscodebuild.ComputeType_MEDIUM, Minutes: 90,
		Variables: map[string]string{
			"REVIEW_BASE": "origin/" + env.Branch, "PROGRAMS_BUCKET": *bucket.BucketName(), "PROGRAMS_KEY": programsArchive, "RESULTS": rehearsalResults,
		},
		Rights: []policy.Statement{
			policy.Allow("KeepTheResult", results, "s3:PutObject"),
			policy.Allow("EncryptTheResult", key, "kms:GenerateDataKey"),
			cloneRight(env),
		},
	})
	builds := policy.List{env.ARN("codebuild", "project/"+r.Project.Name)}
	report := NewProject(r, "Report", &ProjectProps{
		Env: env, Store: props.Store, Name: "rehearsed", Description: "Gives commits the status of their rehearsal", Buildspec: rehearsedBuildspec,
		Branch: env.FluxBranch(), Minutes: 30,
		Variables: map[string]string{
			"REVIEW_TOKEN_SECRET": env.SecretName("gitops", reviewToken), "RESULTS": "s3://" + *bucket.BucketName() + "/" + rehearsalResults,
		},
		Rights: []policy.Statement{
			policy.Allow("ReadResults", results, "s3:GetObject", "s3:GetObjectVersion"),
			policy.Allow("DecryptResults", key, "kms:Decrypt"),
			policy.Allow("EndRehearsals", builds, "codebuild:BatchGetBuilds", "codebuild:ListBuildsForProject", "codebuild:StopBuild"),
			tokenRight(env, "ReadTheTokenForStatuses", reviewToken),
		},
	})
	role := NewRole(r, "Role", &RoleProps{
		Env: env, Service: "events.amazonaws.com", Description: "Tells of the rehearsals of " + env.Name, PolicyName: "start-rehearsed",
		Policy: policy.Of(policy.Allow("StartTheBuild", policy.List{env.ARN("codebuild", "project/"+report.Name)}, "codebuild:StartBuild")),
	})
	r.Rule = awsevents.NewRule(r, jsii.String("Builds"), &awsevents.RuleProps{
		Description: jsii.String("Rehearsals of " + env.Name + " start and end"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings("aws.codebuild"), DetailType: jsii.Strings("CodeBuild Build State Change"),
			Detail: &map[string]any{"project-name": []string{r.Project.Name}, "build-status": rehearsing},
		},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewCodeBuildProject(report.Project, &awseventstargets.CodeBuildProjectProps{
			EventRole: role,
			Event: awsevents.RuleTargetInput_FromObject(map[string]any{"environmentVariablesOverride": []any{map[string]any{
				"name": "BUILD", "type": "PLAINTEXT", "value": awsevents.EventField_FromPath(jsii.String("$.detail.build-id")),
			}}}),
		})},
	})
	return r
}
