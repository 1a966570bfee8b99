package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/retention"
)

// artifactDays is how long artifacts are kept: an approval can wait for 7 days, a retry a little longer. A rollback uses those
// of the last commit that was verified, for as long as CodePipeline knows its execution, 12 months:
// https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html
func artifactDays(env config.Environment) float64 {
	if env.RollsBack() {
		return 365
	}
	return 30
}

// StoreProps says whose store it is. The environment's name is in the alias of the key.
type StoreProps struct {
	Env config.Environment
}

// Store is what the pipelines of an environment keep their artifacts in.
type Store struct {
	constructs.Construct
	construct.Part
	// Key encrypts artifacts, builds, their logs and the notifications. CloudWatch Logs may use it.
	Key awskms.Key
	// Artifacts is the bucket through which a pipeline hands the source from stage to stage.
	Artifacts awss3.Bucket
}

// NewStore makes the key, under alias/<environment>/delivery, and the bucket, which forgets artifacts after a while.
func NewStore(scope constructs.Construct, id string, props *StoreProps) *Store {
	s, keep := &Store{}, retention.Of(props.Env)
	construct.Init(s, scope, id)
	s.Key = keep.Key(s, "Key", props.Env.Name+"/delivery", "Pipelines of "+props.Env.Name)
	retention.AllowLogs(s.Key)
	s.Artifacts = awss3.NewBucket(s, jsii.String("Artifacts"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_KMS,
		EncryptionKey:     s.Key,
		BucketKeyEnabled:  jsii.Bool(true),
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         jsii.Bool(true), // CodePipeline names artifacts by version
		RemovalPolicy:     keep.Data(),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("expire"),
			Expiration:                          awscdk.Duration_Days(jsii.Number(artifactDays(props.Env))),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(1)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
	})
	return s
}
