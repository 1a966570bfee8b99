package resources

import (
	"context"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	snstypes "github.com/aws/aws-sdk-go-v2/service/sns/types"
)

func init() {
	Register(&Type{
		Name: "AWS::SNS::Topic", Properties: []string{"DisplayName", "KmsMasterKeyId", "Tags", "TopicName"}, Immutable: []string{"TopicName"},
		Recorded: "nothing publishes to it and nothing is delivered",
		Create:   createTopic, Update: setTopic,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.sns().DeleteTopic(ctx, &sns.DeleteTopicInput{TopicArn: &id})
			return gone(err)
		},
	})
	Register(&Type{
		Name: "AWS::SNS::TopicPolicy", Properties: []string{"PolicyDocument", "Topics"},
		Recorded: "nothing publishes to the topic",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return Result{ID: r.Name(255, false)}, setTopicPolicy(ctx, r, p)
		},
		Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
			return Result{ID: id}, setTopicPolicy(ctx, r, updated)
		},
		// A topic always has a policy; it goes with the topic.
		Delete: func(context.Context, *Request, string, Properties) error { return nil },
	})
	subscription := []string{"Endpoint", "Protocol", "TopicArn"}
	Register(&Type{
		Name: "AWS::SNS::Subscription", Properties: subscription, Immutable: subscription,
		Recorded: "nothing is delivered",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			var in sns.SubscribeInput
			if err := decode(p, &in); err != nil {
				return Result{}, err
			}
			in.ReturnSubscriptionArn = true
			out, err := r.sns().Subscribe(ctx, &in)
			if err != nil {
				return Result{}, err
			}
			return Result{ID: *out.SubscriptionArn, Attributes: map[string]any{"Arn": *out.SubscriptionArn}}, nil
		},
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.sns().Unsubscribe(ctx, &sns.UnsubscribeInput{SubscriptionArn: &id})
			return gone(err)
		},
	})
}

func createTopic(ctx context.Context, r *Request, p Properties) (Result, error) {
	tags := tagList(r.tags(p), func(k, v string) snstypes.Tag { return snstypes.Tag{Key: aws.String(k), Value: aws.String(v)} })
	out, err := r.sns().CreateTopic(ctx, &sns.CreateTopicInput{Name: aws.String(r.name(p, "TopicName", 256, false)), Tags: tags})
	if err != nil {
		return Result{}, err
	}
	return setTopic(ctx, r, *out.TopicArn, nil, p)
}

func setTopic(ctx context.Context, r *Request, arn string, old, updated Properties) (Result, error) {
	for _, key := range []string{"DisplayName", "KmsMasterKeyId"} {
		if !changed(old, updated, key) {
			continue
		}
		in := &sns.SetTopicAttributesInput{TopicArn: &arn, AttributeName: aws.String(key), AttributeValue: aws.String(updated.String(key))}
		if _, err := r.sns().SetTopicAttributes(ctx, in); err != nil {
			return Result{ID: arn}, err
		}
	}
	return Result{ID: arn, Attributes: map[string]any{"TopicArn": arn, "TopicName": arn[strings.LastIndex(arn, ":")+1:]}}, nil
}

func setTopicPolicy(ctx context.Context, r *Request, p Properties) error {
	for _, topic := range p.Strings("Topics") {
		in := &sns.SetTopicAttributesInput{TopicArn: &topic, AttributeName: aws.String("Policy"), AttributeValue: aws.String(p.String("PolicyDocument"))}
		if _, err := r.sns().SetTopicAttributes(ctx, in); err != nil {
			return err
		}
	}
	return nil
}
