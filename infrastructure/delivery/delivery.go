// Package delivery is the stack <environment>-delivery: the pipelines that deploy the environment when a pull request is
// merged, and the review that a pull request gets before.
//
// Everything that runs may do what it needs and no more: the policies in policies.go are written out, and CDK adds
// nothing to them.
package delivery

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodebuild"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// artifactDays is how long sources are kept between stages: an approval can wait for 7 days, a retry a little longer.
const artifactDays = 30

// Props is what the pipelines of an environment need from outside.
type Props struct {
	Env config.Environment
	// Image is the ECR repository that the image pipeline pushes to, by its agreed name.
	Image string
	// Applications are the names of the stacks that the app-resources pipeline deploys, without the environment.
	Applications []string
}

// Delivery is the stack with the pipelines of an environment.
type Delivery struct {
	Stack awscdk.Stack

	env       config.Environment
	image     string
	keep      retention.Policy
	policies  policies
	key       awskms.Key
	artifacts awss3.Bucket
	topic     awssns.Topic
	projects  map[string]awscodebuild.IProject
}

// New makes the delivery stack in the environment's stage. It depends on no other stack, so that it can be deployed
// first and repair the others.
func New(stage constructs.Construct, props Props) *Delivery {
	env := props.Env
	stack := awscdk.NewStack(stage, jsii.String("delivery"), &awscdk.StackProps{
		StackName:             jsii.String(env.StackName("delivery")),
		Description:           jsii.String("Pipelines of " + env.Name + ": deploy on merge, review of pull requests"),
		TerminationProtection: jsii.Bool(env.DeletionProtection),
	})
	d := &Delivery{
		Stack:    stack,
		env:      env,
		image:    props.Image,
		keep:     retention.Policy{Protected: env.DeletionProtection},
		projects: map[string]awscodebuild.IProject{},
	}
	d.store()
	d.assets()
	d.policies = policies{
		env: env, qualifier: qualifier(stack), image: props.Image,
		bucket: *d.artifacts.BucketArn(), key: *d.key.KeyArn(),
	}
	d.notifications()
	d.pipelines(props.Applications)
	return d
}

// qualifier is the one that `cdk bootstrap` gave to its roles.
func qualifier(stack awscdk.Stack) string {
	if own, ok := stack.Node().TryGetContext(jsii.String("@aws-cdk/core:bootstrapQualifier")).(string); ok {
		return own
	}
	return *awscdk.DefaultStackSynthesizer_DEFAULT_QUALIFIER()
}

// store makes the bucket through which a pipeline hands the source from stage to stage, and the key that encrypts it, the
// builds and the notifications.
func (d *Delivery) store() {
	d.key = awskms.NewKey(d.Stack, jsii.String("Key"), &awskms.KeyProps{
		Alias:             jsii.String(d.env.Name + "/delivery"),
		Description:       jsii.String("Pipelines of " + d.env.Name),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     d.keep.Data(),
	})
	d.artifacts = awss3.NewBucket(d.Stack, jsii.String("Artifacts"), &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		Encryption:        awss3.BucketEncryption_KMS,
		EncryptionKey:     d.key,
		BucketKeyEnabled:  jsii.Bool(true),
		EnforceSSL:        jsii.Bool(true),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		Versioned:         jsii.Bool(true), // CodePipeline names artifacts by version
		RemovalPolicy:     d.keep.Data(),
		LifecycleRules: &[]*awss3.LifecycleRule{{
			Id:                                  jsii.String("expire"),
			Expiration:                          awscdk.Duration_Days(jsii.Number(artifactDays)),
			NoncurrentVersionExpiration:         awscdk.Duration_Days(jsii.Number(1)),
			AbortIncompleteMultipartUploadAfter: awscdk.Duration_Days(jsii.Number(1)),
		}},
	})
}

// assets makes the bucket with the services' static files. It is here and not with the cluster because only the pipeline
// of this stack writes it, from Git, and because a cluster can then be replaced while the files stay. It is encrypted by
// S3 and not by this stack's key, so that whoever reads the files, a pod or a CloudFront distribution, needs a right to
// them and none to the key of the pipelines.
func (d *Delivery) assets() {
	bucket := appresources.NewBucket(d.Stack, d.env, "services", "assets")
	bucket.AddLifecycleRule(&awss3.LifecycleRule{
		// What is left of a removed file once its versions are gone; enough of them slow down a list.
		Id: jsii.String("forget-removed"), ExpiredObjectDeleteMarker: jsii.Bool(true),
	})
}

// role makes a role with exactly the given policy: what CDK's constructs grant to it on their own is left out, because
// they grant by wildcard.
func (d *Delivery) role(id, service, description string, policy policy) awsiam.IRole {
	account := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": d.env.Account}}
	role := awsiam.NewRole(d.Stack, jsii.String("Role-"+id), &awsiam.RoleProps{
		Description:    jsii.String(description),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String(service), &awsiam.ServicePrincipalOpts{Conditions: &account}),
		InlinePolicies: &map[string]awsiam.PolicyDocument{id: awsiam.PolicyDocument_FromJson(policy.document())},
	})
	return role.WithoutPolicyUpdates(nil)
}

// arn makes an ARN in the environment's account and region.
func (d *Delivery) arn(service, resource string) string {
	return policies{env: d.env}.arn(service, resource)
}
