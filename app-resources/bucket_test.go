package appresources

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// A bucket has its agreed name, and is kept where the environment is protected.
func TestBucket(t *testing.T) {
	for _, protected := range []bool{false, true} {
		env := cdktest.Environment(t)
		env.DeletionProtection = protected
		stack := cdktest.Stack(t, env)
		NewBucket(stack, "Uploads", &BucketProps{Env: env, App: "shop", Thing: "uploads"})
		template := cdktest.Synthesize(t, stack)
		template.Has("AWS::S3::Bucket", map[string]any{
			"BucketName":              "dev-shop-uploads-" + env.Account + "-" + env.Region,
			"VersioningConfiguration": map[string]any{"Status": "Enabled"},
			"PublicAccessBlockConfiguration": map[string]any{
				"BlockPublicAcls": true, "BlockPublicPolicy": true, "IgnorePublicAcls": true, "RestrictPublicBuckets": true,
			},
		})
		template.Keeps("AWS::S3::Bucket", protected)
	}
}
