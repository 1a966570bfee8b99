package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
)

func ecrTag(k, v string) ecrtypes.Tag { return ecrtypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func init() {
	Register(&Type{
		Name: "AWS::ECR::Repository",
		Properties: []string{"EmptyOnDelete", "EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability",
			"LifecyclePolicy", "RepositoryName", "RepositoryPolicyText", "Tags"},
		Create: createRepository, Update: updateRepository, Delete: deleteRepository,
	})
}

func createRepository(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in ecr.CreateRepositoryInput
	if err := decode(p.pick("EncryptionConfiguration", "ImageScanningConfiguration", "ImageTagMutability"), &in); err != nil {
		return Result{}, err
	}
	name := r.name(p, "RepositoryName", 256, true)
	in.RepositoryName, in.Tags = &name, tagList(r.tags(p), ecrTag)
	if err := r.made(done(r.ecr().CreateRepository(ctx, &in)), p.Has("RepositoryName"), "AlreadyExists"); err != nil {
		return Result{}, err
	}
	if err := setRepositoryPolicies(ctx, r, name, nil, p); err != nil {
		return Result{ID: name}, err
	}
	return repositoryResult(ctx, r, name)
}

func setRepositoryPolicies(ctx context.Context, r *Request, name string, old, updated Properties) error {
	if text := updated.Object("LifecyclePolicy").String("LifecyclePolicyText"); text != "" {
		in := &ecr.PutLifecyclePolicyInput{RepositoryName: &name, LifecyclePolicyText: &text}
		if _, err := r.ecr().PutLifecyclePolicy(ctx, in); err != nil {
			return err
		}
	} else if old.Has("LifecyclePolicy") {
		if _, err := r.ecr().DeleteLifecyclePolicy(ctx, &ecr.DeleteLifecyclePolicyInput{RepositoryName: &name}); gone(err) != nil {
			return err
		}
	}
	if updated.Has("RepositoryPolicyText") {
		in := &ecr.SetRepositoryPolicyInput{RepositoryName: &name, PolicyText: aws.String(updated.String("RepositoryPolicyText"))}
		return done(r.ecr().SetRepositoryPolicy(ctx, in))
	}
	if old.Has("RepositoryPolicyText") {
		return deleted(r.ecr().DeleteRepositoryPolicy(ctx, &ecr.DeleteRepositoryPolicyInput{RepositoryName: &name}))
	}
	return nil
}

func repositoryResult(ctx context.Context, r *Request, name string) (Result, error) {
	out, err := r.ecr().DescribeRepositories(ctx, &ecr.DescribeRepositoriesInput{RepositoryNames: []string{name}})
	if err != nil {
		return Result{ID: name}, err
	}
	repository, err := onlyOne(out.Repositories, nil, "repository "+name)
	return Result{ID: name, Attributes: map[string]any{
		"Arn": aws.ToString(repository.RepositoryArn), "RepositoryUri": aws.ToString(repository.RepositoryUri),
	}}, err
}

func updateRepository(ctx context.Context, r *Request, name string, old, updated Properties) (Result, error) {
	result, err := repositoryResult(ctx, r, name)
	if err != nil {
		return Result{}, err
	}
	if changed(old, updated, "ImageTagMutability") {
		in := ecr.PutImageTagMutabilityInput{ImageTagMutability: ecrtypes.ImageTagMutabilityMutable}
		if err := decode(updated.pick("ImageTagMutability"), &in); err != nil {
			return Result{}, err
		}
		in.RepositoryName = &name
		if _, err := r.ecr().PutImageTagMutability(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	if changed(old, updated, "ImageScanningConfiguration") {
		in := ecr.PutImageScanningConfigurationInput{ImageScanningConfiguration: &ecrtypes.ImageScanningConfiguration{}}
		if err := decode(updated.pick("ImageScanningConfiguration"), &in); err != nil {
			return Result{}, err
		}
		in.RepositoryName = &name
		if _, err := r.ecr().PutImageScanningConfiguration(ctx, &in); err != nil {
			return Result{}, err
		}
	}
	arn := aws.String(result.Attributes["Arn"].(string))
	err = r.retag(old, updated, func(keys []string) error {
		return done(r.ecr().UntagResource(ctx, &ecr.UntagResourceInput{ResourceArn: arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.ecr().TagResource(ctx, &ecr.TagResourceInput{ResourceArn: arn, Tags: tagList(tags, ecrTag)}))
	})
	if err != nil {
		return Result{}, err
	}
	return result, setRepositoryPolicies(ctx, r, name, old, updated)
}

// deleteRepository fails for a repository with images unless EmptyOnDelete is set.
func deleteRepository(ctx context.Context, r *Request, name string, p Properties) error {
	return deleted(r.ecr().DeleteRepository(ctx, &ecr.DeleteRepositoryInput{RepositoryName: &name, Force: p.Bool("EmptyOnDelete")}))
}
