package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The rule hears of one pipeline and starts the build with the id of the execution; the build clones what Flux follows.
func TestReport(t *testing.T) {
	for _, gate := range []bool{true, false} {
		env := cdktest.Environment(t)
		env.Delivery.Gate = gate
		s := newShared(t, env)
		NewReport(s.stack, "Report", &ReportProps{Env: s.env, Store: s.store, Pipeline: "deploy"})
		template := cdktest.Synthesize(t, s.stack)
		branch := map[bool]string{true: "released/dev", false: env.Branch}[gate]
		template.Has("AWS::CodeBuild::Project", map[string]any{
			"Name": "dev-report", "SourceVersion": branch, "Artifacts": map[string]any{"Type": "NO_ARTIFACTS"},
			"Source": map[string]any{
				"Type": "GITHUB", "Location": env.Repository.URL(), "GitCloneDepth": 1, "BuildSpec": reportBuildspec,
				"Auth": map[string]any{"Type": "CODECONNECTIONS", "Resource": env.Delivery.ConnectionARN},
			},
			"Environment": object(map[string]any{"ComputeType": "BUILD_GENERAL1_SMALL", "EnvironmentVariables": list(variable("REVIEW_TOKEN_SECRET", "/dev/gitops/review-token"))}),
		})
		template.Has("AWS::Events::Rule", map[string]any{
			"EventPattern": map[string]any{
				"source": []any{"aws.codepipeline"}, "detail-type": []any{"CodePipeline Pipeline Execution State Change"},
				"detail": map[string]any{"pipeline": []any{"dev-deploy"}, "state": list("STARTED", "SUCCEEDED", "FAILED", "SUPERSEDED")},
			},
			"Targets": []any{object(map[string]any{
				"Arn":     object(map[string]any{"Fn::GetAtt": []any{pattern("^ReportBuildProject"), "Arn"}}),
				"RoleArn": object(map[string]any{"Fn::GetAtt": []any{pattern("^ReportRole"), "Arn"}}),
				"InputTransformer": map[string]any{
					"InputPathsMap": map[string]any{"detail-execution-id": "$.detail.execution-id"},
					"InputTemplate": `{"environmentVariablesOverride":[{"name":"EXECUTION","type":"PLAINTEXT","value":<detail-execution-id>}]}`,
				},
			})},
		})
		template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
			"PolicyName": "start-report", "PolicyDocument": object(map[string]any{"Statement": []any{map[string]any{
				"Sid": "StartTheBuild", "Effect": "Allow", "Action": "codebuild:StartBuild", "Resource": env.ARN("codebuild", "project/dev-report"),
			}}}),
		})}})
	}
}
