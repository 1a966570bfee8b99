package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// A review compares with the environment's branch, reads its own token, and has no alarm.
func TestReview(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	NewReview(s.stack, "Review", &ReviewProps{Env: s.env, Store: s.store})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Name": "dev-review", "ExecutionMode": "PARALLEL", "Stages": list(
		object(map[string]any{"Actions": []any{object(map[string]any{"Configuration": object(map[string]any{"OutputArtifactFormat": "CODEBUILD_CLONE_REF"})})}}),
	)})
	template.Has("AWS::CodeBuild::Project", map[string]any{"Name": "dev-review", "Environment": object(map[string]any{
		"EnvironmentVariables": list(variable("REVIEW_BASE", "origin/"+s.env.Branch)),
	})})
	template.Has("AWS::CodeBuild::Project", map[string]any{"Environment": object(map[string]any{
		"EnvironmentVariables": list(variable("REVIEW_TOKEN_SECRET", "/dev/gitops/review-token")),
	})})
	template.Count("AWS::CloudWatch::Alarm", 0)
}
