package delivery

import (
	_ "embed"
	"encoding/json"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseks"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseventstargets"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// driftMemory is below which the store's bucket has what people were told.
const driftMemory = "drift/"

// DriftProps says which environment is watched, and who hears of it.
type DriftProps struct {
	Env           config.Environment
	Store         *Store
	Notifications *Notifications
	// VPC of the cluster, inside which its API is asked.
	VPC awsec2.IVpc
}

// Drift is the project <environment>-drift with the rule that starts it.
type Drift struct {
	constructs.Construct
	construct.Part
	// Rule has the schedule of drift.schedule.
	Rule awsevents.Rule
}

// NewDrift makes what runs `gitops drift --alert` by drift.schedule: a build of the branch that Flux follows, in the VPC, where a
// private endpoint of the cluster is reached. It changes nothing but its memory in the store's bucket, unless drift.repair lets it put
// back what it can. An alarm, <environment>-drift-failed, tells when a look has failed: then nobody watches.
// docs/design/20261130.drift-on-a-schedule.md
func NewDrift(scope constructs.Construct, id string, props *DriftProps) *Drift {
	d, env := &Drift{}, props.Env
	construct.Init(d, scope, id)
	memory := *props.Store.Artifacts.BucketArn() + "/" + driftMemory + "*"
	variables, rights := map[string]string{"MEMORY_BUCKET": *props.Store.Artifacts.BucketName()}, DriftRights(env)
	if env.Drift.Repair {
		variables["REPAIR"] = "yes"
		rights = append(rights, RepairRights(env)...)
	}
	project := NewProject(d, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: "drift", Description: "Looks for what differs from the repository", Buildspec: driftBuildspec,
		Branch: env.FluxBranch(), Size: awscodebuild.ComputeType_MEDIUM, Minutes: 60, VPC: props.VPC,
		Variables: variables,
		Rights: append(rights,
			policy.Allow("RememberWhatWasTold", policy.List{memory}, "s3:GetObject", "s3:PutObject"),
			// Without it S3 does not say that there is no memory yet. The bucket is this stack's own.
			policy.Allow("KnowThatNothingIsRemembered", policy.List{*props.Store.Artifacts.BucketArn()}, "s3:ListBucket"),
			policy.Allow("EncryptTheMemoryAndMessages", policy.List{*props.Store.Key.KeyArn()}, "kms:Decrypt", "kms:GenerateDataKey"),
			policy.Allow("TellPeople", policy.List{*props.Notifications.Topic.TopicArn()}, "sns:Publish"),
		),
	})
	// L1, as for Verify: the CDK's construct wants the cluster itself and a policy of EKS, each of which may do more.
	awseks.NewCfnAccessEntry(d, jsii.String("AccessEntry"), &awseks.CfnAccessEntryProps{
		ClusterName: jsii.String(env.ClusterName()), PrincipalArn: project.Project.Role().RoleArn(), KubernetesGroups: jsii.Strings(config.DriftGroup),
	})
	role := NewRole(d, "Role", &RoleProps{
		Env: env, Service: "events.amazonaws.com", Description: "Starts the looks for drift of " + env.Name, PolicyName: "start-drift",
		Policy: policy.Of(policy.Allow("StartTheBuild", policy.List{env.ARN("codebuild", "project/"+project.Name)}, "codebuild:StartBuild")),
	})
	d.Rule = awsevents.NewRule(d, jsii.String("Schedule"), &awsevents.RuleProps{
		Description: jsii.String("Looks for what differs in " + env.Name + " from the repository"),
		Schedule:    awsevents.Schedule_Expression(jsii.String(env.Drift.Schedule)),
		Targets:     &[]awsevents.IRuleTarget{awseventstargets.NewCodeBuildProject(project.Project, &awseventstargets.CodeBuildProjectProps{EventRole: role})},
	})
	d.alarm(props, project)
	return d
}

