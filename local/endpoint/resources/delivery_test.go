package resources

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codepipeline"
)

// service makes a role that an AWS service assumes, and returns its ARN.
func (s *stack) service(id, principal string) any {
	s.create("AWS::IAM::Role", id, Properties{"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{
		map[string]any{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": map[string]any{"Service": principal}},
	}}})
	return s.att(id, "Arn")
}

// pipelineOf is a pipeline as its template has it, with a branch.
func pipelineOf(role any, branch string) Properties {
	artifact := []any{map[string]any{"Name": "Source"}}
	return Properties{
		"Name": "test-infrastructure", "PipelineType": "V2", "ExecutionMode": "QUEUED", "RestartExecutionOnUpdate": true, "RoleArn": role,
		"ArtifactStore": map[string]any{"Type": "S3", "Location": "artifacts", "EncryptionKey": map[string]any{"Id": "key", "Type": "KMS"}},
		"Stages": []any{
			map[string]any{"Name": "Source", "Actions": []any{map[string]any{
				"Name": "Source", "Namespace": "Source", "RunOrder": 1.0, "OutputArtifacts": artifact,
				"ActionTypeId":  map[string]any{"Category": "Source", "Owner": "AWS", "Provider": "CodeStarSourceConnection", "Version": "1"},
				"Configuration": map[string]any{"BranchName": branch, "DetectChanges": false},
			}}},
			map[string]any{"Name": "Deploy", "Actions": []any{map[string]any{
				"Name": "Deploy", "RunOrder": 1.0, "InputArtifacts": artifact,
				"ActionTypeId":  map[string]any{"Category": "Build", "Owner": "AWS", "Provider": "CodeBuild", "Version": "1"},
				"Configuration": map[string]any{"ProjectName": "test-deploy", "EnvironmentVariables": "[]"},
			}}, "BeforeEntry": map[string]any{"Conditions": []any{map[string]any{"Result": "SKIP", "Rules": []any{map[string]any{
				"Name": "Changed", "RuleTypeId": map[string]any{"Category": "Rule", "Owner": "AWS", "Provider": "VariableCheck", "Version": "1"},
				"Configuration": map[string]any{"Variable": "#{Source.BranchName}", "Operator": "EQ", "Value": branch},
			}}}}}},
		},
		"Triggers": []any{map[string]any{"ProviderType": "CodeStarSourceConnection", "GitConfiguration": map[string]any{
			"SourceActionName": "Source",
			"Push":             []any{map[string]any{"Branches": map[string]any{"Includes": []any{branch}}, "FilePaths": map[string]any{"Includes": []any{"config/**"}}}},
		}}},
		"Tags": tags("a", "1"),
	}
}

// The API returns the whole definition, which is what a local runner executes.
func TestPipeline(t *testing.T) {
	s := newStack(t)
	role := s.service("PipelineRole", "codepipeline.amazonaws.com")
	old := pipelineOf(role, "main")
	name := s.create("AWS::CodePipeline::Pipeline", "Pipeline", old)
	if err := s.update("AWS::CodePipeline::Pipeline", "Pipeline", old, pipelineOf(role, "production").without("Tags")); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.pipelines().GetPipeline(t.Context(), &codepipeline.GetPipelineInput{Name: &name})
	if err != nil {
		t.Fatal(err)
	}
	p := out.Pipeline
	if p.ExecutionMode != "QUEUED" || p.PipelineType != "V2" || len(p.Stages) != 2 || aws.ToInt32(p.Version) != 2 {
		t.Errorf("pipeline: %+v", p)
	}
	source := p.Stages[0].Actions[0]
	if source.Configuration["BranchName"] != "production" || source.Configuration["DetectChanges"] != "false" || aws.ToString(source.Namespace) != "Source" {
		t.Errorf("source: %+v", source)
	}
	if entry := p.Stages[1].BeforeEntry; entry == nil || entry.Conditions[0].Result != "SKIP" || entry.Conditions[0].Rules[0].Configuration["Value"] != "production" {
		t.Errorf("entry: %+v", entry)
	}
	push := p.Triggers[0].GitConfiguration.Push[0]
	if push.Branches.Includes[0] != "production" || push.FilePaths.Includes[0] != "config/**" {
		t.Errorf("trigger: %+v", push)
	}
}

