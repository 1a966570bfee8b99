package infrastructure

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// The address is open by both rights that AWS asks for, the second through the address alone, and the role publishes to one topic.
func TestAlerts(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewAlerts(stack, "Alerts", &AlertsProps{Env: env, Key: key(stack), Code: appresources.FunctionCode{Folder: cdktest.FunctionFolder(t), Hash: cdktest.FunctionHash}})
	template, anything := cdktest.Synthesize(t, stack), assertions.Match_AnyValue()
	template.Has("AWS::SecretsManager::Secret", map[string]any{
		"Name": "/dev/flux/alerts-token", "GenerateSecretString": with(map[string]any{"GenerateStringKey": "token", "PasswordLength": 48}),
	})
	topic := env.ARN("sns", "dev-delivery")
	template.Has("AWS::Lambda::Function", map[string]any{
		"FunctionName": "dev-flux_alerts", "Runtime": "provided.al2023", "Architectures": []string{"arm64"}, "Handler": "alerts", "Timeout": 15, "ReservedConcurrentExecutions": 2, "VpcConfig": assertions.Match_Absent(),
		"Environment": map[string]any{"Variables": map[string]any{"TOPIC": topic, "TOKEN_SECRET": anything, "ENVIRONMENT": "dev"}},
	})
	template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/aws/lambda/dev-flux_alerts", "RetentionInDays": env.Delivery.LogDays})
	template.Has("AWS::Lambda::Url", map[string]any{"AuthType": "NONE", "TargetFunctionArn": anything})
	template.Count("AWS::Lambda::Permission", 2)
	template.Has("AWS::Lambda::Permission", map[string]any{"Action": "lambda:InvokeFunctionUrl", "Principal": "*", "FunctionUrlAuthType": "NONE"})
	template.Has("AWS::Lambda::Permission", map[string]any{"Action": "lambda:InvokeFunction", "Principal": "*", "InvokedViaFunctionUrl": true})
	template.Has("AWS::IAM::Role", map[string]any{"RoleName": "dev-flux_alerts", "Policies": list(with(map[string]any{"PolicyDocument": with(map[string]any{"Statement": list(
		with(map[string]any{"Action": "sns:Publish", "Resource": topic}),
		with(map[string]any{"Sid": "EncryptMessages", "Condition": map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": "sns.eu-west-1.amazonaws.com", "kms:EncryptionContext:aws:sns:topicArn": topic},
		}}),
	)})}))})
}
