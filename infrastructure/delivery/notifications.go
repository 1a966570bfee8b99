package delivery

import (
	"maps"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/logicalid"
	"k8s-plus-aws-gitops/internal/retention"
)

// failedMetric is 1 when an execution failed and 0 when one succeeded, by pipeline.
const failedMetric = "Failed"

// metricNamespace is that of the environment's pipelines.
func metricNamespace(env config.Environment) string { return env.Name + "/delivery" }

// NotificationsProps says what is told, and to whom. The addresses are those of delivery.notify; each must confirm its
// subscription.
type NotificationsProps struct {
	Env config.Environment
	// Key encrypts the topic and the events.
	Key awskms.Key
	// Pipelines whose executions count, by their names after the environment.
	Pipelines []string
}

// Notifications tell of a failure once, and of the success after it: an alarm per pipeline (NewAlarm), which holds its state
// until the next execution ends.
type Notifications struct {
	constructs.Construct
	construct.Part
	// Topic is <environment>-delivery.
	Topic awssns.Topic

	// key encrypts the topic.
	key awskms.Key
	// history is the log group of events, and writable is the policy that lets EventBridge write to it.
	history  awslogs.LogGroup
	writable awslogs.ResourcePolicy
}

// NewNotifications makes the topic with its subscriptions, and the metric of the alarms. The metric comes from the pipelines'
// events, which go to the log group /aws/events/<environment>-delivery and stay there for delivery.logDays: a history of all
// executions, and no function to keep a state in. A rule that publishes each event would report every success.
func NewNotifications(scope constructs.Construct, id string, props *NotificationsProps) *Notifications {
	n, env := &Notifications{}, props.Env
	construct.Init(n, scope, id)
	n.Topic = awssns.NewTopic(n, jsii.String("Topic"), &awssns.TopicProps{
		TopicName:   jsii.String(env.NotificationsTopic()),
		DisplayName: jsii.String("Pipelines of " + env.Name),
		MasterKey:   props.Key,
		EnforceSSL:  jsii.Bool(true),
	})
	n.key = props.Key
	n.admit("Alarms", "cloudwatch.amazonaws.com", env, nil)
	for _, address := range env.Delivery.Notify {
		awssns.NewSubscription(n, jsii.String(logicalid.Of("Notify", address)), &awssns.SubscriptionProps{
			Topic: n.Topic, Protocol: awssns.SubscriptionProtocol_EMAIL, Endpoint: jsii.String(address),
		})
	}
	n.remember(props)
	return n
}

// admit lets a service of AWS publish to the topic in the name of the environment's account, with further conditions. It needs the
// key of the topic for that: https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func (n *Notifications) admit(sid, service string, env config.Environment, more map[string]any) {
	conditions := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": env.Account}}
	maps.Copy(conditions, more)
	publisher := awsiam.NewServicePrincipal(jsii.String(service), &awsiam.ServicePrincipalOpts{Conditions: &conditions})
	n.Topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String(sid), Principals: &[]awsiam.IPrincipal{publisher},
		Actions: jsii.Strings("sns:Publish"), Resources: jsii.Strings(*n.Topic.TopicArn()),
	}))
	n.key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("Publish" + sid), Principals: &[]awsiam.IPrincipal{publisher},
		Actions: jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"), Resources: jsii.Strings("*"), // in a key's policy, the key itself
	}), nil)
}

// historyName is the log group of the events that the alarms count.
func historyName(env config.Environment) string { return "/aws/events/" + env.StackName("delivery") }

// remember sends the ends of the pipelines' executions to a log group, and counts them: 1 for a failure, 0 for a success.
func (n *Notifications) remember(props *NotificationsProps) {
	env, name := props.Env, historyName(props.Env)
	n.history = retention.Of(env).LogGroup(n, "Events", name, env.Delivery.LogDays, props.Key)
	n.writable = awslogs.NewResourcePolicy(n, jsii.String("EventsPolicy"), &awslogs.ResourcePolicyProps{
		ResourcePolicyName: jsii.String(env.StackName("delivery-events")),
		PolicyStatements: &[]awsiam.PolicyStatement{awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("Events"),
			Principals: &[]awsiam.IPrincipal{
				awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil),
				awsiam.NewServicePrincipal(jsii.String("delivery.logs.amazonaws.com"), nil),
			},
			Actions:   jsii.Strings("logs:CreateLogStream", "logs:PutLogEvents"),
			Resources: jsii.Strings(env.ARN("logs", "log-group:"+name+":*")),
		})},
	})
	names := make([]*string, len(props.Pipelines))
	for i, pipeline := range props.Pipelines {
		names[i] = jsii.String(env.StackName(pipeline))
	}
	n.hear(n, "ExecutionEnds", env, "Ends of executions of the pipelines of "+env.Name, map[string]any{
		"source": []any{"aws.codepipeline"}, "detail-type": []any{"CodePipeline Pipeline Execution State Change"},
		"detail": map[string]any{"pipeline": names, "state": []any{"FAILED", "SUCCEEDED"}},
	})
	for value, state := range []string{"SUCCEEDED", "FAILED"} {
		n.count(n, "Metric-"+state, env, failedMetric, value, awslogs.FilterPattern_All(is("$.source", "aws.codepipeline"), is("$.detail.state", state)),
			map[string]*string{"Pipeline": jsii.String("$.detail.pipeline")})
	}
}

// hear sends the events of a pattern to the history.
func (n *Notifications) hear(scope constructs.Construct, id string, env config.Environment, description string, pattern map[string]any) {
	// The L2's target for log groups writes the policy of the history by a function of its own.
	rule := awsevents.NewCfnRule(scope, jsii.String(id), &awsevents.CfnRuleProps{
		Description: jsii.String(description), EventPattern: pattern,
		Targets: []any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("log"), Arn: jsii.String(env.ARN("logs", "log-group:"+historyName(env)))}},
	})
	construct.After(rule, n.writable, n.history)
}

// count gives a metric a value for each event in the history that a pattern matches.
func (n *Notifications) count(scope constructs.Construct, id string, env config.Environment, metric string, value int, pattern awslogs.IFilterPattern, dimensions map[string]*string) {
	props := &awslogs.MetricFilterProps{
		LogGroup: n.history, FilterPattern: pattern, MetricNamespace: jsii.String(metricNamespace(env)), MetricName: jsii.String(metric), MetricValue: jsii.String(strconv.Itoa(value)),
	}
	if len(dimensions) > 0 {
		props.Dimensions = &dimensions
	}
	awslogs.NewMetricFilter(scope, jsii.String(id), props)
}

// tellOf tells the topic when an alarm begins, and when it ends.
func (n *Notifications) tellOf(alarm awscloudwatch.Alarm) {
	topic := awscloudwatchactions.NewSnsAction(n.Topic)
	alarm.AddAlarmAction(topic)
	alarm.AddOkAction(topic)
}

// is matches events in which a field has a value.
func is(field, value string) awslogs.JsonPattern {
	return awslogs.FilterPattern_StringValue(jsii.String(field), jsii.String("="), jsii.String(value))
}
