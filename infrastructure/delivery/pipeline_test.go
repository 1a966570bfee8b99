package delivery

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// Each trigger starts its pipeline in its way.
func TestPipelineTriggers(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	stages := []Stage{{Name: "Build", Actions: []Action{{Name: "Build", Project: s.project("build", nil)}}}}
	branch := map[string]any{"Includes": []any{s.env.Branch}}
	cases := map[string]struct {
		trigger Trigger
		mode    string
		want    map[string]any
	}{
		"paths":  {Trigger{Paths: []string{"a/**"}}, "QUEUED", map[string]any{"Push": []any{map[string]any{"Branches": branch, "FilePaths": map[string]any{"Includes": []any{"a/**"}}}}}},
		"tags":   {Trigger{Tags: []string{"v*"}}, "QUEUED", map[string]any{"Push": []any{map[string]any{"Tags": map[string]any{"Includes": []any{"v*"}}}}}},
		"review": {Trigger{PullRequests: true}, "PARALLEL", map[string]any{"PullRequest": []any{map[string]any{"Branches": branch, "Events": []any{"OPEN", "UPDATED"}}}}},
	}
	for name, c := range cases {
		NewPipeline(s.stack, name, &PipelineProps{Env: s.env, Store: s.store, Name: name, Trigger: c.trigger, Stages: stages})
	}
	template := cdktest.Synthesize(t, s.stack)
	for name, c := range cases {
		template.Has("AWS::CodePipeline::Pipeline", map[string]any{
			"Name": "dev-" + name, "ExecutionMode": c.mode, "Triggers": []any{object(map[string]any{"GitConfiguration": object(c.want)})},
		})
	}
}

// The role starts the builds of the stages and no others, and asks for approvals where there are some; variables, namespaces
// and orders arrive.
func TestPipelineStages(t *testing.T) {
	s := newShared(t, cdktest.Environment(t))
	build, diff := s.project("build", nil), s.project("diff", nil)
	s.project("unused", nil)
	NewPipeline(s.stack, "Pipeline", &PipelineProps{
		Env: s.env, Store: s.store, Notifications: s.told, Name: "other", Trigger: Trigger{Paths: []string{"a"}},
		Stages: []Stage{
			{Name: "Approve", Actions: []Action{
				{Name: "Diff", Project: diff, Namespace: "Difference"},
				{Name: "Approve", Order: 2, Approval: &Approval{Text: "Read it.", Link: "#{Difference.URL}"}},
			}},
			{Name: "Build", Actions: []Action{{Name: "One", Project: build, Variables: map[string]string{"A": "b"}}, {Name: "Two", Project: build}}},
		},
	})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodePipeline::Pipeline", map[string]any{"Stages": list(
		object(map[string]any{"Name": "Approve", "Actions": list(
			object(map[string]any{"Name": "Diff", "RunOrder": 1, "Namespace": "Difference"}),
			object(map[string]any{"Name": "Approve", "RunOrder": 2, "Configuration": object(map[string]any{"ExternalEntityLink": "#{Difference.URL}"})}),
		)}),
		object(map[string]any{"Name": "Build", "Actions": list(
			object(map[string]any{"Name": "One", "Configuration": object(map[string]any{"EnvironmentVariables": `[{"name":"A","type":"PLAINTEXT","value":"b"}]`})}),
		)}),
	)})
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
		"PolicyName": "pipeline-other", "PolicyDocument": object(map[string]any{"Statement": list(
			object(map[string]any{"Sid": "StartBuilds", "Resource": []any{s.env.ARN("codebuild", "project/dev-build"), s.env.ARN("codebuild", "project/dev-diff")}}),
			object(map[string]any{"Sid": "AskForApproval", "Action": "sns:Publish"}),
		)}),
	})}})
	template.Has("AWS::CloudWatch::Alarm", map[string]any{"AlarmName": "dev-other-failed"})
}
