package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/policy"
)

// A project has its names and its rights, on the machine that its props ask for.
func TestProject(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	s.project("check", nil)
	s.project("image", func(p *ProjectProps) {
		p.Arm, p.Docker, p.Variables = true, true, map[string]string{"ARCHITECTURE": "arm64"}
		p.Rights = []policy.Statement{policy.Allow("LogIn", policy.List{"*"}, "ecr:GetAuthorizationToken")}
	})
	template := cdktest.Synthesize(t, s.stack)
	for name, c := range map[string]struct {
		image      string
		privileged bool
		variables  []any
	}{
		"check": {x86Image, false, []any{variable("ENVIRONMENT", "dev")}},
		"image": {armImage, true, []any{variable("ARCHITECTURE", "arm64"), variable("ENVIRONMENT", "dev")}},
	} {
		template.Has("AWS::CodeBuild::Project", map[string]any{
			"Name": "dev-" + name, "TimeoutInMinutes": 10,
			"Environment": object(map[string]any{"Image": c.image, "PrivilegedMode": c.privileged, "EnvironmentVariables": list(c.variables...)}),
		})
		template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/dev/delivery/" + name, "RetentionInDays": s.env.Delivery.LogDays})
	}
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
		"PolicyName": "image", "PolicyDocument": object(map[string]any{"Statement": list(
			object(map[string]any{"Sid": "WriteItsLog", "Resource": s.env.ARN("logs", "log-group:/dev/delivery/image:*")}),
			object(map[string]any{"Sid": "LogIn"}),
		)}),
	})}})
}

// variable is a build's variable in a template.
func variable(name, value string) map[string]any {
	return map[string]any{"Name": name, "Type": "PLAINTEXT", "Value": value}
}

// A build in a VPC keeps nothing on its machine: https://docs.aws.amazon.com/codebuild/latest/userguide/caching-local.html. Nor does
// one that a pull request's code could leave something to.
func TestProjectCache(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	s.project("check", nil)
	s.project("inside", func(p *ProjectProps) { p.VPC = vpc(s.stack) })
	s.project("laboratory", func(p *ProjectProps) { p.Laboratory = true })
	template := cdktest.Synthesize(t, s.stack)
	for name, kind := range map[string]string{"check": "LOCAL", "inside": "NO_CACHE", "laboratory": "NO_CACHE"} {
		template.Has("AWS::CodeBuild::Project", map[string]any{"Name": "dev-" + name, "Cache": object(map[string]any{"Type": kind})})
	}
}