// alarm tells when a look failed, and a day after the last one that did.
func (d *Drift) alarm(props *DriftProps, project *Project) {
	alarm := awscloudwatch.NewAlarm(d, jsii.String("Failed"), &awscloudwatch.AlarmProps{
		AlarmName:        jsii.String(project.Name + "-failed"),
		AlarmDescription: jsii.String("Nobody looked for drift: " + project.Name + " failed within the last day: docs/guides/alerts.md"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String("AWS/CodeBuild"), MetricName: jsii.String("FailedBuilds"), Statistic: jsii.String("Sum"),
			DimensionsMap: &map[string]*string{"ProjectName": jsii.String(project.Name)},
			Period:        awscdk.Duration_Days(jsii.Number(1)),
		}),
		EvaluationPeriods: jsii.Number(1), Threshold: jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING,
	})
	topic := awscloudwatchactions.NewSnsAction(props.Notifications.Topic)
	alarm.AddAlarmAction(topic)
	alarm.AddOkAction(topic)
}

// reads are what CloudFormation's drift detection reads, with the rights of its caller, of the types in the stacks: the read
// handlers of their schemas. It is generated by TestDriftReads.
//
//go:embed reads.json
var reads []byte

// DetectionReads are the actions with which drift detection reads what the stacks have made.
func DetectionReads() []string {
	var actions []string
	if err := json.Unmarshal(reads, &actions); err != nil {
		panic(err) //nolint:forbidigo // the file is compiled in, and a test reads it
	}
	return actions
}

// DriftRights is what `gitops drift` needs in an environment, and no more: it reads configuration, and of what people and programs
// keep nothing. docs/guides/drift.md lists it from here.
func DriftRights(env config.Environment) []policy.Statement {
	stacks := policy.List{env.ARN("cloudformation", "stack/"+env.Name+"-*/*")}
	return []policy.Statement{
		policy.Allow("DetectDrift", stacks,
			"cloudformation:DescribeStackResourceDrifts", "cloudformation:DetectStackDrift", "cloudformation:DetectStackResourceDrift", "cloudformation:ListStackResources"),
		// Their calls name no resource: all stacks, a detection, versions, all secrets by their names.
		policy.Allow("FindWhatThereIs", policy.List{"*"},
			"cloudformation:DescribeStackDriftDetectionStatus", "cloudformation:DescribeStacks", "eks:DescribeClusterVersions",
			"rds:DescribeDBMajorEngineVersions", "secretsmanager:ListSecrets"),
		policy.Allow("CompareThePoliciesOfTheBootstrap", policy.List{env.ARN("iam", "policy/platform-*-"+env.Region)}, "iam:GetPolicy", "iam:GetPolicyVersion"),
		policy.Allow("FindWhoWroteInTheAuditLog", policy.List{env.ARN("logs", "log-group:"+config.ControlPlaneLogs(env.ClusterName())+":*")}, "logs:FilterLogEvents"),
		// One of the CDK's own, whose name CloudFormation makes; it has no secret.
		policy.Allow("ReadTheClustersParameter", policy.List{env.ARN("ssm", "parameter/CFN-*")}, "ssm:GetParameters"),
		// Of every resource that a stack may have made, whose names are not known here. Each reads configuration: no object, no secret.
		policy.Allow("ReadAsDetectionDoes", policy.List{"*"}, DetectionReads()...),
	}
}

// RepairRights is what `gitops drift --repair` needs beside. A change set is executed with the role that deployed the stack, so whoever
// may make one may do what a deployment may: like the deployment, this build runs what is on the branch, and nothing else.
func RepairRights(env config.Environment) []policy.Statement {
	return []policy.Statement{policy.Allow("TakeDriftBack", policy.List{env.ARN("cloudformation", "stack/"+env.Name+"-*/*")},
		"cloudformation:CreateChangeSet", "cloudformation:DeleteChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet")}
}
