package delivery

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/policy"
)

// A role has its one policy, whatever a construct grants to it, and trusts the service for the account alone.
func TestRole(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	role := NewRole(stack, "Role", &RoleProps{
		Env: env, Service: "codebuild.amazonaws.com", Description: "Builds", PolicyName: "build",
		Policy: policy.Of(policy.Allow("Read", policy.List{"arn:aws:s3:::b/*"}, "s3:GetObject")),
	})
	awss3.NewBucket(stack, jsii.String("Bucket"), nil).GrantReadWrite(role, nil)
	awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{Grantee: role, Actions: jsii.Strings("s3:*"), ResourceArns: jsii.Strings("*")})
	template := cdktest.Synthesize(t, stack)
	template.Count("AWS::IAM::Policy", 0)
	template.Has("AWS::IAM::Role", map[string]any{
		"Policies": []any{map[string]any{"PolicyName": "build", "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"},
		}}}},
		"AssumeRolePolicyDocument": object(map[string]any{"Statement": []any{object(map[string]any{
			"Condition": map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": env.Account}},
			"Principal": map[string]any{"Service": "codebuild.amazonaws.com"},
		})}}),
	})
}
