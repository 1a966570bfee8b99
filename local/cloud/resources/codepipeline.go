package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
	pipelinetypes "github.com/aws/aws-sdk-go-v2/service/codepipeline/types"
)

func pipelineTag(k, v string) pipelinetypes.Tag {
	return pipelinetypes.Tag{Key: aws.String(k), Value: aws.String(v)}
}

func init() {
	Register(&Type{
		Name: "AWS::CodePipeline::Pipeline",
		Properties: []string{"ArtifactStore", "ExecutionMode", "Name", "PipelineType", "RestartExecutionOnUpdate", "RoleArn", "Stages",
			"Tags", "Triggers", "Variables"},
		Immutable: []string{"Name"},
		Recorded:  "the service keeps the definition and executes nothing",
		Create:    createPipeline, Update: updatePipeline,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			_, err := r.pipelines().DeletePipeline(ctx, &codepipeline.DeletePipelineInput{Name: &id})
			return gone(err)
		},
	})
}

// pipeline is the whole definition, as GetPipeline returns it: CloudFormation and the API name its parts alike.
func pipeline(p Properties, name string) (*pipelinetypes.PipelineDeclaration, error) {
	var declaration pipelinetypes.PipelineDeclaration
	if err := decode(p.without("Name", "RestartExecutionOnUpdate", "Tags"), &declaration); err != nil {
		return nil, err
	}
	declaration.Name = &name
	return &declaration, nil
}

func createPipeline(ctx context.Context, r *Request, p Properties) (Result, error) {
	name := r.name(p, "Name", 100, false)
	declaration, err := pipeline(p, name)
	if err != nil {
		return Result{}, err
	}
	in := &codepipeline.CreatePipelineInput{Pipeline: declaration, Tags: tagList(r.tags(p), pipelineTag)}
	out, err := r.pipelines().CreatePipeline(ctx, in)
	if err != nil {
		return Result{}, err
	}
	return pipelineResult(name, out.Pipeline), nil
}

func updatePipeline(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	declaration, err := pipeline(updated, id)
	if err != nil {
		return Result{}, err
	}
	out, err := r.pipelines().UpdatePipeline(ctx, &codepipeline.UpdatePipelineInput{Pipeline: declaration})
	if err != nil {
		return Result{}, err
	}
	arn := aws.String("arn:aws:codepipeline:" + r.Region + ":" + r.Account + ":" + id)
	if drop := removed(r.tags(old), r.tags(updated)); len(drop) > 0 {
		if _, err := r.pipelines().UntagResource(ctx, &codepipeline.UntagResourceInput{ResourceArn: arn, TagKeys: drop}); err != nil {
			return Result{}, err
		}
	}
	in := &codepipeline.TagResourceInput{ResourceArn: arn, Tags: tagList(r.tags(updated), pipelineTag)}
	if _, err := r.pipelines().TagResource(ctx, in); err != nil {
		return Result{}, err
	}
	return pipelineResult(id, out.Pipeline), nil
}

func pipelineResult(name string, declaration *pipelinetypes.PipelineDeclaration) Result {
	result := Result{ID: name, Attributes: map[string]any{}}
	if declaration != nil && declaration.Version != nil {
		result.Attributes["Version"] = float64(*declaration.Version)
	}
	return result
}
