package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// BucketProps says whose bucket it is. Its agreed name is <environment>-<app>-<thing>-<account>-<region>.
type BucketProps struct {
	Env config.Environment
	// App and Thing are lower case letters, digits and hyphens. The whole name has at most 63 characters.
	App, Thing string
}

// NewBucket makes a private, encrypted, versioned bucket. Earlier versions of an object are kept for 90 days, and parts of
// an upload that was given up for 7.
//
// CloudFormation cannot delete a bucket that holds anything: it deletes the rest of the stack and leaves the bucket, and
// the stack as DELETE_FAILED. In environments without deletion protection the bucket goes with its stack, so gitops
// teardown empties it first. A custom resource that empties it would put a function with the right to delete all content
// into every environment, for the sake of those that need it once.
func NewBucket(scope constructs.Construct, id string, props *BucketProps) awss3.Bucket {
	return awss3.NewBucket(scope, jsii.String(id), &awss3.BucketProps{
		BucketName:        jsii.String(props.Env.BucketName(props.App, props.Thing)),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     retention.Of(props.Env).Data(),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("expire-old-versions"),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		}},
	})
}
