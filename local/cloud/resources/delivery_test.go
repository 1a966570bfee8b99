package resources

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
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
			}}},
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
	if aws.ToString(p.Source.Buildspec) != "buildspec.yml" || len(p.Environment.EnvironmentVariables) != 1 || aws.ToString(p.Environment.EnvironmentVariables[0].Value) != "local" {
		t.Errorf("project: %+v", p)
	}
}

func TestAlarmOfEvents(t *testing.T) {
	s := newStack(t)
	s.create("AWS::Logs::LogGroup", "Events", Properties{"LogGroupName": "/aws/events/test-delivery"})
	s.create("AWS::Logs::ResourcePolicy", "Policy", Properties{"PolicyName": "test-events", "PolicyDocument": document("logs:PutLogEvents")})
	filter := func(value string) Properties {
		return Properties{"LogGroupName": "/aws/events/test-delivery", "FilterPattern": `{ $.detail.state = "FAILED" }`, "MetricTransformations": []any{map[string]any{
			"MetricName": "Failed", "MetricNamespace": "test/delivery", "MetricValue": value, "Dimensions": []any{map[string]any{"Key": "Pipeline", "Value": "$.detail.pipeline"}},
		}}}
	}
	name := s.create("AWS::Logs::MetricFilter", "Filter", filter("1"))
	if err := s.update("AWS::Logs::MetricFilter", "Filter", filter("1"), filter("2")); err != nil {
		t.Fatal(err)
	}
	filters, err := s.services.logs().DescribeMetricFilters(t.Context(), &cloudwatchlogs.DescribeMetricFiltersInput{FilterNamePrefix: &name})
	if err != nil || len(filters.MetricFilters) != 1 || aws.ToString(filters.MetricFilters[0].MetricTransformations[0].MetricValue) != "2" ||
		filters.MetricFilters[0].MetricTransformations[0].Dimensions["Pipeline"] != "$.detail.pipeline" {
		t.Errorf("filters: %+v (%v)", filters, err)
	}
	of := func(period float64) Properties {
		return Properties{
			"AlarmName": "test-failed", "Namespace": "test/delivery", "MetricName": "Failed", "Statistic": "Maximum", "Period": period, "EvaluationPeriods": 1.0,
			"Threshold": 1.0, "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "ignore", "AlarmActions": []any{"arn:topic"}, "OKActions": []any{"arn:topic"},
			"Dimensions": []any{map[string]any{"Name": "Pipeline", "Value": "test"}},
		}
	}
	alarm := s.create("AWS::CloudWatch::Alarm", "Alarm", of(60))
	if err := s.update("AWS::CloudWatch::Alarm", "Alarm", of(60), of(120)); err != nil {
		t.Fatal(err)
	}
	out, err := s.services.alarms().DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{alarm}})
	if err != nil || len(out.MetricAlarms) != 1 || aws.ToInt32(out.MetricAlarms[0].Period) != 120 || len(out.MetricAlarms[0].OKActions) != 1 {
		t.Errorf("alarms: %+v (%v)", out, err)
	}
}

// Every type and property of the local environment's templates is known: a template that the local CloudFormation refuses
// is found here, and not minutes later.
func TestTemplatesAreKnown(t *testing.T) {
	names, err := filepath.Glob("../../../testdata/templates/local-*.json")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, name := range names {
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties map[string]any
			}
		}
		content, err := os.ReadFile(name)
		if err == nil {
			err = json.Unmarshal(content, &template)
		}
		if err != nil {
			t.Fatal(err)
		}
		for id, r := range template.Resources {
			kind, known := Lookup(r.Type)
			if strings.HasPrefix(r.Type, "Custom::") { // applied to the cluster by another package
				continue
			}
			if !known {
				t.Errorf("%s: %s is a %s, which has no handler", filepath.Base(name), id, r.Type)
				continue
			}
			for property := range r.Properties {
				if kind.Properties != nil && !contains(kind.Properties, property) {
					t.Errorf("%s: %s: the handler of %s does not know %s", filepath.Base(name), id, r.Type, property)
				}
			}
		}
	}
}
