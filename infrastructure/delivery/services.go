package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

const (
	// releaseTags start the release of a service: <service>/v1.2.3. A * stays between slashes, and what the version looks
	// like a pattern cannot say: the build refuses what is no version.
	releaseTags = "*/v*"
	// manifestsToken is the last part of the name of the secret with the token that pushes manifests.
	manifestsToken = "manifests-token"
)

// ServicesProps is what the services' pipeline of an environment needs from outside.
type ServicesProps struct {
	Env           config.Environment
	Store         *Store
	Notifications *Notifications
}

// Services is the pipeline <environment>-services with its project.
type Services struct {
	constructs.Construct
	construct.Part
	Pipeline *Pipeline
}

// NewServices makes the pipeline that publishes a service when its tag is pushed: in every environment, so that a release
// reaches each that publishes by tag as its fleet.yaml says, at once or as a proposal. The build finds the tags in its clone: the variable in
// which CodePipeline names the tag is missing when an execution is started in another way, as the first one is, and a
// variable that is missing fails its action.
func NewServices(scope constructs.Construct, id string, props *ServicesProps) *Services {
	s, env := &Services{}, props.Env
	construct.Init(s, scope, id)
	project := NewProject(s, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: servicesPipeline, Description: "Publishes the services that a tag releases", Buildspec: serviceBuildspec,
		Size: awscodebuild.ComputeType_MEDIUM, Minutes: 30,
		Variables: publishVariables(env), Rights: append([]policy.Statement{cloneRight(env)}, publishRights(env)...),
	})
	s.Pipeline = NewPipeline(s, "Pipeline", &PipelineProps{
		Env: env, Store: props.Store, Notifications: props.Notifications, Name: servicesPipeline, Clone: true,
		Trigger: Trigger{Tags: []string{releaseTags}},
		Stages:  []Stage{{Name: "Publish", Actions: []Action{{Name: "Publish", Project: project}}}},
	})
	return s
}

// publishVariables tell a build where the token for manifests is, and of which repository they are made.
func publishVariables(env config.Environment) map[string]string {
	return map[string]string{"MANIFESTS_TOKEN_SECRET": env.SecretName("gitops", manifestsToken), "SOURCE_REPOSITORY": env.RepositoryURL}
}

// publishRights read the token with which a build pushes manifests and opens pull requests, and keep the services' static
// files. Their bucket holds nothing else; earlier versions of a file stay out of its reach.
func publishRights(env config.Environment) []policy.Statement {
	bucket := env.ARN("s3", env.AssetsBucket())
	return []policy.Statement{
		tokenRight(env, "ReadTheTokenForManifests", manifestsToken),
		policy.Allow("ListTheAssets", policy.List{bucket}, "s3:ListBucket").If(map[string]any{
			"StringLike": map[string]any{"s3:prefix": config.AssetsPrefix + "*"},
		}),
		policy.Allow("SyncTheAssets", policy.List{bucket + "/" + config.AssetsPrefix + "*"}, "s3:PutObject", "s3:DeleteObject"),
	}
}
