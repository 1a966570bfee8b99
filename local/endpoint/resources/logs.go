package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func init() {
	Register(&Type{
		Name:       "AWS::Logs::LogGroup",
		Properties: []string{"KmsKeyId", "LogGroupClass", "LogGroupName", "RetentionInDays", "Tags"},
		Immutable:  []string{"LogGroupClass"},
		Create:     createLogGroup, Update: updateLogGroup,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.logs().DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: &id}))
		},
	})
}

func createLogGroup(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in cloudwatchlogs.CreateLogGroupInput
	if err := decode(p.pick("KmsKeyId", "LogGroupClass"), &in); err != nil {
		return Result{}, err
	}
	name := r.name(p, "LogGroupName", 512, false)
	in.LogGroupName, in.Tags = &name, r.tags(p)
	if err := r.made(done(r.logs().CreateLogGroup(ctx, &in)), p.Has("LogGroupName"), "AlreadyExists"); err != nil {
		return Result{}, err
	}
	return logGroupResult(r, name), setRetention(ctx, r, name, p)
}

func logGroupResult(r *Request, name string) Result {
	arn := "arn:aws:logs:" + r.Region + ":" + r.Account + ":log-group:" + name
	return Result{ID: name, Attributes: map[string]any{"Arn": arn + ":*"}}
}

func setRetention(ctx context.Context, r *Request, name string, p Properties) error {
	days, ok := p.Int("RetentionInDays")
	if !ok {
		return done(r.logs().DeleteRetentionPolicy(ctx, &cloudwatchlogs.DeleteRetentionPolicyInput{LogGroupName: &name}))
	}
	return done(r.logs().PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &name, RetentionInDays: aws.Int32(int32(days))}))
}

func updateLogGroup(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	result := logGroupResult(r, name)
	arn := "arn:aws:logs:" + r.Region + ":" + r.Account + ":log-group:" + name
	if changed(old, updated, "KmsKeyId") {
		var err error
		if updated.Has("KmsKeyId") {
			_, err = r.logs().AssociateKmsKey(ctx, &cloudwatchlogs.AssociateKmsKeyInput{LogGroupName: &name, KmsKeyId: aws.String(updated.String("KmsKeyId"))})
		} else {
			_, err = r.logs().DisassociateKmsKey(ctx, &cloudwatchlogs.DisassociateKmsKeyInput{LogGroupName: &name})
		}
		if err != nil {
			return Result{}, err
		}
	}
	err := r.retag(old, updated, func(keys []string) error {
		return done(r.logs().UntagResource(ctx, &cloudwatchlogs.UntagResourceInput{ResourceArn: &arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.logs().TagResource(ctx, &cloudwatchlogs.TagResourceInput{ResourceArn: &arn, Tags: tags}))
	})
	if err != nil {
		return Result{}, err
	}
	return result, setRetention(ctx, r, name, updated)
}
