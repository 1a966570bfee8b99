package endpoint

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"k8s-plus-aws-gitops/local/endpoint/front"
)

// serviceValues reads what templates refer to from moto.
type serviceValues struct {
	ssm     *ssm.Client
	secrets *secretsmanager.Client
	s3      *s3.Client
}

func newValues(c aws.Config) serviceValues {
	return serviceValues{
		ssm.NewFromConfig(c), secretsmanager.NewFromConfig(c),
		s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = true }),
	}
}

func (v serviceValues) Parameter(ctx context.Context, name string) (string, error) {
	out, err := v.ssm.GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: aws.Bool(true)})
	if err != nil {
		return "", fmt.Errorf("SSM parameter %s: %w", name, err)
	}
	return aws.ToString(out.Parameter.Value), nil
}

func (v serviceValues) Secret(ctx context.Context, id, stage, version string) (string, error) {
	in := &secretsmanager.GetSecretValueInput{SecretId: &id}
	if stage != "" {
		in.VersionStage = &stage
	}
	if version != "" {
		in.VersionId = &version
	}
	out, err := v.secrets.GetSecretValue(ctx, in)
	if err != nil {
		return "", fmt.Errorf("secret %s: %w", id, err)
	}
	return aws.ToString(out.SecretString), nil
}

func (v serviceValues) Object(ctx context.Context, bucket, key string) (string, error) {
	out, err := v.s3.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(out.Body, 1<<20)) // the service's limit for a template
	return string(b), err
}

// assumer makes credentials for pods' roles as EKS Pod Identity does, for six
// hours.
func assumer(c aws.Config, account string) func(context.Context, string, string) (front.Credentials, error) {
	client := sts.NewFromConfig(c)
	return func(ctx context.Context, role, session string) (front.Credentials, error) {
		if len(session) > 64 {
			session = session[:64]
		}
		out, err := client.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &session, DurationSeconds: aws.Int32(6 * 3600)})
		if err != nil {
			return front.Credentials{}, fmt.Errorf("assume %s: %w", role, err)
		}
		return front.Credentials{
			AccessKeyID: aws.ToString(out.Credentials.AccessKeyId), SecretAccessKey: aws.ToString(out.Credentials.SecretAccessKey),
			Token: aws.ToString(out.Credentials.SessionToken), AccountID: account, Expiration: aws.ToTime(out.Credentials.Expiration).UTC(),
		}, nil
	}
}
