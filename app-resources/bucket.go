package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// BucketProps says whose bucket it is. Its agreed name is <environment>-<app>-<thing>-<account>-<region>.
type BucketProps struct {
	Env config.Environment
	// App and Thing are lower case letters, digits and hyphens. The whole name has at most 63 characters.
	App, Thing string
	// ExpireDays is the age at which objects are deleted; never by default.
	ExpireDays int
	// Origins are the pages that may upload and read in browsers, such as https://shop.example.com; none by default.
	Origins []string
}

// NewBucket makes a private, encrypted, versioned bucket. Earlier versions of an object are kept for 90 days, and parts of
// an upload that was given up for 7.
//
// CloudFormation cannot delete a bucket that holds anything: it deletes the rest of the stack and leaves the bucket, and
// the stack as DELETE_FAILED. In environments without deletion protection the bucket goes with its stack, so gitops
// teardown empties it first. A custom resource that empties it would put a function with the right to delete all content
// into every environment, for the sake of those that need it once.
func NewBucket(scope constructs.Construct, id string, props *BucketProps) awss3.Bucket {
	own := &awss3.BucketProps{
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
	}
	if props.ExpireDays > 0 {
		*own.LifecycleRules = append(*own.LifecycleRules, &awss3.LifecycleRule{
			Id: jsii.String("expire"), Expiration: awscdk.Duration_Days(jsii.Number(props.ExpireDays)),
		})
	}
	if len(props.Origins) > 0 {
		own.Cors = &[]*awss3.CorsRule{{
			AllowedOrigins: jsii.Strings(props.Origins...), AllowedHeaders: jsii.Strings("*"), // of a request that is signed
			AllowedMethods: &[]awss3.HttpMethods{awss3.HttpMethods_GET, awss3.HttpMethods_HEAD, awss3.HttpMethods_PUT, awss3.HttpMethods_POST},
			ExposedHeaders: jsii.Strings("ETag"), MaxAge: jsii.Number(3600),
		}}
	}
	bucket := awss3.NewBucket(scope, jsii.String(id), own)
	retention.Of(props.Env).BackUp(bucket)
	return bucket
}

// ObjectRights are what a role needs to read, write and delete the objects of a bucket, and to look whether one exists.
func ObjectRights(bucketARN string) policy.Document {
	return policy.Of(
		policy.Allow("", policy.List{bucketARN + "/*"},
			"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
		policy.Allow("", policy.List{bucketARN}, "s3:ListBucket"),
	)
}
