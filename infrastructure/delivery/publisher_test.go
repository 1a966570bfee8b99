package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// A tag of the one repository assumes the role, which reads the one token.
func TestPublisher(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewPublisher(stack, "Publisher", &PublisherProps{Env: env, Service: "shop", Repository: "my-company/shop"})
	cdktest.Synthesize(t, stack).Has("AWS::IAM::Role", map[string]any{
		"RoleName": "dev-publish.shop",
		"AssumeRolePolicyDocument": object(map[string]any{"Statement": []any{map[string]any{
			"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
			"Principal": map[string]any{"Federated": env.ARN("iam", "oidc-provider/token.actions.githubusercontent.com")},
			"Condition": map[string]any{
				"StringEquals": map[string]any{"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
				"StringLike":   map[string]any{"token.actions.githubusercontent.com:sub": "repo:my-company/shop:ref:refs/tags/v*"},
			},
		}}}),
		"Policies": []any{map[string]any{"PolicyName": "publish", "PolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
			map[string]any{"Sid": "ReadItsTokenForManifests", "Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": env.ARN("secretsmanager", "secret:/dev/gitops/publish-shop-??????")},
		}}}},
	})
}
