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
		Immutable:  []string{"DataType"},
		Create:     createParameter, Update: updateParameter,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.ssm().DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: &id}))
		},
	})
}

func createParameter(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "Name", 255, false)
	result, err := putParameter(ctx, r, name, p, r.Resumed || !p.Has("Name"))
	if err != nil {
		return Result{}, err
	}
	return result, tagParameter(ctx, r, name, p, p)
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
	kind := ssmtypes.ResourceTypeForTaggingParameter
	return r.retag(old, updated, func(keys []string) error {
		return done(r.ssm().RemoveTagsFromResource(ctx, &ssm.RemoveTagsFromResourceInput{ResourceId: &name, ResourceType: kind, TagKeys: keys}))
	}, func(tags map[string]string) error {
		list := tagList(tags, func(k, v string) ssmtypes.Tag { return ssmtypes.Tag{Key: aws.String(k), Value: aws.String(v)} })
		return done(r.ssm().AddTagsToResource(ctx, &ssm.AddTagsToResourceInput{ResourceId: &name, ResourceType: kind, Tags: list}))
	})
}

func updateParameter(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	result, err := putParameter(ctx, r, id, updated, true)
	if err != nil {
		return Result{}, err
	}
	return result, tagParameter(ctx, r, id, old, updated)
}
