package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/constructs-go/constructs/v10"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

// DockerbuildProps is what the image pipeline needs from outside.
type DockerbuildProps struct {
	Env           config.Environment
	Store         *Store
	Notifications *Notifications
	// Image is the ECR repository that it pushes to, by its agreed name.
	Image string
}

// Dockerbuild is the pipeline <environment>-dockerbuild with its projects.
type Dockerbuild struct {
	constructs.Construct
	construct.Part
	Pipeline *Pipeline
}

// NewDockerbuild makes the pipeline that builds the image for both architectures, each on its own kind of machine, and gives
// it a tag when the scan allows. Flux takes it from there.
func NewDockerbuild(scope constructs.Construct, id string, props *DockerbuildProps) *Dockerbuild {
	d, env := &Dockerbuild{}, props.Env
	construct.Init(d, scope, id)
	variables := func(more ...string) map[string]string {
		all := map[string]string{"IMAGE_REPOSITORY": props.Image, "IMAGE_REGISTRY": env.Registry()}
		for _, architecture := range more {
			all["ARCHITECTURE"] = architecture
		}
		return all
	}
	// The same for all actions of an execution, also when one is retried.
	build := map[string]string{"BUILD": "#{codepipeline.PipelineExecutionId}"}
	var builds []Action
	for _, architecture := range []string{"arm64", "amd64"} {
		project := NewProject(d, architecture, &ProjectProps{
			Env: env, Store: props.Store, Name: "image-" + architecture, Description: "Builds the image for " + architecture, Buildspec: imageBuildspec,
			Size: awscodebuild.ComputeType_MEDIUM, Minutes: 60, Arm: architecture == "arm64", Docker: true,
			Variables: variables(architecture), Rights: pushRights(props),
		})
		builds = append(builds, Action{Name: architecture, Project: project, Variables: build})
	}
	publish := NewProject(d, "Publish", &ProjectProps{
		Env: env, Store: props.Store, Name: "image-publish", Description: "Gives the image its tag when its scan allows", Buildspec: publishBuildspec,
		Minutes: 30, Variables: variables(), Rights: tagRights(props),
	})
	d.Pipeline = NewPipeline(d, "Pipeline", &PipelineProps{
		Env: env, Store: props.Store, Notifications: props.Notifications, Name: dockerbuildPipeline,
		Trigger: Trigger{Paths: env.Repository.Paths.Dockerbuild},
		Stages:  []Stage{{Name: "Build", Actions: builds}, {Name: "Publish", Actions: []Action{{Name: "Publish", Project: publish, Variables: build}}}},
	})
	return d
}

// images are the ARNs of the one repository.
func images(props *DockerbuildProps) policy.List {
	return policy.List{props.Env.ARN("ecr", "repository/"+props.Image)}
}

// pushRights look whether an image is in the repository and push it. The login has no resource level.
func pushRights(props *DockerbuildProps) []policy.Statement {
	return []policy.Statement{
		policy.Allow("LogInToTheRegistry", policy.List{"*"}, "ecr:GetAuthorizationToken"),
		policy.Allow("PushToOneRepository", images(props),
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
			"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
	}
}

// tagRights read what the scan of a push found and give the image its tag, through ECR's own API.
func tagRights(props *DockerbuildProps) []policy.Statement {
	return []policy.Statement{policy.Allow("TagInOneRepository", images(props), "ecr:BatchGetImage", "ecr:DescribeImageScanFindings", "ecr:PutImage")}
}
