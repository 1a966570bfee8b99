package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// NewBucket makes a private, encrypted, versioned bucket by its agreed name <environment>-<app>-<thing>-<account>-<region>.
// Earlier versions of an object are kept for 90 days.
//
// CloudFormation cannot delete a bucket that holds anything. In environments without deletion protection the bucket goes
// with its stack, so whoever removes such an environment empties it first, all versions ("Empty" in the console); until
// then the deletion fails and takes nothing along. A custom resource that empties it would put a function with the right
// to delete all content into every environment, for the sake of those that need it once.
func NewBucket(scope constructs.Construct, env config.Environment, app, thing string) awss3.Bucket {
	keep := retention.Policy{Protected: env.DeletionProtection}
	return awss3.NewBucket(scope, jsii.String("Bucket-"+thing), &awss3.BucketProps{
		BucketName:        jsii.String(env.BucketName(app, thing)),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     keep.Data(),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("expire-old-versions"),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(90)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(7)),
		}},
	})
}
