package delivery

import (
	"errors"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/buildspec"
)

// Build images of CodeBuild. The first has Go 1.26 and Node.js 24; CDK has no constant for it yet. The second only
// builds the image for arm64, on such a machine: emulation would take an hour.
const (
	x86Image = "aws/codebuild/amazonlinux-x86_64-standard:6.0"
	armImage = "aws/codebuild/amazonlinux-aarch64-standard:3.0"
)

// Buildspecs of the projects, from the root of the repository.
const (
	deployBuildspec  = "buildspec.yml"
	testBuildspec    = "infrastructure/delivery/buildspecs/test.yml"
	diffBuildspec    = "infrastructure/delivery/buildspecs/diff.yml"
	reviewBuildspec  = "infrastructure/delivery/buildspecs/review.yml"
	imageBuildspec   = "dockerbuild/buildspec.yml"
	publishBuildspec = "dockerbuild/publish.yml"
	serviceBuildspec = "infrastructure/delivery/buildspecs/services.yml"
)

// Check reads the buildspecs below the root of the repository that the environments' pipelines run. A broken one would
// show when the next merge is deployed.
func Check(root string, environments []config.Environment) error {
	if !slices.ContainsFunc(environments, config.Environment.Delivers) {
		return nil
	}
	var problems []error
	for _, name := range []string{deployBuildspec, testBuildspec, diffBuildspec, reviewBuildspec, imageBuildspec, publishBuildspec, serviceBuildspec} {
		if _, err := buildspec.Load(root, name); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// project is what distinguishes the CodeBuild projects.
type project struct {
	name        string // after the environment
	description string
	buildspec   string
	policy      func(logGroup string) policy
	size        awscodebuild.ComputeType
	minutes     float64
	arm         bool
	// docker is set where `docker build` runs, which CodeBuild allows to privileged containers only.
	docker bool
	// variables beside ENVIRONMENT.
	variables map[string]string
}

// table lists the projects that the environment needs.
func (d *Delivery) table() []project {
	p := d.policies
	small, medium := awscodebuild.ComputeType_SMALL, awscodebuild.ComputeType_MEDIUM
	image := map[string]string{"IMAGE_REPOSITORY": d.image, "IMAGE_REGISTRY": d.env.Registry()}
	build := func(architecture string) map[string]string {
		return map[string]string{"IMAGE_REPOSITORY": d.image, "IMAGE_REGISTRY": d.env.Registry(), "ARCHITECTURE": architecture}
	}
	all := []project{
		{name: "test", description: "Checks and tests before a deployment", buildspec: testBuildspec, size: medium, minutes: 60,
			policy: func(logGroup string) policy { return p.build(logGroup) }, variables: map[string]string{"TEST_TARGETS": d.env.Delivery.Test}},
		{name: "deploy", description: "cdk deploy", buildspec: deployBuildspec, size: small, minutes: 120, policy: p.deploy},
		{name: "image-arm64", description: "Builds the image for arm64", buildspec: imageBuildspec, size: medium, minutes: 60, policy: p.images, arm: true, docker: true, variables: build("arm64")},
		{name: "image-amd64", description: "Builds the image for amd64", buildspec: imageBuildspec, size: medium, minutes: 60, policy: p.images, docker: true, variables: build("amd64")},
		{name: "image-publish", description: "Gives the image its tag when its scan allows", buildspec: publishBuildspec, size: small, minutes: 30, policy: p.images, variables: image},
		{name: "services", description: "Publishes the services that a tag releases", buildspec: serviceBuildspec, size: medium, minutes: 30, policy: p.services,
			variables: map[string]string{
				"MANIFESTS_TOKEN_SECRET": d.env.SecretName("gitops", "manifests-token"),
				"SOURCE_REPOSITORY":      d.env.RepositoryURL,
			}},
	}
	if d.env.Delivery.Approval {
		all = append(all, project{name: "diff", description: "cdk diff, for whoever approves", buildspec: diffBuildspec, size: small, minutes: 30, policy: p.diff})
	}
	if d.env.Delivery.Review {
		all = append(all, project{name: "review", description: "gitops review of a pull request", buildspec: reviewBuildspec, size: medium, minutes: 30, policy: p.review,
			variables: map[string]string{
				"REVIEW_BASE":         "origin/" + d.env.Branch,
				"REVIEW_REPOSITORY":   d.env.Repository.Owner + "/" + d.env.Repository.Name,
				"REVIEW_TOKEN_SECRET": d.env.SecretName("gitops", "review-token"),
			}})
	}
	return all
}

// projectName is the agreed name of a project.
func (d *Delivery) projectName(name string) string { return d.env.StackName(name) }

// build makes a project with its role and log group.
func (d *Delivery) build(p project) {
	logGroup := "/" + d.env.Name + "/delivery/" + p.name
	logs := d.keep.LogGroup(d.Stack, "Logs-"+p.name, logGroup, d.env.Delivery.LogDays)
	image := awscodebuild.LinuxBuildImage_FromCodeBuildImageId(jsii.String(x86Image))
	if p.arm {
		image = awscodebuild.LinuxArmBuildImage_FromCodeBuildImageId(jsii.String(armImage))
	}
	variables := map[string]*awscodebuild.BuildEnvironmentVariable{"ENVIRONMENT": {Value: d.env.Name}}
	for name, value := range p.variables {
		variables[name] = &awscodebuild.BuildEnvironmentVariable{Value: value}
	}
	d.projects[p.name] = awscodebuild.NewPipelineProject(d.Stack, jsii.String("Project-"+p.name), &awscodebuild.PipelineProjectProps{
		ProjectName:   jsii.String(d.projectName(p.name)),
		Description:   jsii.String(p.description),
		BuildSpec:     awscodebuild.BuildSpec_FromSourceFilename(jsii.String(p.buildspec)),
		Role:          d.role(p.name, "codebuild.amazonaws.com", p.description+" of "+d.env.Name, p.policy(logGroup)),
		EncryptionKey: d.key,
		Environment: &awscodebuild.BuildEnvironment{
			BuildImage: image, ComputeType: p.size, Privileged: jsii.Bool(p.docker), EnvironmentVariables: &variables,
		},
		// On the build machine, while it lives: a cache in S3 would be gigabytes that every build could poison for the next.
		Cache:                       awscodebuild.Cache_Local(awscodebuild.LocalCacheMode_CUSTOM),
		GrantReportGroupPermissions: jsii.Bool(false),
		Logging:                     &awscodebuild.LoggingOptions{CloudWatch: &awscodebuild.CloudWatchLoggingOptions{LogGroup: logs}},
		Timeout:                     awscdk.Duration_Minutes(jsii.Number(p.minutes)),
		QueuedTimeout:               awscdk.Duration_Hours(jsii.Number(8)),
	})
}
