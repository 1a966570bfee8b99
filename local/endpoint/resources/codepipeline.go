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
		Recorded: "the service keeps the definition and executes nothing",
		Create:   createPipeline, Update: updatePipeline,
		Delete: func(ctx context.Context, r *Request, id string, _ Properties) error {
			return deleted(r.pipelines().DeletePipeline(ctx, &codepipeline.DeletePipelineInput{Name: &id}))
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
	if r.Resumed && hasCode(err, "NameInUse", "InvalidStructure") { // AWS's code, and moto's
		found, err := r.pipelines().GetPipeline(ctx, &codepipeline.GetPipelineInput{Name: &name})
		if err != nil {
			return Result{}, err
		}
		return pipelineResult(name, found.Pipeline), nil
	}
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
	return pipelineResult(id, out.Pipeline), r.retag(old, updated, func(keys []string) error {
		return done(r.pipelines().UntagResource(ctx, &codepipeline.UntagResourceInput{ResourceArn: arn, TagKeys: keys}))
	}, func(tags map[string]string) error {
		return done(r.pipelines().TagResource(ctx, &codepipeline.TagResourceInput{ResourceArn: arn, Tags: tagList(tags, pipelineTag)}))
	})
}

func pipelineResult(name string, declaration *pipelinetypes.PipelineDeclaration) Result {
	result := Result{ID: name, Attributes: map[string]any{}}
	if declaration != nil && declaration.Version != nil {
		result.Attributes["Version"] = float64(*declaration.Version)
	}
	return result
}
