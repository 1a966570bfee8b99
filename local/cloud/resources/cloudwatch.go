package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cloudwatchtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
)

func init() {
	Register(&Type{
		Name: "AWS::CloudWatch::Alarm",
		Properties: []string{"ActionsEnabled", "AlarmActions", "AlarmDescription", "AlarmName", "ComparisonOperator", "DatapointsToAlarm",
			"Dimensions", "EvaluationPeriods", "InsufficientDataActions", "MetricName", "Namespace", "OKActions", "Period", "Statistic",
			"Tags", "Threshold", "TreatMissingData", "Unit"},
		Immutable: []string{"AlarmName"},
		Recorded:  "no metric is measured, so it never changes its state",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return putAlarm(ctx, r, r.name(p, "AlarmName", 255, false), nil, p)
		},
		Update: putAlarm,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.alarms().DeleteAlarms(ctx, &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{id}})
			return gone(err)
		},
	})
	Register(&Type{
		Name:       "AWS::Logs::MetricFilter",
		Properties: []string{"FilterName", "FilterPattern", "LogGroupName", "MetricTransformations"},
		Immutable:  []string{"FilterName", "LogGroupName"},
		Recorded:   "log events are not counted",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			name := r.name(p, "FilterName", 512, false)
			return Result{ID: name}, putMetricFilter(ctx, r, name, p)
		},
		// The local API would add a second filter of the same name.
		Update: func(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
			if err := deleteMetricFilter(ctx, r, id, old); err != nil {
				return Result{}, err
			}
			return Result{ID: id}, putMetricFilter(ctx, r, id, updated)
		},
		Delete: deleteMetricFilter,
	})
	Register(&Type{
		Name: "AWS::Logs::ResourcePolicy", Properties: []string{"PolicyDocument", "PolicyName"}, Immutable: []string{"PolicyName"},
		Recorded: "nothing writes to a log group from outside",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return putLogsPolicy(ctx, r, p.String("PolicyName"), nil, p)
		},
		Update: putLogsPolicy,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.logs().DeleteResourcePolicy(ctx, &cloudwatchlogs.DeleteResourcePolicyInput{PolicyName: &id})
			return gone(err)
		},
	})
}

func putAlarm(ctx context.Context, r *Request, name string, _, p Properties) (Result, error) {
	var in cloudwatch.PutMetricAlarmInput
	if err := decode(p.without("AlarmName", "Tags"), &in); err != nil {
		return Result{}, err
	}
	in.AlarmName = &name
	in.Tags = tagList(r.tags(p), func(k, v string) cloudwatchtypes.Tag {
		return cloudwatchtypes.Tag{Key: aws.String(k), Value: aws.String(v)}
	})
	if _, err := r.alarms().PutMetricAlarm(ctx, &in); err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Arn": "arn:aws:cloudwatch:" + r.Region + ":" + r.Account + ":alarm:" + name}}, nil
}

func putMetricFilter(ctx context.Context, r *Request, name string, p Properties) error {
	var in cloudwatchlogs.PutMetricFilterInput
	transformations := p.Objects("MetricTransformations")
	if err := decode(p.pick("FilterPattern", "LogGroupName"), &in); err != nil {
		return err
	}
	list := make([]any, len(transformations))
	for i, t := range transformations {
		// CloudFormation has a list of keys and values where the API has a map.
		dimensions := map[string]any{}
		for _, d := range t.Objects("Dimensions") {
			dimensions[d.String("Key")] = d.String("Value")
		}
		one := t.without("Dimensions")
		if len(dimensions) > 0 {
			one["Dimensions"] = dimensions
		}
		list[i] = map[string]any(one)
	}
	if err := decode(Properties{"MetricTransformations": list}, &in); err != nil {
		return err
	}
	in.FilterName = &name
	_, err := r.logs().PutMetricFilter(ctx, &in)
	return err
}

func deleteMetricFilter(ctx context.Context, r *Request, name string, p Properties) error {
	in := &cloudwatchlogs.DeleteMetricFilterInput{FilterName: &name, LogGroupName: aws.String(p.String("LogGroupName"))}
	_, err := r.logs().DeleteMetricFilter(ctx, in)
	return gone(err)
}

func putLogsPolicy(ctx context.Context, r *Request, name string, _, p Properties) (Result, error) {
	in := &cloudwatchlogs.PutResourcePolicyInput{PolicyName: &name, PolicyDocument: aws.String(p.String("PolicyDocument"))}
	_, err := r.logs().PutResourcePolicy(ctx, in)
	return Result{ID: name}, err
}
