package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awseks"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// releaseToken is the last part of the name of the secret with the token that pushes to released/<environment>. The review
// runs the code of pull requests and reads a token of its own, so this one must be another.
const releaseToken = "release-token"

// releaseActions let Flux apply the commit, and wait until it has.
func releaseActions(d *Deployment, props *DeploymentProps) []Action {
	env := props.Env
	rights := []policy.Statement{cloneRight(env), tokenRight(env, "ReadTheTokenForReleases", releaseToken)}
	var variables map[string]string
	if env.RollsBack() {
		rights = append(rights, policy.Allow("LearnWhetherItRollsBack", policy.List{env.ARN("codepipeline", env.StackName(deployPipeline))}, "codepipeline:GetPipelineExecution"))
		variables = map[string]string{"PIPELINE_EXECUTION_ID": execution}
	}
	release := NewProject(d, "Release", &ProjectProps{
		Env: env, Store: props.Store, Name: "release", Description: "Lets Flux apply a commit", Buildspec: releaseBuildspec, Minutes: 10,
		Variables: map[string]string{"RELEASE_TOKEN_SECRET": env.SecretName("gitops", releaseToken)}, Rights: rights,
	})
	verify := NewProject(d, "Verify", &ProjectProps{
		Env: env, Store: props.Store, Name: "verify", Description: "Waits until Flux has applied a commit", Buildspec: verifyBuildspec, Minutes: 30,
		VPC:    props.VPC,
		Rights: []policy.Statement{policy.Allow("FindTheCluster", policy.List{env.ARN("eks", "cluster/"+env.ClusterName())}, "eks:DescribeCluster")},
	})
	// L1, because the construct of the CDK wants the cluster itself and a policy of EKS, each of which may do more.
	awseks.NewCfnAccessEntry(d, jsii.String("AccessEntry"), &awseks.CfnAccessEntryProps{
		ClusterName: jsii.String(env.ClusterName()), PrincipalArn: verify.Project.Role().RoleArn(), KubernetesGroups: jsii.Strings(config.VerifyGroup),
	})
	return []Action{
		{Name: "Release", Project: release, More: planNamespace, Variables: variables},
		{Name: config.VerifyAction, Order: 2, Project: verify, Input: planNamespace, Variables: map[string]string{"COMMIT": commit}},
	}
}
