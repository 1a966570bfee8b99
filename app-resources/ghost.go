// Package appresources is what applications need from AWS: one file per application, made of the reusable parts beside
// it (database, bucket, image repository). Names are agreed, so manifests and policies know them without being told.
package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/podidentity"
)

// Names of Ghost on the Kubernetes side.
const (
	GhostNamespace      = "ghost"
	GhostServiceAccount = "ghost"
	ghost               = "ghost"
)

// Ghost is the stack <environment>-ghost: database, secret, content bucket, image repository, and the role of its pods.
type Ghost struct {
	Stack awscdk.Stack
	// RoleARN is the role that the pods assume; its name is agreed, so this is plain text.
	RoleARN string
	// Name of the application and, after the environment, of its stack.
	Name string
	// Images is the name of its image repository.
	Images string
}

// NewGhost makes Ghost's stack in the environment's stage. It knows no cluster: it is there before the first pod asks for
// it, and outlives the cluster when that is replaced.
func NewGhost(stage constructs.Construct, env config.Environment, network Network) Ghost {
	stack := awscdk.NewStack(stage, jsii.String(ghost), &awscdk.StackProps{
		StackName:             jsii.String(env.StackName(ghost)),
		Description:           jsii.String("What Ghost in " + env.Name + " needs from AWS"),
		TerminationProtection: jsii.Bool(env.DeletionProtection),
	})
	NewMySQL(stack, env, network, ghost, env.Ghost.Database)
	bucket := NewBucket(stack, env, ghost, "content")
	NewImageRepository(stack, env, ghost, env.Ghost.KeepImages)
	awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		RoleName:    jsii.String(env.RoleName(ghost)),
		Description: jsii.String("Ghost's pods in cluster " + env.ClusterName()),
		AssumedBy:   podidentity.Principal(env, GhostNamespace, GhostServiceAccount),
		InlinePolicies: &map[string]awsiam.PolicyDocument{
			"content": contentPolicy(*bucket.BucketArn()),
		},
	})
	return Ghost{
		Stack:   stack,
		Name:    ghost,
		Images:  env.RepositoryName(ghost),
		RoleARN: "arn:" + env.Partition() + ":iam::" + env.Account + ":role/" + env.RoleName(ghost),
	}
}

// contentPolicy is what Ghost's S3 storage adapter does: read, write and delete objects, and look whether one exists.
func contentPolicy(bucketARN string) awsiam.PolicyDocument {
	return awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
			Resources: jsii.Strings(bucketARN + "/*"),
		}),
		awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Actions:   jsii.Strings("s3:ListBucket"),
			Resources: jsii.Strings(bucketARN),
		}),
	}})
}
