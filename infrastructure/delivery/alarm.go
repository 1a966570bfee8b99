package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// AlarmProps says which pipeline an alarm is of.
type AlarmProps struct {
	Env           config.Environment
	Notifications *Notifications
	// Pipeline is its name after the environment; it must be one of those of the notifications.
	Pipeline string
}

// NewAlarm makes the alarm <environment>-<pipeline>-failed: in alarm from a failure until a success, and told of both. It
// looks each minute.
func NewAlarm(scope constructs.Construct, id string, props *AlarmProps) awscloudwatch.Alarm {
	name := props.Env.StackName(props.Pipeline)
	alarm := awscloudwatch.NewAlarm(scope, jsii.String(id), &awscloudwatch.AlarmProps{
		AlarmName:        jsii.String(name + "-failed"),
		AlarmDescription: jsii.String("The last execution of pipeline " + name + " failed: https://" + props.Env.Region + ".console.aws.amazon.com/codesuite/codepipeline/pipelines/" + name + "/view"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace:     jsii.String(metricNamespace(props.Env)),
			MetricName:    jsii.String(failedMetric),
			DimensionsMap: &map[string]*string{"Pipeline": jsii.String(name)},
			Statistic:     jsii.String("Maximum"),
			Period:        awscdk.Duration_Minutes(jsii.Number(1)),
		}),
		EvaluationPeriods:  jsii.Number(1),
		Threshold:          jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_IGNORE, // between two executions nothing changes
	})
	props.Notifications.tellOf(alarm)
	return alarm
}

// builds are those of a project that a schedule starts.
type builds struct {
	env config.Environment
	// project is its whole name, and metric is 1 when a build failed and 0 when one succeeded.
	project, metric string
	// description says what an alarm means, and guide has what to do.
	description, guide string
}

// tellOfBuilds makes the alarm <project>-failed: in alarm from a build that did not succeed until one does, and told of both.
func (n *Notifications) tellOfBuilds(scope constructs.Construct, of *builds) awscloudwatch.Alarm {
	env := of.env
	n.hear(scope, "Ends", env, "Ends of builds of "+of.project, map[string]any{
		"source": []any{"aws.codebuild"}, "detail-type": []any{"CodeBuild Build State Change"},
		"detail": map[string]any{"project-name": []any{of.project}, "build-status": []any{"FAILED", "FAULT", "STOPPED", "SUCCEEDED", "TIMED_OUT"}},
	})
	for value, operator := range []string{"=", "!="} {
		ended := awslogs.FilterPattern_StringValue(jsii.String("$.detail.build-status"), jsii.String(operator), jsii.String("SUCCEEDED"))
		n.count(scope, []string{"Succeeded", "Failed"}[value], env, of.metric, value,
			awslogs.FilterPattern_All(is("$.source", "aws.codebuild"), is("$.detail.project-name", of.project), ended), nil)
	}
	alarm := awscloudwatch.NewAlarm(scope, jsii.String("Alarm"), &awscloudwatch.AlarmProps{
		AlarmName: jsii.String(of.project + "-failed"),
		AlarmDescription: jsii.String(of.description + ": https://" + env.Region + ".console.aws.amazon.com/codesuite/codebuild/projects/" +
			of.project + "/history. What to do: " + of.guide),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String(metricNamespace(env)), MetricName: jsii.String(of.metric), Statistic: jsii.String("Maximum"), Period: awscdk.Duration_Minutes(jsii.Number(1)),
		}),
		EvaluationPeriods: jsii.Number(1), Threshold: jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_IGNORE, // between two builds nothing changes
	})
	n.tellOf(alarm)
	return alarm
}
