package appresources

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// What a queue has unless its Props say otherwise.
const (
	defaultVisibilitySeconds = 30
	defaultRetentionDays     = 4
	defaultMaxReceives       = 5
	// deadLetterDays is the longest time for which SQS keeps a message.
	deadLetterDays = 14
)

// QueueProps says whose queue it is. Its agreed name is <environment>-<app>, with .fifo where the order is kept.
type QueueProps struct {
	Env config.Environment
	App string
	// VisibilitySeconds is how long a received message stays hidden from others, 30 by default.
	VisibilitySeconds int
	// RetentionDays that a message waits at most, 4 by default.
	RetentionDays int
	// MaxReceives is how often a message is received before it goes to the queue of dead letters, 5 by default.
	MaxReceives int
	// FIFO keeps the order of messages.
	FIFO bool
}

// Queue is a queue of SQS, and beside it the one for what could not be processed.
type Queue struct {
	constructs.Construct
	construct.Part
	Queue, DeadLetters awssqs.Queue
	// Rights are what a role needs to send, receive and delete messages, and to look at the dead letters and send them again.
	Rights policy.Document
}

// NewQueue makes a queue that SQS encrypts and that takes no request in the clear. What was received too often goes to the
// queue of dead letters, which keeps it for 14 days, and an alarm tells of the first one.
func NewQueue(scope constructs.Construct, id string, props *QueueProps) *Queue {
	q, env := &Queue{}, props.Env
	construct.Init(q, scope, id)
	queue := func(id, name string, days int, more awssqs.QueueProps) awssqs.Queue {
		more.QueueName, more.RetentionPeriod = jsii.String(name), awscdk.Duration_Days(jsii.Number(days))
		more.Encryption, more.EnforceSSL = awssqs.QueueEncryption_SQS_MANAGED, jsii.Bool(true)
		more.RemovalPolicy = retention.Of(env).Data()
		if props.FIFO { // false is no value that CloudFormation takes
			more.Fifo = jsii.Bool(true)
		}
		return awssqs.NewQueue(q, jsii.String(id), &more)
	}
	q.DeadLetters = queue("DeadLetters", env.DeadLetterName(props.App, props.FIFO), deadLetterDays, awssqs.QueueProps{})
	q.Queue = queue("Queue", env.QueueName(props.App, props.FIFO), cmp.Or(props.RetentionDays, defaultRetentionDays), awssqs.QueueProps{
		VisibilityTimeout: awscdk.Duration_Seconds(jsii.Number(cmp.Or(props.VisibilitySeconds, defaultVisibilitySeconds))),
		DeadLetterQueue:   &awssqs.DeadLetterQueue{Queue: q.DeadLetters, MaxReceiveCount: jsii.Number(cmp.Or(props.MaxReceives, defaultMaxReceives))},
	})
	own := env.ARN("sqs", env.QueueName(props.App, props.FIFO))
	dead := env.ARN("sqs", env.DeadLetterName(props.App, props.FIFO))
	alarm(q, env, env.DeadLetterName(props.App, props.FIFO))
	q.Rights = policy.Of(policy.Allow("", policy.List{own, dead},
		"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:SendMessage"))
	return q
}

// alarm tells of a queue of dead letters that is not empty, as the pipelines tell of failures.
func alarm(scope constructs.Construct, env config.Environment, queue string) {
	made := awscloudwatch.NewAlarm(scope, jsii.String("Alarm"), &awscloudwatch.AlarmProps{
		AlarmDescription: jsii.String("Messages in " + queue + " could not be processed"),
		Metric: awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
			Namespace: jsii.String("AWS/SQS"), MetricName: jsii.String("ApproximateNumberOfMessagesVisible"),
			DimensionsMap: &map[string]*string{"QueueName": jsii.String(queue)},
			Statistic:     jsii.String("Maximum"), Period: awscdk.Duration_Minutes(jsii.Number(5)),
		}),
		EvaluationPeriods: jsii.Number(1), Threshold: jsii.Number(1),
		ComparisonOperator: awscloudwatch.ComparisonOperator_GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
		TreatMissingData:   awscloudwatch.TreatMissingData_NOT_BREACHING, // SQS reports nothing of a queue that is not used
	})
	if env.Delivers() {
		// By its agreed name: the topic's stack comes later.
		topic := awssns.Topic_FromTopicArn(scope, jsii.String("Topic"), jsii.String(env.ARN("sns", env.NotificationsTopic())))
		made.AddAlarmAction(awscloudwatchactions.NewSnsAction(topic))
	}
}
