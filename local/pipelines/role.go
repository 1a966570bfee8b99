package pipelines

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// signIn gives the build the credentials of its project's role, as CodeBuild does. Nothing checks here what the role may do;
// but who asks is known, for instance to the cluster's API. The role's ARN is in the project that the stack has made, and not
// in its definition.
func (b *build) signIn(ctx context.Context) error {
	if b.project.ServiceRole == nil {
		return nil
	}
	found, err := codebuild.NewFromConfig(b.AWS).BatchGetProjects(ctx, &codebuild.BatchGetProjectsInput{Names: []string{b.project.Name}})
	if err != nil {
		return fmt.Errorf("project %s: %w", b.project.Name, err)
	}
	if len(found.Projects) == 0 || aws.ToString(found.Projects[0].ServiceRole) == "" {
		return fmt.Errorf("project %s has no service role", b.project.Name)
	}
	out, err := sts.NewFromConfig(b.AWS).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: found.Projects[0].ServiceRole, RoleSessionName: aws.String("build")})
	if err != nil {
		return fmt.Errorf("role of project %s: %w", b.project.Name, err)
	}
	b.env["AWS_ACCESS_KEY_ID"] = aws.ToString(out.Credentials.AccessKeyId)
	b.env["AWS_SECRET_ACCESS_KEY"] = aws.ToString(out.Credentials.SecretAccessKey)
	b.env["AWS_SESSION_TOKEN"] = aws.ToString(out.Credentials.SessionToken)
	for _, secret := range []string{"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		b.out.hide(b.env[secret])
	}
	return nil
}
