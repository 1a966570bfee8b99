package delivery

import (
	_ "embed"

	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
)

const (
	// ownTags start the publication of a service in a repository of its own.
	ownTags = `^refs/tags/v[0-9]+\.[0-9]+\.[0-9]+([-+].*)?$`
	// platformSource names the platform's checkout beside the service's, in CODEBUILD_SRC_DIR_platform.
	platformSource = "platform"
)

//go:embed buildspecs/own.yml
var ownCommands string

// PublisherBuildProps is what publishes one service from a repository of its own, without anything in that repository.
type PublisherBuildProps struct {
	Env   config.Environment
	Store *Store
	// Service is its name.
	Service string
	// Repository on GitHub, as OWNER/NAME. The connection's App must be installed there.
	Repository string
}

// PublisherBuild is the project <environment>-publish-<service>.
type PublisherBuild struct {
	constructs.Construct
	construct.Part
	Project *Project
}

// NewPublisherBuild makes the project that a tag v1.2.3 in the service's repository starts, by a webhook that CodeBuild makes
// through the environment's connection: https://docs.aws.amazon.com/codebuild/latest/userguide/connections-github-app.html.
// Only the platform's code runs in it, of the branch that Flux follows: its commands are in the template, and no one in the
// service's repository can change them or sees the token that it pushes with. The repository's commit gets the state of the
// build as publish/<environment>.
func NewPublisherBuild(scope constructs.Construct, id string, props *PublisherBuildProps) *PublisherBuild {
	p, env := &PublisherBuild{}, props.Env
	construct.Init(p, scope, id)
	address := "https://github.com/" + props.Repository + ".git"
	variables := publishVariables(env)
	variables["SERVICE"], variables["SOURCE_REPOSITORY"] = props.Service, address
	p.Project = NewProject(p, "Build", &ProjectProps{
		Env: env, Store: props.Store, Name: "publish-" + props.Service, Description: "Publishes " + props.Service + " of " + props.Repository,
		Buildspec: ownBuildspec, Branch: env.FluxBranch(), Size: awscodebuild.ComputeType_MEDIUM, Minutes: 30, Variables: variables,
		Rights: []policy.Statement{tokenRight(env, "ReadTheTokenForManifests", manifestsToken)},
	})
	project, _ := p.Project.Project.Node().DefaultChild().(awscodebuild.CfnProject)
	auth := &awscodebuild.CfnProject_SourceAuthProperty{Type: jsii.String("CODECONNECTIONS"), Resource: jsii.String(env.Delivery.ConnectionARN)}
	project.SetSource(&awscodebuild.CfnProject_SourceProperty{
		Type: jsii.String("GITHUB"), Location: jsii.String(address), BuildSpec: jsii.String(ownCommands), Auth: auth,
		GitCloneDepth:     jsii.Number(0), // all of it: what is older is told by the history
		ReportBuildStatus: jsii.Bool(true), BuildStatusConfig: &awscodebuild.CfnProject_BuildStatusConfigProperty{Context: jsii.String("publish/" + env.Name)},
	})
	project.SetSourceVersion(nil) // the webhook names the tag
	project.SetSecondarySources(&[]any{&awscodebuild.CfnProject_SourceProperty{
		Type: jsii.String("GITHUB"), Location: jsii.String(env.Repository.URL()), Auth: auth, SourceIdentifier: jsii.String(platformSource), GitCloneDepth: jsii.Number(1),
	}})
	project.SetSecondarySourceVersions(&[]any{&awscodebuild.CfnProject_ProjectSourceVersionProperty{
		SourceIdentifier: jsii.String(platformSource), SourceVersion: jsii.String(env.FluxBranch()),
	}})
	// A fork's pull requests are no pushes, and what moves a branch is no release.
	project.SetTriggers(&awscodebuild.CfnProject_ProjectTriggersProperty{
		Webhook: jsii.Bool(true), BuildType: jsii.String("BUILD"),
		FilterGroups: &[]any{[]any{
			&awscodebuild.CfnProject_WebhookFilterProperty{Type: jsii.String("EVENT"), Pattern: jsii.String("PUSH")},
			&awscodebuild.CfnProject_WebhookFilterProperty{Type: jsii.String("HEAD_REF"), Pattern: jsii.String(ownTags)},
		}},
	})
	return p
}
