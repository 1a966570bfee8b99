package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/pathfilter"
)

// A merge that changes what the programs are built from starts their build, and so does a clock before the bucket forgets them.
// The build writes the one archive and nothing else there.
func TestPrograms(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewPrograms(s.stack, "Programs", &ProgramsProps{Env: s.env, Store: s.store})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Name": "dev-programs", "ExecutionMode": "QUEUED", "Triggers": []any{object(map[string]any{
		"GitConfiguration": object(map[string]any{"Push": []any{object(map[string]any{"Branches": map[string]any{"Includes": []any{s.env.Branch}}})}}),
	})}})
	template.Has("AWS::Events::Rule", map[string]any{"ScheduleExpression": "rate(14 days)", "Targets": []any{object(map[string]any{
		"RoleArn": object(map[string]any{"Fn::GetAtt": []any{pattern("^ProgramsRole"), "Arn"}}),
	})}})
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name": "dev-programs", "Cache": map[string]any{"Type": "NO_CACHE"}, "Environment": object(map[string]any{"Image": ubuntuImage, "ComputeType": "BUILD_GENERAL1_MEDIUM"}),
	})
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{"PolicyName": "programs", "PolicyDocument": object(map[string]any{
		"Statement": list(object(map[string]any{"Sid": "KeepThePrograms", "Action": "s3:PutObject", "Resource": joined("/" + programsArchive)})),
	})})}})
}

// joined is an ARN of the stack's bucket with what follows.
func joined(end string) map[string]any {
	return map[string]any{"Fn::Join": []any{"", []any{object(map[string]any{"Fn::GetAtt": []any{pattern("^StoreArtifacts"), "Arn"}}), end}}}
}

// The patterns are those of the workflow's cache: what a program is made of, and no more.
func TestProgramPaths(t *testing.T) {
	for path, want := range map[string]bool{
		"go.mod": true, "go.sum": true, "local/go.mod": true, "local/platform.yaml": true, "local/npm/package-lock.json": true,
		"local/programs/set/go.mod": true, "local/programs/images.lock": true, "local/endpoint/moto/requirements.txt": true, "package-lock.json": true,
		"k8s/services/shop.yaml": false, "cdk.json": false, "local/README.md": false, "docs/guides/review.md": false,
	} {
		if got, err := pathfilter.Any(programPaths, path); err != nil || got != want {
			t.Errorf("%s starts a build of programs: %t, want %t (%v)", path, got, want, err)
		}
	}
}
