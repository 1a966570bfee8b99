package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// entriesPerImage is what ECR counts for one image: the index that has the tag, and the image of each architecture.
const entriesPerImage = 3

// ImageRepositoryProps says whose images it holds. Its agreed name is <environment>/<app>.
type ImageRepositoryProps struct {
	Env config.Environment
	App string
	// KeepImages is how many of the newest images are kept, at least 1.
	KeepImages int
}

// NewImageRepository makes an ECR repository: tags that never move, a scan at each push, and the newest images only, so
// that what a manifest names is what runs.
func NewImageRepository(scope constructs.Construct, id string, props *ImageRepositoryProps) awsecr.Repository {
	return awsecr.NewRepository(scope, jsii.String(id), &awsecr.RepositoryProps{
		RepositoryName:     jsii.String(props.Env.RepositoryName(props.App)),
		ImageTagMutability: awsecr.TagMutability_IMMUTABLE,
		ImageScanOnPush:    jsii.Bool(true),
		RemovalPolicy:      retention.Of(props.Env).Data(),
		EmptyOnDelete:      jsii.Bool(!props.Env.DeletionProtection), // by ECR itself, without a function
		LifecycleRules: &[]*awsecr.LifecycleRule{{
			Description:   jsii.String("Keep the newest images"),
			MaxImageCount: jsii.Number(props.KeepImages * entriesPerImage),
		}},
	})
}
