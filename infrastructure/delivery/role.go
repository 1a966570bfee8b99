package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// RoleProps says who assumes a role, and what it may do.
type RoleProps struct {
	Env config.Environment
	// Service assumes the role, for example codebuild.amazonaws.com, on behalf of the environment's account alone.
	Service     string
	Description string
	// PolicyName names the one policy of the role.
	PolicyName string
	Policy     policy.Document
}

// NewRole makes a role with exactly the given policy: what CDK's constructs grant to it on their own is left out, because
// they grant by wildcard.
func NewRole(scope constructs.Construct, id string, props *RoleProps) awsiam.IRole {
	account := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": props.Env.Account}}
	role := awsiam.NewRole(scope, jsii.String(id), &awsiam.RoleProps{
		Description:    jsii.String(props.Description),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String(props.Service), &awsiam.ServicePrincipalOpts{Conditions: &account}),
		InlinePolicies: policy.Inline(map[string]policy.Document{props.PolicyName: props.Policy}),
	})
	return role.WithoutPolicyUpdates(nil)
}

// useConnection is one action under its present and its former name; AWS documents to allow both.
var useConnection = []string{"codeconnections:UseConnection", "codestar-connections:UseConnection"}

// takeToken is what a build needs to clone through a connection by itself, under both names. The token is that of the
// connection's App: https://docs.aws.amazon.com/codebuild/latest/userguide/connections-github-app.html
var takeToken = []string{
	"codeconnections:GetConnection", "codeconnections:GetConnectionToken", "codestar-connections:GetConnection", "codestar-connections:GetConnectionToken",
}
