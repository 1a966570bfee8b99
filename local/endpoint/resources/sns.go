package resources

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

// topicAttributes are the properties that are attributes of the same names.
var topicAttributes = []string{"ContentBasedDeduplication", "DisplayName", "FifoTopic", "KmsMasterKeyId", "SignatureVersion", "TracingConfig"}

func init() {
	Register(&Type{
		Name: "AWS::SNS::Topic", Properties: append([]string{"Tags", "TopicName"}, topicAttributes...), Identifier: []string{"TopicName"},
		Create: createTopic, Update: updateTopic,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.topics().DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &id}))
		},
	})
	Register(&Type{
		Name: "AWS::SNS::TopicPolicy", Properties: []string{"PolicyDocument", "Topics"},
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return Result{ID: r.Name(255, false)}, setTopicPolicy(ctx, r, p)
		},
		Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
			return Result{ID: id}, setTopicPolicy(ctx, r, updated)
		},
		// SNS has no call that removes it: CloudFormation puts the one that a new topic has.
		Delete: func(context.Context, *Request, string, Properties) error { return nil },
	})
	Register(&Type{
		Name: "AWS::SNS::Subscription", Properties: []string{"Endpoint", "FilterPolicy", "Protocol", "RawMessageDelivery", "TopicArn"},
		// Its schema has the ARN, which a template cannot know.
		Identifier: []string{"TopicArn", "Protocol", "Endpoint"},
		Create:     createSubscription, Update: updateSubscription,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.topics().Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &id}))
		},
	})
}

func snsTag(k, v string) snstypes.Tag { return snstypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func createTopic(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "TopicName", 256, false)
	arn := "arn:aws:sns:" + r.Region + ":" + r.Account + ":" + name
	// CreateTopic returns a topic of the name, but for CloudFormation a name that exists is taken.
	if _, err := r.topics().GetTopicAttributes(ctx, &sns.GetTopicAttributesInput{TopicArn: &arn}); err == nil && !r.Resumed && p.Has("TopicName") {
		return Result{}, existsError("topic " + name)
	}
	attributes := map[string]string{}
	for key := range p.pick(topicAttributes...) {
		attributes[key] = p.String(key)
	}
	_, err := r.topics().CreateTopic(ctx, &sns.CreateTopicInput{Name: &name, Attributes: attributes, Tags: tagList(r.tags(p), snsTag)})
	return topicResult(arn, name), err
}

func topicResult(arn, name string) Result {
	return Result{ID: arn, Attributes: map[string]any{"TopicArn": arn, "TopicName": name}}
}

func updateTopic(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	for _, key := range topicAttributes {
		if !changed(old, updated, key) {
			continue
		}
		in := &sns.SetTopicAttributesInput{TopicArn: &id, AttributeName: aws.String(key), AttributeValue: aws.String(updated.String(key))}
		if _, err := r.topics().SetTopicAttributes(ctx, in); err != nil {
			return Result{}, err
		}
	}
	return topicResult(id, r.name(updated, "TopicName", 256, false)), r.retag(old, updated, func(keys []string) error {
		return done(r.topics().UntagResource(ctx, &sns.UntagResourceInput{ResourceArn: &id, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.topics().TagResource(ctx, &sns.TagResourceInput{ResourceArn: &id, Tags: tagList(tags, snsTag)}))
	})
}

func setTopicPolicy(ctx context.Context, r *Request, p Properties) error {
	for _, arn := range p.Strings("Topics") {
		in := &sns.SetTopicAttributesInput{TopicArn: aws.String(arn), AttributeName: aws.String("Policy"), AttributeValue: aws.String(p.String("PolicyDocument"))}
		if _, err := r.topics().SetTopicAttributes(ctx, in); err != nil {
			return err
		}
	}
	return nil
}

// subscriptionAttributes are those that a template may state.
func subscriptionAttributes(p Properties) map[string]string {
	attributes := map[string]string{"RawMessageDelivery": strconv.FormatBool(p.Bool("RawMessageDelivery"))}
	if p.Has("FilterPolicy") {
		attributes["FilterPolicy"] = p.String("FilterPolicy")
	}
	return attributes
}

func createSubscription(ctx context.Context, r *Request, p Properties) (Result, error) {
	in := &sns.SubscribeInput{
		TopicArn: aws.String(p.String("TopicArn")), Protocol: aws.String(p.String("Protocol")), Endpoint: aws.String(p.String("Endpoint")),
		ReturnSubscriptionArn: true,
	}
	// Mail waits for an answer before it has attributes.
	if p.String("Protocol") != "email" {
		in.Attributes = subscriptionAttributes(p)
	}
	out, err := r.topics().Subscribe(ctx, in)
	if err != nil {
		return Result{}, err
	}
	return Result{ID: *out.SubscriptionArn, Attributes: map[string]any{"Arn": *out.SubscriptionArn}}, nil
}

func updateSubscription(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
	attributes := subscriptionAttributes(updated)
	for _, key := range slices.Sorted(maps.Keys(attributes)) {
		in := &sns.SetSubscriptionAttributesInput{SubscriptionArn: &id, AttributeName: aws.String(key), AttributeValue: aws.String(attributes[key])}
		if _, err := r.topics().SetSubscriptionAttributes(ctx, in); err != nil {
			return Result{}, err
		}
	}
	return Result{ID: id, Attributes: map[string]any{"Arn": id}}, nil
}
