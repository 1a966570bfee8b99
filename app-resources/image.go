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

// NewImageRepository makes the ECR repository <environment>/<app>: tags that never move, a scan at each push, and the
// newest images only, so that what a manifest names is what runs.
func NewImageRepository(scope constructs.Construct, env config.Environment, app string, keepImages int) awsecr.Repository {
	keep := retention.Policy{Protected: env.DeletionProtection}
	return awsecr.NewRepository(scope, jsii.String("Images"), &awsecr.RepositoryProps{
		RepositoryName:     jsii.String(env.RepositoryName(app)),
		ImageTagMutability: awsecr.TagMutability_IMMUTABLE,
		ImageScanOnPush:    jsii.Bool(true),
		RemovalPolicy:      keep.Data(),
		EmptyOnDelete:      jsii.Bool(!env.DeletionProtection), // by ECR itself, without a function
		LifecycleRules: &[]*awsecr.LifecycleRule{{
			Description:   jsii.String("Keep the newest images"),
			MaxImageCount: jsii.Number(keepImages * entriesPerImage),
		}},
	})
}
