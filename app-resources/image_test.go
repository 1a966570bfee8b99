package appresources

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
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

// The accounts of the environments that run the images may pull them, each by the one role; nobody may who runs none, and
// an environment of the same account needs no leave.
func TestImageRepositoryAdmitsCopies(t *testing.T) {
	env := cdktest.Environment(t)
	other, neighbour := env, env
	other.Name, other.Account, neighbour.Name = "production", "333333333333", "stage"
	for name, c := range map[string]struct {
		copies []config.Environment
		want   any
	}{
		"nobody":       {nil, assertions.Match_Absent()},
		"same account": {[]config.Environment{neighbour}, assertions.Match_Absent()},
		"another": {[]config.Environment{neighbour, other}, map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
			"Effect": "Allow", "Action": []any{"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"},
			"Principal": map[string]any{"AWS": "arn:aws:iam::333333333333:root"},
			"Condition": map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": "arn:aws:iam::333333333333:role/production-images"}},
		}}}},
	} {
		t.Run(name, func(t *testing.T) {
			env.ImageCopies = c.copies
			stack := cdktest.Stack(t, env)
			NewImageRepository(stack, "Images", &ImageRepositoryProps{Env: env, App: "shop", KeepImages: 4})
			cdktest.Synthesize(t, stack).Has("AWS::ECR::Repository", map[string]any{"RepositoryPolicyText": c.want})
		})
	}
}
