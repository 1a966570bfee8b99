package delivery

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// The schedule starts a build that is in the group of the pods. It may restore the snapshots of the named databases into instances
// of one name each, and change and remove what has the mark, and nothing else.
func TestDrill(t *testing.T) {
	env := cdktest.Environment(t)
	env.Backup.Drill = &config.Drill{Schedule: "cron(0 4 ? * SUN *)", Services: []string{"ghost"}}
	s := newShared(t, env)
	NewDrill(s.stack, "Drill", &DrillProps{
		Env: s.env, Store: s.store, Notifications: s.told, VPC: vpc(s.stack),
		Workloads: awsec2.SecurityGroup_FromSecurityGroupId(s.stack, jsii.String("Workloads"), jsii.String("sg-pods"), nil),
		Key:       awskms.Key_FromKeyArn(s.stack, jsii.String("Data"), jsii.String(env.ARN("kms", "key/1"))),
	})
	template := cdktest.Synthesize(t, s.stack)
	template.Has("AWS::CodeBuild::Project", map[string]any{
		"Name": "dev-drill", "SourceVersion": "released/dev", "TimeoutInMinutes": 480,
		"VpcConfig":   object(map[string]any{"SecurityGroupIds": list("sg-pods")}),
		"Environment": object(map[string]any{"EnvironmentVariables": list(variable("SERVICES", "ghost"))}),
	})
	template.Has("AWS::Events::Rule", map[string]any{"ScheduleExpression": "cron(0 4 ? * SUN *)"})
	copied := env.ARN("rds", "db:dev-ghost-restored")
	template.Has("AWS::IAM::Role", map[string]any{"Policies": []any{object(map[string]any{
		"PolicyName": "drill", "PolicyDocument": object(map[string]any{"Statement": list(
			object(map[string]any{"Sid": "MarkIt", "Action": "rds:AddTagsToResource", "Resource": copied}),
			object(map[string]any{
				"Sid": "OpenAndRemoveIt", "Action": []any{"rds:DeleteDBInstance", "rds:ModifyDBInstance"}, "Resource": copied,
				"Condition": map[string]any{"StringEquals": map[string]any{"aws:ResourceTag/gitops-restored-into": "dev"}},
			}),
		)}),
	})}})
	template.Has("AWS::CloudWatch::Alarm", map[string]any{"AlarmName": "dev-drill-failed", "MetricName": drillMetric, "TreatMissingData": "ignore"})
	for value, operator := range map[string]string{"0": "=", "1": "!="} {
		template.Has("AWS::Logs::MetricFilter", map[string]any{
			"FilterPattern":         `{ ($.source = "aws.codebuild") && ($.detail.project-name = "dev-drill") && ($.detail.build-status ` + operator + ` "SUCCEEDED") }`,
			"MetricTransformations": []any{object(map[string]any{"MetricName": drillMetric, "MetricValue": value})},
		})
	}
}
