package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

func init() {
	Register(&Type{
		Name:       "AWS::Events::Rule",
		Properties: []string{"Description", "EventPattern", "Name", "ScheduleExpression", "State", "Targets"}, Immutable: []string{"Name"},
		Recorded: "no event is emitted",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return putRule(ctx, r, r.name(p, "Name", 64, false), nil, p)
		},
		Update: putRule, Delete: deleteRule,
	})
}

func putRule(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	var in eventbridge.PutRuleInput
	if err := decode(updated.without("Name", "Targets"), &in); err != nil {
		return Result{}, err
	}
	in.Name = &name
	out, err := r.events().PutRule(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	result := Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.RuleArn)}}
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
