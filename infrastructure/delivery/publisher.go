package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// The issuer of GitHub's tokens for workflows, and whom they are for:
// https://docs.github.com/en/actions/how-tos/secure-your-work/security-harden-deployments/oidc-in-aws
const (
	workflowIssuer   = "token.actions.githubusercontent.com"
	workflowAudience = "sts.amazonaws.com"
)

// PublisherProps is what publishes one service from a repository of its own.
type PublisherProps struct {
	Env config.Environment
	// Service is its name.
	Service string
	// Repository on GitHub, as OWNER/NAME.
	Repository string
}

// Publisher is the role <environment>-publish.<service>.
type Publisher struct {
	constructs.Construct
	construct.Part
	Role awsiam.Role
}

// NewPublisher makes the role that the workflow of a service's own repository assumes when a tag v* is pushed there. It may read
// the service's token for the manifests repository, and nothing else in AWS. The account must trust GitHub's issuer; that is made
// once by a person, because an account has one for all environments.
func NewPublisher(scope constructs.Construct, id string, props *PublisherProps) *Publisher {
	p, env := &Publisher{}, props.Env
	construct.Init(p, scope, id)
	workflow := map[string]any{
		"StringEquals": map[string]any{workflowIssuer + ":aud": workflowAudience},
		// What a tag is after the v, a pattern cannot say: the tool refuses what is no version.
		"StringLike": map[string]any{workflowIssuer + ":sub": "repo:" + props.Repository + ":ref:refs/tags/v*"},
	}
	token := policy.Allow("ReadItsTokenForManifests", policy.List{env.ARN("secretsmanager", "secret:"+env.PublisherSecret(props.Service)+"-??????")}, "secretsmanager:GetSecretValue")
	p.Role = awsiam.NewRole(p, jsii.String("Role"), &awsiam.RoleProps{
		RoleName:       jsii.String(env.PublisherRole(props.Service)),
		Description:    jsii.String("Publishes " + props.Service + " of " + props.Repository + " to " + env.Name),
		AssumedBy:      awsiam.NewWebIdentityPrincipal(jsii.String(env.ARN("iam", "oidc-provider/"+workflowIssuer)), &workflow),
		InlinePolicies: policy.Inline(map[string]policy.Document{"publish": policy.Of(token)}),
	})
	return p
}
