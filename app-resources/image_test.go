package appresources

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// A repository keeps whole images: an index and one for each architecture.
func TestImageRepository(t *testing.T) {
	for _, protected := range []bool{false, true} {
		env := cdktest.Environment(t)
		env.DeletionProtection = protected
		stack := cdktest.Stack(t, env)
		NewImageRepository(stack, "Images", &ImageRepositoryProps{Env: env, App: "shop", KeepImages: 4})
		template := cdktest.Synthesize(t, stack)
		template.Has("AWS::ECR::Repository", map[string]any{
			"RepositoryName": "dev/shop", "ImageTagMutability": "IMMUTABLE", "EmptyOnDelete": !protected,
			"LifecyclePolicy": map[string]any{"LifecyclePolicyText": assertions.Match_StringLikeRegexp(jsii.String(`"countNumber":12\b`))},
		})
		template.Keeps("AWS::ECR::Repository", protected)
	}
}
