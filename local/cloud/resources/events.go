package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::Events::Rule",
		Properties: []string{"Description", "EventPattern", "Name", "ScheduleExpression", "State", "Tags", "Targets"}, Immutable: []string{"Name"},
		Recorded: "no event is emitted",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return putRule(ctx, r, r.name(p, "Name", 64, false), nil, p)
		},
		Update: putRule, Delete: deleteRule,
	})
}

func putRule(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	var in eventbridge.PutRuleInput
	if err := decode(updated.without("Name", "Tags", "Targets"), &in); err != nil {
		return Result{}, err
	}
	in.Name = &name
	out, err := r.events().PutRule(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	result := Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.RuleArn)}}
	if err := setRuleTags(ctx, r, out.RuleArn, old, updated); err != nil {
		return result, err
	}
	targets := eventbridge.PutTargetsInput{Rule: &name}
	if err := decode(updated.pick("Targets"), &targets); err != nil {
		return result, err
	}
	if len(targets.Targets) > 0 {
		if _, err := r.events().PutTargets(ctx, &targets); err != nil {
			return result, err
		}
	}
	var lost []string
	kept := map[string]bool{}
	for _, t := range updated.Objects("Targets") {
		kept[t.String("Id")] = true
	}
	for _, t := range old.Objects("Targets") {
		if id := t.String("Id"); !kept[id] {
			lost = append(lost, id)
		}
	}
	return result, removeTargets(ctx, r, name, lost)
}

// setRuleTags tags apart from PutRule, which sets the tags of new rules only.
func setRuleTags(ctx context.Context, r *Request, arn *string, old, updated Properties) error {
	if drop := removed(r.tags(old), r.tags(updated)); old != nil && len(drop) > 0 {
		if _, err := r.events().UntagResource(ctx, &eventbridge.UntagResourceInput{ResourceARN: arn, TagKeys: drop}); err != nil {
			return err
		}
	}
	tags := tagList(r.tags(updated), func(k, v string) eventtypes.Tag { return eventtypes.Tag{Key: aws.String(k), Value: aws.String(v)} })
	if len(tags) == 0 {
		return nil
	}
	_, err := r.events().TagResource(ctx, &eventbridge.TagResourceInput{ResourceARN: arn, Tags: tags})
	return err
}

func removeTargets(ctx context.Context, r *Request, name string, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := r.events().RemoveTargets(ctx, &eventbridge.RemoveTargetsInput{Rule: &name, Ids: ids})
	return gone(err)
}

func deleteRule(ctx context.Context, r *Request, name string, p Properties) error {
	var ids []string
	for _, t := range p.Objects("Targets") {
		ids = append(ids, t.String("Id"))
	}
	if err := removeTargets(ctx, r, name, ids); err != nil {
		return err
	}
	_, err := r.events().DeleteRule(ctx, &eventbridge.DeleteRuleInput{Name: &name})
	return gone(err)
}
