package delivery

import (
	"maps"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseks"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// releaseBuilds are the projects of a release.
type releaseBuilds struct {
	release *Project
	// verify is nil without the gate: then Flux follows the branch itself.
	verify *Project
	env    config.Environment
	// byMerge is set where the release publishes services.
	byMerge bool
}

// newReleaseBuilds makes the project that publishes services, where they are published by merge, and lets Flux apply the
// commit; and with the gate the one that waits until Flux has. Without either there is none.
func newReleaseBuilds(d *Deployment, props *DeploymentProps) *releaseBuilds {
	env := props.Env
	if !env.Gated() && !props.ByMerge {
		return nil
	}
	b := &releaseBuilds{env: env, byMerge: props.ByMerge}
	given := &ProjectProps{
		Env: env, Store: props.Store, Name: "release", Description: "Lets Flux apply a commit", Buildspec: releaseBuildspec, Minutes: 10,
		Variables: map[string]string{}, Rights: []policy.Statement{cloneRight(env)},
	}
	if env.Gated() {
		given.Variables["RELEASE_TOKEN_SECRET"] = env.SecretName("gitops", config.ReleaseToken)
		given.Rights = append(given.Rights, tokenRight(env, "ReadTheTokenForReleases", config.ReleaseToken))
	}
	if env.RollsBack() {
		given.Rights = append(given.Rights, policy.Allow("LearnWhetherItRollsBack", policy.List{env.ARN("codepipeline", env.StackName(deployPipeline))}, "codepipeline:GetPipelineExecution"))
	}
	if props.ByMerge { // it compiles what renders them
		given.Size, given.Minutes = awscodebuild.ComputeType_MEDIUM, 30
		maps.Copy(given.Variables, publishVariables(env))
		given.Rights = append(given.Rights, publishRights(env)...)
		if env.DeletionProtection {
			given.Minutes, given.Rights = 120, append(given.Rights, snapshotRights(env)...)
		}
	}
	b.release = NewProject(d, "Release", given)
	if !env.Gated() {
		return b
	}
	b.verify = NewProject(d, "Verify", &ProjectProps{
		Env: env, Store: props.Store, Name: "verify", Description: "Waits until Flux has applied a commit", Buildspec: verifyBuildspec, Minutes: 30,
		VPC:    props.VPC,
		Rights: []policy.Statement{policy.Allow("FindTheCluster", policy.List{env.ARN("eks", "cluster/"+env.ClusterName())}, "eks:DescribeCluster")},
	})
	// L1, because the construct of the CDK wants the cluster itself and a policy of EKS, each of which may do more.
	awseks.NewCfnAccessEntry(d, jsii.String("AccessEntry"), &awseks.CfnAccessEntryProps{
		ClusterName: jsii.String(env.ClusterName()), PrincipalArn: b.verify.Project.Role().RoleArn(), KubernetesGroups: jsii.Strings(config.VerifyGroup),
	})
	return b
}

// actions are those of a stage: publish and release, then wait until Flux has applied both. Stages differ by the namespace in
// which the first says what it has published.
func (b *releaseBuilds) actions(stage string) []Action {
	release := Action{Name: "Release", Project: b.release, More: planNamespace}
	if b.env.RollsBack() {
		release.Variables = map[string]string{"PIPELINE_EXECUTION_ID": execution}
	}
	if b.verify == nil {
		return []Action{release}
	}
	verify := Action{Name: config.VerifyAction, Order: 2, Project: b.verify, Input: planNamespace, Variables: map[string]string{"COMMIT": commit}}
	if b.byMerge {
		release.Namespace = stage
		verify.Variables["PUBLISHED"] = "#{" + stage + ".PUBLISHED}"
	}
	return []Action{release, verify}
}

// snapshotRights let a build keep databases as they are before a commit migrates their schemas, and remove what it has made. RDS
// looks a database's snapshots up by the database, and tells them by their own names.
func snapshotRights(env config.Environment) []policy.Statement {
	databases, snapshots := env.ARN("rds", "db:"+env.Name+"-*"), env.ARN("rds", "snapshot:"+env.Name+"-*"+config.BeforeInfix+"*")
	return []policy.Statement{
		policy.Allow("LookForSnapshots", policy.List{databases, env.ARN("rds", "snapshot:*")}, "rds:DescribeDBSnapshots"),
		policy.Allow("KeepDatabasesBeforeMigrations", policy.List{databases, snapshots}, "rds:CreateDBSnapshot"),
		policy.Allow("MarkTheSnapshots", policy.List{snapshots}, "rds:AddTagsToResource"),
		policy.Allow("ForgetOldOnes", policy.List{snapshots}, "rds:DeleteDBSnapshot").If(map[string]any{
			"StringLike": map[string]any{"aws:ResourceTag/" + config.BeforeTag: env.Name + "-*"},
		}),
	}
}
