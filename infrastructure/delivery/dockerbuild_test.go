package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// Both architectures build side by side, privileged, and push to the one repository; what gives the tag is neither.
func TestDockerbuild(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewDockerbuild(s.stack, "Dockerbuild", &DockerbuildProps{Env: s.env, Store: s.store, Notifications: s.told, Image: "dev/shop"})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Name": "dev-dockerbuild", "Stages": []any{
		object(map[string]any{"Name": "Source"}),
		object(map[string]any{"Name": "Build", "Actions": []any{object(map[string]any{"Name": "arm64", "RunOrder": 1}), object(map[string]any{"Name": "amd64", "RunOrder": 1})}}),
		object(map[string]any{"Name": "Publish"}),
	}})
	for name, image := range map[string]string{"image-arm64": armImage, "image-amd64": x86Image, "image-publish": x86Image} {
		docker := name != "image-publish"
		template.Has("AWS::CodeBuild::Project", map[string]any{
			"Name":        "dev-" + name,
			"Environment": object(map[string]any{"Image": image, "PrivilegedMode": docker, "EnvironmentVariables": list(variable("IMAGE_REPOSITORY", "dev/shop"))}),
		})
		sid := map[bool]string{true: "PushToOneRepository", false: "TagInOneRepository"}[docker]
		template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
			"PolicyName": name, "PolicyDocument": object(map[string]any{"Statement": list(object(map[string]any{"Sid": sid, "Resource": s.env.ARN("ecr", "repository/dev/shop")}))}),
		})}})
	}
}
