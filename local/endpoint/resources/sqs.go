package resources

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
)

func init() {
	Register(&Type{
		Name: "AWS::SQS::Queue",
		Properties: []string{"ContentBasedDeduplication", "DeduplicationScope", "DelaySeconds", "FifoQueue", "FifoThroughputLimit",
			"KmsDataKeyReusePeriodSeconds", "KmsMasterKeyId", "MaximumMessageSize", "MessageRetentionPeriod", "QueueName",
			"ReceiveMessageWaitTimeSeconds", "RedriveAllowPolicy", "RedrivePolicy", "SqsManagedSseEnabled", "Tags", "VisibilityTimeout"},
		// Its schema has the URL, which a template cannot know.
		Identifier: []string{"QueueName"},
		Create:     createQueue, Update: updateQueue,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.queues().DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &id}))
		},
	})
	Register(&Type{
		Name: "AWS::SQS::QueuePolicy", Properties: []string{"PolicyDocument", "Queues"},
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return Result{ID: r.Name(255, false)}, setQueuePolicy(ctx, r, p.Strings("Queues"), p.String("PolicyDocument"))
		},
		Update: func(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
			_, lost := delta(old, updated, "Queues")
			if err := gone(setQueuePolicy(ctx, r, lost, "")); err != nil {
				return Result{}, err
			}
			return Result{ID: id}, setQueuePolicy(ctx, r, updated.Strings("Queues"), updated.String("PolicyDocument"))
		},
		Delete: func(ctx context.Context, r *Request, _ string, p Properties) error {
			return gone(setQueuePolicy(ctx, r, p.Strings("Queues"), ""))
		},
	})
}

// queueAttributes are what the template states, as SQS takes it: texts by the names of the properties.
func queueAttributes(p Properties) (map[string]string, error) {
	attributes := map[string]string{}
	for key, value := range p.without("QueueName", "Tags") {
		if nested, ok := object(value); ok {
			encoded, err := json.Marshal(nested)
			if err != nil {
				return nil, err
			}
			attributes[key] = string(encoded)
			continue
		}
		attributes[key] = p.String(key)
	}
	return attributes, nil
}

func createQueue(ctx context.Context, r *Request, p Properties) (Result, error) {
	attributes, err := queueAttributes(p)
	if err != nil {
		return Result{}, err
	}
	name := r.name(p, "QueueName", 80, false)
	// CreateQueue returns a queue of the name with the same attributes, but for CloudFormation a name that exists is taken.
	if _, err := r.queues().GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name}); err == nil && !r.Resumed && p.Has("QueueName") {
		return Result{}, existsError("queue " + name)
	}
	out, err := r.queues().CreateQueue(ctx, &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes, Tags: r.tags(p)})
	if err != nil {
		return Result{}, err
	}
	return r.queueResult(*out.QueueUrl, name), nil
}

func (r *Request) queueResult(url, name string) Result {
	return Result{ID: url, Attributes: map[string]any{
		"Arn": "arn:aws:sqs:" + r.Region + ":" + r.Account + ":" + name, "QueueName": name, "QueueUrl": url,
	}}
}

// updateQueue sets what the template states, and what it states no more to what SQS begins with.
func updateQueue(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	attributes, err := queueAttributes(updated)
	if err != nil {
		return Result{}, err
	}
	before, err := queueAttributes(old)
	if err != nil {
		return Result{}, err
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, stated := attributes[key]; !stated {
			attributes[key] = queueDefaults[key]
		}
	}
	delete(attributes, "FifoQueue") // it cannot change
	if _, err := r.queues().SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: &id, Attributes: attributes}); err != nil {
		return Result{}, err
	}
	return r.queueResult(id, r.name(updated, "QueueName", 80, false)), r.retag(old, updated, func(keys []string) error {
		return done(r.queues().UntagQueue(ctx, &sqs.UntagQueueInput{QueueUrl: &id, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.queues().TagQueue(ctx, &sqs.TagQueueInput{QueueUrl: &id, Tags: tags}))
	})
}

// queueDefaults are the attributes of a queue of which nothing is said; the others are empty:
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
var queueDefaults = map[string]string{
	"DelaySeconds": "0", "MaximumMessageSize": "1048576", "MessageRetentionPeriod": "345600", "ReceiveMessageWaitTimeSeconds": "0",
	"VisibilityTimeout": "30", "SqsManagedSseEnabled": "true", "ContentBasedDeduplication": "false",
}

func setQueuePolicy(ctx context.Context, r *Request, urls []string, document string) error {
	for _, url := range urls {
		_, err := r.queues().SetQueueAttributes(ctx, &sqs.SetQueueAttributesInput{QueueUrl: aws.String(url), Attributes: map[string]string{"Policy": document}})
		if err != nil {
			return err
		}
	}
	return nil
}
