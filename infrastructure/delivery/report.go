package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// reported are the states of an execution after which its commit gets another status: it goes on, or it has ended. STOPPING
// is left out, because STOPPED follows.
// https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
var reported = []string{"STARTED", "RESUMED", "SUCCEEDED", "FAILED", "CANCELED", "STOPPED", "SUPERSEDED"}

// ReportProps says of which pipeline the commits get a status.
type ReportProps struct {
	Env   config.Environment
	Store *Store
	// Pipeline is its name after the environment.
	Pipeline string
}

// Report is the project <environment>-report with the rule that starts it.
type Report struct {
	constructs.Construct
	construct.Part
	// Rule hears of the pipeline's executions.
	Rule awsevents.Rule
}

// NewReport makes what gives a commit the status gitops/<environment> when its execution starts and ends. A rule starts the
// build, and no action of the pipeline, so that a rejected approval and an execution that was stopped are told, too, and
// no deployment fails for GitHub's sake.
//
// The build clones the branch that Flux follows: the tool there has been deployed, also while the commit that is told of
// does not compile. It reads the token of the review, because it writes what the review writes.
//
// The machine is small, where the compiler takes minutes longer, and 3 of 4 GiB: those of the deployment are not, and CodeBuild's quota
// of builds at once is of a size. So the report neither takes the place of what it tells of nor waits for it.
func NewReport(scope constructs.Construct, id string, props *ReportProps) *Report {
	r, env := &Report{}, props.Env
	construct.Init(r, scope, id)
	project := NewProject(r, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: "report", Description: "Gives commits the status of their deployment", Buildspec: reportBuildspec,
		Branch: env.FluxBranch(), Minutes: 30,
		Variables: map[string]string{"REVIEW_TOKEN_SECRET": env.SecretName("gitops", reviewToken)},
		Rights: []policy.Statement{
			policy.Allow("ReadItsExecutions", policy.List{env.ARN("codepipeline", env.StackName(props.Pipeline))}, "codepipeline:ListActionExecutions", "codepipeline:ListPipelineExecutions"),
			tokenRight(env, "ReadTheTokenForStatuses", reviewToken),
		},
	})
	role := NewRole(r, "Role", &RoleProps{
		Env: env, Service: "events.amazonaws.com", Description: "Starts the reports of " + env.Name, PolicyName: "start-report",
		Policy: policy.Of(policy.Allow("StartTheBuild", policy.List{env.ARN("codebuild", "project/"+project.Name)}, "codebuild:StartBuild")),
	})
	r.Rule = awsevents.NewRule(r, jsii.String("Executions"), &awsevents.RuleProps{
		Description: jsii.String("Executions of " + env.StackName(props.Pipeline) + " start and end"),
		EventPattern: &awsevents.EventPattern{
			Source: jsii.Strings("aws.codepipeline"), DetailType: jsii.Strings("CodePipeline Pipeline Execution State Change"),
			Detail: &map[string]any{"pipeline": []string{env.StackName(props.Pipeline)}, "state": reported},
		},
		Targets: &[]awsevents.IRuleTarget{awseventstargets.NewCodeBuildProject(project.Project, &awseventstargets.CodeBuildProjectProps{
			EventRole: role,
			Event: awsevents.RuleTargetInput_FromObject(map[string]any{"environmentVariablesOverride": []any{map[string]any{
				"name": "EXECUTION", "type": "PLAINTEXT", "value": awsevents.EventField_FromPath(jsii.String("$.detail.execution-id")),
			}}}),
		})},
	})
	return r
}
