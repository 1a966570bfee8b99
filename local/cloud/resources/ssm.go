package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
)

func init() {
	Register(&Type{
		Name:       "AWS::SSM::Parameter",
		Properties: []string{"AllowedPattern", "DataType", "Description", "Name", "Tags", "Tier", "Type", "Value"},
		Immutable:  []string{"DataType", "Name"},
		Create:     createParameter, Update: updateParameter,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.ssm().DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &id})
			return gone(err)
		},
	})
}

func createParameter(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "Name", 255, false)
	result, err := putParameter(ctx, r, name, p, !p.Has("Name"))
	if err != nil {
		return Result{}, err
	}
	return result, tagParameter(ctx, r, name, nil, p)
}

func putParameter(ctx context.Context, r *Request, name string, p Properties, overwrite bool) (Result, error) {
	var in ssm.PutParameterInput
	if err := decode(p.without("Tags", "Name"), &in); err != nil {
		return Result{}, err
	}
	in.Name, in.Overwrite = &name, &overwrite
	if _, err := r.ssm().PutParameter(ctx, &in); err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Type": p.String("Type"), "Value": p.String("Value")}}, nil
}

func tagParameter(ctx context.Context, r *Request, name string, old, updated Properties) error {
	if drop := removed(r.tags(old), r.tags(updated)); old != nil && len(drop) > 0 {
		in := &ssm.RemoveTagsFromResourceInput{ResourceId: &name, ResourceType: ssmtypes.ResourceTypeForTaggingParameter, TagKeys: drop}
		if _, err := r.ssm().RemoveTagsFromResource(ctx, in); err != nil {
			return err
		}
	}
	tags := tagList(r.tags(updated), func(k, v string) ssmtypes.Tag { return ssmtypes.Tag{Key: aws.String(k), Value: aws.String(v)} })
	if len(tags) == 0 {
		return nil
	}
	_, err := r.ssm().AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{
		ResourceId: &name, ResourceType: ssmtypes.ResourceTypeForTaggingParameter, Tags: tags,
	})
	return err
}

func updateParameter(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	result, err := putParameter(ctx, r, id, updated, true)
	if err != nil {
		return Result{}, err
	}
	return result, tagParameter(ctx, r, id, old, updated)
}
