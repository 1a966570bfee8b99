package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// TopicProps says whose topic it is. Its agreed name is <environment>-<app>, with .fifo where the order is kept.
type TopicProps struct {
	Env config.Environment
	App string
	// FIFO keeps the order of messages.
	FIFO bool
}

// Topic is a topic of SNS.
type Topic struct {
	constructs.Construct
	construct.Part
	Topic awssns.Topic
	// Rights are what a role needs to publish.
	Rights policy.Document
}

// NewTopic makes a topic under SNS's own key, which every role of the account may use through SNS, so that its publishers
// need no right to a key. It takes no request in the clear.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
func NewTopic(scope constructs.Construct, id string, props *TopicProps) *Topic {
	t, name := &Topic{}, props.Env.TopicName(props.App, props.FIFO)
	construct.Init(t, scope, id)
	own := &awssns.TopicProps{
		TopicName:  jsii.String(name),
		MasterKey:  awskms.Key_FromKeyArn(t, jsii.String("Key"), jsii.String(props.Env.ARN("kms", "alias/aws/sns"))),
		EnforceSSL: jsii.Bool(true),
	}
	if props.FIFO {
		own.Fifo, own.ContentBasedDeduplication = jsii.Bool(true), jsii.Bool(true)
	}
	t.Topic = awssns.NewTopic(t, jsii.String("Topic"), own)
	t.Rights = policy.Of(policy.Allow("", policy.List{props.Env.ARN("sns", name)}, "sns:Publish"))
	return t
}