func TestProject(t *testing.T) {
	s := newStack(t)
	of := func(value string) Properties {
		return Properties{
			"Name": "test-deploy", "Description": "cdk deploy", "ServiceRole": s.results["BuildRole"].Attributes["Arn"], "EncryptionKey": "key",
			"Artifacts": map[string]any{"Type": "CODEPIPELINE"}, "Source": map[string]any{"Type": "CODEPIPELINE", "BuildSpec": "buildspec.yml"},
			"Cache":      map[string]any{"Type": "LOCAL", "Modes": []any{"LOCAL_CUSTOM_CACHE"}},
			"LogsConfig": map[string]any{"CloudWatchLogs": map[string]any{"Status": "ENABLED", "GroupName": "logs"}},
			"Environment": map[string]any{
				"Type": "LINUX_CONTAINER", "ComputeType": "BUILD_GENERAL1_SMALL", "Image": "image", "PrivilegedMode": false, "ImagePullCredentialsType": "CODEBUILD",
				"EnvironmentVariables": []any{map[string]any{"Name": "ENVIRONMENT", "Type": "PLAINTEXT", "Value": value}},
			},
			"TimeoutInMinutes": 60.0, "QueuedTimeoutInMinutes": 480.0,
			"VpcConfig": map[string]any{"VpcId": "vpc-1", "Subnets": []any{"subnet-1"}, "SecurityGroupIds": []any{"sg-1"}},
		}
	}
	s.service("BuildRole", "codebuild.amazonaws.com")
	old := of("dev")
	name := s.create("AWS::CodeBuild::Project", "Project", old)
	if err := s.update("AWS::CodeBuild::Project", "Project", old, of("local")); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.builds().BatchGetProjects(t.Context(), &codebuild.BatchGetProjectsInput{Names: []string{name}})
	if err != nil || len(out.Projects) != 1 {
		t.Fatalf("projects: %+v (%v)", out, err)
	}
	p := out.Projects[0]
	if aws.ToString(p.Source.Buildspec) != "buildspec.yml" || p.VpcConfig == nil || aws.ToString(p.VpcConfig.VpcId) != "vpc-1" || len(p.VpcConfig.Subnets) != 1 || len(p.Environment.EnvironmentVariables) != 1 || aws.ToString(p.Environment.EnvironmentVariables[0].Value) != "local" {
		t.Errorf("project: %+v", p)
	}
	// One that a rule starts clones a branch of its own.
	own := of("local").without("Artifacts", "Source")
	own["Name"], own["SourceVersion"], own["Artifacts"] = "test-report", "released/test", map[string]any{"Type": "NO_ARTIFACTS"}
	own["Source"] = map[string]any{
		"Type": "GITHUB", "Location": "https://github.com/me/platform.git", "GitCloneDepth": 1.0, "BuildSpec": "report.yml",
		"Auth": map[string]any{"Type": "CODECONNECTIONS", "Resource": "arn:aws:codeconnections:eu-west-1:000000000000:connection/1"},
	}
	own["Triggers"] = map[string]any{"Webhook": true, "FilterGroups": []any{[]any{map[string]any{"Type": "EVENT", "Pattern": "PUSH"}}}}
	second := map[string]any{"Type": "GITHUB", "Location": "https://github.com/me/second.git", "SourceIdentifier": "second"}
	own["SecondarySources"], own["SecondarySourceVersions"] = []any{second}, []any{map[string]any{"SourceIdentifier": "second", "SourceVersion": "main"}}
	name = s.create("AWS::CodeBuild::Project", "Report", own)
	out, err = s.services.builds().BatchGetProjects(t.Context(), &codebuild.BatchGetProjectsInput{Names: []string{name}})
	if err != nil || len(out.Projects) != 1 || aws.ToString(out.Projects[0].SourceVersion) != "released/test" || out.Projects[0].Source.Type != "GITHUB" {
		t.Errorf("projects: %+v (%v)", out, err)
	}
}
