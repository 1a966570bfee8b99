package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
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
