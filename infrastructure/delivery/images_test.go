package delivery

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// copying is an environment that runs the images of another one, in another account and region.
func copying(t *testing.T) config.Environment {
	t.Helper()
	env := cdktest.Environment(t)
	source := env
	source.Name, source.Account, source.Region = "integration", "222222222222", "eu-central-1"
	env.ImageSource, env.Delivery.ImagesFrom = &source, source.Name
	return env
}

// The images come when their repositories are there and before Flux applies what names them, on either way. Their build has
// the agreed role, which pulls from the repositories of the source and pushes to its own.
func TestImages(t *testing.T) {
	for name, gate := range map[string]bool{"gate": true, "no gate": false} {
		t.Run(name, func(t *testing.T) {
			env := copying(t)
			env.Delivery.Gate = gate
			s := newShared(t, env)
			NewDeployment(s.stack, "Deployment", &DeploymentProps{Env: env, Store: s.store, Notifications: s.told, Repositories: []string{"shop"}, VPC: vpc(s.stack)})
			releases := rule("#{Plan.RELEASE}", "yes")
			images := object(map[string]any{"Name": "Images", "RunOrder": 1, "InputArtifacts": artifacts("Plan")})
			named := func(name string) any { return object(map[string]any{"Name": name}) }
			stages := []any{named("Source"), named("Plan"), named("Test")}
			if gate {
				stages = append(stages, stage("KubernetesFirst", []any{rule("#{Plan.FIRST}", "kubernetes"), releases}, assertions.Match_Absent(), images,
					object(map[string]any{"Name": "Release", "RunOrder": 2}), object(map[string]any{"Name": "Verify", "RunOrder": 3})))
			}
			stages = append(stages, named("Network"), named("Applications"), named("Cluster"), named("Delivery"), stage("Images", []any{releases}, assertions.Match_Absent(), images))
			if gate {
				stages = append(stages, named("Release"))
			}
			template := cdktest.Synthesize(t, s.stack)
			template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Stages": stages})
			template.Has("AWS::IAM::Role", map[string]any{"RoleName": "dev-images", "Policies": []any{object(map[string]any{
				"PolicyDocument": object(map[string]any{"Statement": list(
					object(map[string]any{"Sid": "PullFromTheSource", "Resource": "arn:aws:ecr:eu-central-1:222222222222:repository/integration/shop"}),
					object(map[string]any{"Sid": "PushWhatIsMissing", "Resource": env.ARN("ecr", "repository/dev/shop")}),
				)}),
			})}})
		})
	}
}

// A merge that changes the images alone starts a deployment, also where Flux follows the branch.
func TestImagesStartADeployment(t *testing.T) {
	env := copying(t)
	env.Delivery.Gate = false
	if paths := deployPaths(env, false); paths[len(paths)-1] != config.ManifestPaths {
		t.Errorf("got %v", paths)
	}
}

// Who runs another's images builds none.
func TestNoDockerbuild(t *testing.T) {
	env := copying(t)
	stack := cdktest.Stack(t, env)
	NewDelivery(stack, "Delivery", &DeliveryProps{Env: env, Image: "dev/shop", Repositories: []string{"shop"}, VPC: vpc(stack)})
	template := cdktest.Synthesize(t, stack)
	template.Count("AWS::CodePipeline::Pipeline", 3) // deployment, services, review
	template.Count("AWS::CloudWatch::Alarm", 3)
	template.Has("AWS::IAM::Role", map[string]any{"RoleName": "dev-images"})
}
