package resources

import (
	"context"
	"fmt"
	"maps"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// ownTag marks an EC2 resource with the name CloudFormation would have given
// it. EC2 resources have no names: with the tag, a creation that is repeated
// after the stand-in was killed finds what the first attempt made.
const ownTag = "local:physical-name"

func ec2Tag(k, v string) ec2types.Tag { return ec2types.Tag{Key: aws.String(k), Value: aws.String(v)} }

// ec2Create returns the resource that an interrupted attempt made, or makes one, together with its tags. kind is the
// resource type in EC2's words ("vpc").
func ec2Create(ctx context.Context, r *Request, p Properties, kind ec2types.ResourceType, create func(tags []ec2types.TagSpecification) (string, error)) (string, error) {
	found, err := r.ec2().DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []ec2types.Filter{
		{Name: aws.String("key"), Values: []string{ownTag}},
		{Name: aws.String("value"), Values: []string{r.Name(255, false)}},
	}})
	if err != nil {
		return "", err
	}
	if len(found.Tags) > 0 {
		return aws.ToString(found.Tags[0].ResourceId), nil
	}
	return create([]ec2types.TagSpecification{{ResourceType: kind, Tags: tagList(ec2Tags(r, p), ec2Tag)}})
}

// ec2Gone ends the deletion of what ec2Create made: EC2 answers for a deleted resource's tags a while longer, and a creation of
// the same name would take it for its own first attempt.
func ec2Gone(ctx context.Context, r *Request, id string, err error) error {
	if err != nil {
		return err
	}
	return done(r.ec2().DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String(ownTag)}}}))
}

// ec2Tags are the tags of a resource, CloudFormation's own included.
func ec2Tags(r *Request, p Properties) map[string]string {
	tags := maps.Clone(r.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	maps.Copy(tags, r.tags(p)) // the resource's own win over the stack's
	tags[ownTag] = r.Name(255, false)
	return tags
}

// ec2UpdateTags brings the tags of a resource from old to updated.
func ec2UpdateTags(ctx context.Context, r *Request, id string, old, updated Properties) error {
	var drop []ec2types.Tag
	for _, k := range removed(r.tags(old), r.tags(updated)) {
		drop = append(drop, ec2types.Tag{Key: aws.String(k)})
	}
	if len(drop) > 0 {
		if _, err := r.ec2().DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: drop}); err != nil {
			return err
		}
	}
	return done(r.ec2().CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: tagList(ec2Tags(r, updated), ec2Tag)}))
}

// ec2TagsOnly is the Update of a type whose only mutable property is Tags.
func ec2TagsOnly(result func(ctx context.Context, r *Request, id string, p Properties) (Result, error)) func(context.Context, *Request, string, Properties, Properties) (Result, error) {
	return func(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
		if err := ec2UpdateTags(ctx, r, id, old, updated); err != nil {
			return Result{}, err
		}
		return result(ctx, r, id, updated)
	}
}

// idOnly returns a result whose only attribute repeats the ID under a name.
func idOnly(attribute string) func(context.Context, *Request, string, Properties) (Result, error) {
	return func(_ context.Context, _ *Request, id string, _ Properties) (Result, error) {
		return Result{ID: id, Attributes: map[string]any{attribute: id}}, nil
	}
}

func onlyOne[T any](list []T, err error, what string) (T, error) {
	var zero T
	if err != nil {
		return zero, err
	}
	if len(list) == 0 {
		return zero, fmt.Errorf("%s does not exist", what)
	}
	return list[0], nil
}
