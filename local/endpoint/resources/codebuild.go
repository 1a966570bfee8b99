package resources

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	buildtypes "github.com/aws/aws-sdk-go-v2/service/codebuild/types"
)

func buildTag(k, v string) buildtypes.Tag {
	return buildtypes.Tag{Key: aws.String(k), Value: aws.String(v)}
}

func init() {
	Register(&Type{
		Name: "AWS::CodeBuild::Project",
		Properties: []string{"Artifacts", "Cache", "Description", "EncryptionKey", "Environment", "LogsConfig", "Name",
			"QueuedTimeoutInMinutes", "SecondarySourceVersions", "SecondarySources", "ServiceRole", "Source", "SourceVersion", "Tags", "TimeoutInMinutes", "Triggers", "VpcConfig"},
		Recorded: "the service keeps the definition and builds nothing; no webhook is made for Triggers; the type of the build machine, the cache, the VPC and the time limits have no effect",
		Create: func(ctx context.Context, r *Request, p Properties) (Result, error) {
			return putProject(ctx, r, r.name(p, "Name", 150, false), p)
		},
		// The local API cannot change a project. A name is taken again by the project made anew, and nothing else refers to one.
		Update: func(ctx context.Context, r *Request, id string, _, updated Properties) (Result, error) {
			if err := deleteProject(ctx, r, id, nil); err != nil {
				return Result{}, err
			}
			return putProject(ctx, r, id, updated)
		},
		Delete: deleteProject,
	})
}

func putProject(ctx context.Context, r *Request, name string, p Properties) (Result, error) {
	var in codebuild.CreateProjectInput
	if err := decode(p.without("Name", "Tags", "Triggers"), &in); err != nil {
		return Result{}, err
	}
	in.Name, in.Tags = &name, tagList(r.tags(p), buildTag)
	// The local API asks every project where its source and artifacts lie, also those of a pipeline, where AWS refuses it.
	if in.Source != nil && in.Source.Type == buildtypes.SourceTypeCodepipeline {
		in.Source.Location = aws.String("CODEPIPELINE")
	}
	if in.Artifacts != nil && in.Artifacts.Type == buildtypes.ArtifactsTypeCodepipeline {
		in.Artifacts.Location = aws.String("CODEPIPELINE")
	}
	out, err := r.builds().CreateProject(ctx, &in)
	if r.Resumed && hasCode(err, "AlreadyExists") {
		if err := deleteProject(ctx, r, name, nil); err != nil {
			return Result{}, err
		}
		out, err = r.builds().CreateProject(ctx, &in)
	}
	if err != nil {
		return Result{}, err
	}
	return Result{ID: name, Attributes: map[string]any{"Arn": aws.ToString(out.Project.Arn), "Id": name}}, nil
}

func deleteProject(ctx context.Context, r *Request, id string, _ Properties) error {
	return deleted(r.builds().DeleteProject(ctx, &codebuild.DeleteProjectInput{Name: &id}))
}
