package delivery

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
)

// failedMetric is 1 when an execution failed and 0 when one succeeded, by pipeline.
const failedMetric = "Failed"

// notifications tells of a failure once, and of the success after it: an alarm per pipeline, which holds its state until
// the next execution ends. Its metric comes from the pipelines' events, which go to a log group: a history of all
// executions, and no function to keep a state in. A rule that publishes each event would report every success.
func (d *Delivery) notifications() {
	d.topic = awssns.NewTopic(d.Stack, jsii.String("Topic"), &awssns.TopicProps{
		TopicName:   jsii.String(d.env.StackName("delivery")),
		DisplayName: jsii.String("Pipelines of " + d.env.Name),
		MasterKey:   d.key,
		EnforceSSL:  jsii.Bool(true),
	})
	account := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": d.env.Account}}
	alarms := awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), &awsiam.ServicePrincipalOpts{Conditions: &account})
	d.topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Alarms"), Principals: &[]awsiam.IPrincipal{alarms},
		Actions: jsii.Strings("sns:Publish"), Resources: jsii.Strings(*d.topic.TopicArn()),
	}))
	encryptFor(d.key, alarms)
	for i, address := range d.env.Delivery.Notify {
		awssns.NewSubscription(d.Stack, jsii.String(numbered("Notify", i)), &awssns.SubscriptionProps{
			Topic: d.topic, Protocol: awssns.SubscriptionProtocol_EMAIL, Endpoint: jsii.String(address),
		})
	}
	d.events()
}

// encryptFor lets a service publish to the encrypted topic. In a key's policy "*" is the key itself.
func encryptFor(key awskms.Key, service awsiam.IPrincipal) {
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("PublishNotifications"), Principals: &[]awsiam.IPrincipal{service},
		Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: jsii.Strings("*"),
	}), nil)
}

// numbered makes an id: Notify, Notify2, …
func numbered(id string, i int) string {
	if i == 0 {
		return id
	}
	return id + string(rune('1'+i))
}

// events sends the ends of the environment's executions to a log group, and makes the metric of them.
func (d *Delivery) events() {
	name := "/aws/events/" + d.env.StackName("delivery")
	group := d.keep.LogGroup(d.Stack, "Events", name, d.env.Delivery.LogDays)
	allowed := awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Events"),
			Principals: &[]awsiam.IPrincipal{
				awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
				awsiam.NewServicePrincipal(jsii.String("delivery.logs.amazonaws.com"), nil),
			},
			Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
			Resources: jsii.Strings(d.arn("logs", "log-group:"+name+":*")),
		}),
	}})
	policy := awslogs.NewCfnResourcePolicy(d.Stack, jsii.String("EventsPolicy"), &awslogs.CfnResourcePolicyProps{
		PolicyName: jsii.String(d.env.StackName("delivery-events")), PolicyDocument: d.Stack.ToJsonString(allowed.ToJSON(), nil),
	})
	pipelines := []*string{}
	for _, pipeline := range []string{infrastructurePipeline, appResourcesPipeline, dockerbuildPipeline, servicesPipeline} {
		pipelines = append(pipelines, jsii.String(d.env.StackName(pipeline)))
	}
	rule := awsevents.NewCfnRule(d.Stack, jsii.String("ExecutionEnds"), &awsevents.CfnRuleProps{
		Description: jsii.String("Ends of executions of the pipelines of " + d.env.Name),
		EventPattern: map[string]any{
			"source": []any{"aws.codepipeline"}, "detail-type": []any{"CodePipeline Pipeline Execution State Change"},
			"detail": map[string]any{"pipeline": pipelines, "state": []any{"FAILED", "SUCCEEDED"}},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("log"), Arn: jsii.String(d.arn("logs", "log-group:"+name))}},
	})
	rule.Node().AddDependency(policy, group)
	for value, state := range []string{"SUCCEEDED", "FAILED"} {
		awslogs.NewCfnMetricFilter(d.Stack, jsii.String("Metric-"+state), &awslogs.CfnMetricFilterProps{
			LogGroupName:  group.LogGroupName(),
			FilterPattern: jsii.String(`{ $.detail.state = "` + state + `" }`),
			MetricTransformations: []any{&awslogs.CfnMetricFilter_MetricTransformationProperty{
				MetricNamespace: jsii.String(d.metricNamespace()), MetricName: jsii.String(failedMetric), MetricValue: jsii.String(strconv.Itoa(value)),
				Dimensions: []any{&awslogs.CfnMetricFilter_DimensionProperty{Key: jsii.String("Pipeline"), Value: jsii.String("$.detail.pipeline")}},
			}},
		})
	}
}

// metricNamespace of the environment's pipelines.
func (d *Delivery) metricNamespace() string { return d.env.Name + "/delivery" }

// alarm watches one pipeline: in alarm from a failure until a success.
func (d *Delivery) alarm(pipeline string) {
	name := d.env.StackName(pipeline)
	topic := []any{d.topic.TopicArn()}
	awscloudwatch.NewCfnAlarm(d.Stack, jsii.String("Alarm-"+pipeline), &awscloudwatch.CfnAlarmProps{
		AlarmName:          jsii.String(name + "-failed"),
		AlarmDescription:   jsii.String("The last execution of pipeline " + name + " failed: https://" + d.env.Region + ".console.aws.amazon.com/codesuite/codepipeline/pipelines/" + name + "/view"),
		Namespace:          jsii.String(d.metricNamespace()),
		MetricName:         jsii.String(failedMetric),
		Dimensions:         []any{&awscloudwatch.CfnAlarm_DimensionProperty{Name: jsii.String("Pipeline"), Value: jsii.String(name)}},
		Statistic:          jsii.String("Maximum"),
		Period:             jsii.Number(60),
		EvaluationPeriods:  jsii.Number(1),
		Threshold:          jsii.Number(1),
		ComparisonOperator: jsii.String("GreaterThanOrEqualToThreshold"),
		TreatMissingData:   jsii.String("ignore"), // between two executions nothing changes
		AlarmActions:       &topic,
		OkActions:          &topic,
	})
}
