package delivery

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A schedule starts the build, which clones what Flux follows, asks the cluster from inside the VPC as one of a group that lists
// objects, and remembers in the pipelines' bucket.
func TestDrift(t *testing.T) {
	env := cdktest.Environment(t)
	env.Drift.Schedule = "cron(0 5 * * ? *)"
	s := newShared(t, env)
	NewDrift(s.stack, "Drift", &DriftProps{Env: env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack)})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name": "dev-drift", "SourceVersion": "released/dev", "Source": object(map[string]any{"Type": "GITHUB", "BuildSpec": driftBuildspec}),
		"VpcConfig": object(map[string]any{"VpcId": "vpc-1", "Subnets": []any{"subnet-1", "subnet-2"}}),
		"Environment": object(map[string]any{"EnvironmentVariables": list(object(map[string]any{
			"Name": "MEMORY_BUCKET", "Value": map[string]any{"Ref": pattern("^StoreArtifacts")},
		}))}),
	})
	template.Has("AWS::Events::Rule", map[string]any{
		"ScheduleExpression": env.Drift.Schedule, "EventPattern": assertions.Match_Absent(), "State": "ENABLED",
		"Targets": []any{object(map[string]any{"Arn": object(map[string]any{"Fn::GetAtt": []any{pattern("^DriftBuildProject"), "Arn"}})})},
	})
	template.Has("AWS::EKS::AccessEntry", map[string]any{
		"ClusterName": env.ClusterName(), "KubernetesGroups": []any{config.DriftGroup}, "AccessPolicies": assertions.Match_Absent(),
		"PrincipalArn": map[string]any{"Fn::GetAtt": []any{pattern("^DriftBuildRole"), "Arn"}},
	})
	template.Has("AWS::CloudWatch::Alarm", map[string]any{"AlarmName": "dev-drift-failed", "MetricName": driftMetric, "TreatMissingData": "ignore"})
	for value, operator := range map[string]string{"0": "=", "1": "!="} {
		template.Has("AWS::Logs::MetricFilter", map[string]any{
			"FilterPattern":         `{ ($.source = "aws.codebuild") && ($.detail.project-name = "dev-drift") && ($.detail.build-status ` + operator + ` "SUCCEEDED") }`,
			"MetricTransformations": []any{object(map[string]any{"MetricName": driftMetric, "MetricValue": value})},
		})
	}
}

// The environment decides whether it is watched.
func TestWatched(t *testing.T) {
	for schedule, projects := range map[string]int{"rate(1 day)": 1, config.DriftOff: 0} {
		env := cdktest.Environment(t)
		env.Drift.Schedule = schedule
		stack := cdktest.Stack(t, env)
		NewDelivery(stack, "Delivery", &DeliveryProps{Env: env, Image: "dev/ghost", VPC: vpc(stack)})
		found := *cdktest.Synthesize(t, stack).FindResources(jsii.String("AWS::CodeBuild::Project"), map[string]any{"Properties": map[string]any{"Name": "dev-drift"}})
		if len(found) != projects {
			t.Errorf("%s: %d projects look for drift, want %d", schedule, len(found), projects)
		}
	}
}

// The guide lists the rights that the role has.
func TestGuideListsTheRights(t *testing.T) {
	guide, err := os.ReadFile("../../docs/guides/drift.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "\n## Rights\n")
	_, rest, _ = strings.Cut(rest, "```text\n")
	block, _, _ := strings.Cut(rest, "```")
	var listed, granted []string
	service := ""
	for _, word := range regexp.MustCompile(`([a-z]+:)?[A-Z]\w+`).FindAllString(block, -1) {
		if before, name, named := strings.Cut(word, ":"); named {
			service, word = before, name
		}
		listed = append(listed, service+":"+word)
	}
	for _, s := range DriftRights(cdktest.Environment(t)) {
		if !slices.Equal(s.Action, DetectionReads()) {
			granted = append(granted, s.Action...)
		}
	}
	slices.Sort(listed)
	slices.Sort(granted)
	if diff := cmp.Diff(granted, listed); diff != "" {
		t.Errorf("docs/guides/drift.md, Rights (-DriftRights +guide):\n%s", diff)
	}
}
