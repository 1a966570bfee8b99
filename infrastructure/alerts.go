package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

const (
	// alertsSeconds bounds one call: a cold start, a secret, a message. Flux gives up after 15 s, and tries again.
	alertsSeconds = 15
	// alertsAtOnce are the calls that run at the same time. Each takes some milliseconds, and Flux tries again what is throttled.
	// It is the most that strangers who call the address can take from the account's functions.
	alertsAtOnce = 2
)

// AlertsProps says whose errors of Flux are published: to the topic <environment>-delivery, which the delivery stack makes later.
type AlertsProps struct {
	Env config.Environment
	// Key encrypts the secret and the log.
	Key awskms.IKey
	// Code is that of functions/alerts.
	Code appresources.FunctionCode
}

// Alerts is what takes the errors of Flux and publishes them to the topic.
type Alerts struct {
	constructs.Construct
	construct.Part
	// Address is where Flux tells of them. It is no secret: the function takes only what the token of
	// /<environment>/flux/alerts-token has signed.
	Address *string
}

// NewAlerts makes the function, its address, and the secret that it shares with Flux. It is in the stack of the cluster, whose facts
// have the address and whose Flux waits for the secret, and knows the topic by its agreed name.
//
// The address is open to everybody (NONE), because notification-controller cannot sign as AWS asks for; it is not guessable, and
// what is not signed ends in the function after a comparison. The CDK gives everybody both rights that AWS wants for that,
// lambda:InvokeFunctionUrl, and lambda:InvokeFunction through the address alone:
// https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
//
// It is in no VPC, as it reaches AWS's APIs and nothing else.
func NewAlerts(scope constructs.Construct, id string, props *AlertsProps) *Alerts {
	a, env, name := &Alerts{}, props.Env, props.Env.AlertsFunctionName()
	construct.Init(a, scope, id)
	token := newToken(a, "Token", env, props.Key, "alerts-token", "Signs what Flux tells of errors")
	logs := retention.Of(env).LogGroup(a, "Logs", "/aws/lambda/"+name, env.Delivery.LogDays, props.Key)
	// alerts.sns takes the function away and brings it back: its group must not be in the way.
	logs.ApplyRemovalPolicy(retention.Of(env).Derived())
	topic := env.ARN("sns", env.NotificationsTopic())
	function := awslambda.NewFunction(a, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName: jsii.String(name), Description: jsii.String("Publishes the errors of Flux in " + env.Name),
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String(appresources.AlertsFunction.Name),
		Code: props.Code.Asset(), MemorySize: jsii.Number(256), Timeout: awscdk.Duration_Seconds(jsii.Number(alertsSeconds)),
		ReservedConcurrentExecutions: jsii.Number(alertsAtOnce),
		Role:                         a.role(props, name, topic, token, logs), LogGroup: logs,
		Environment: &map[string]*string{"TOPIC": jsii.String(topic), "TOKEN_SECRET": token.SecretArn(), "ENVIRONMENT": jsii.String(env.Name)},
	})
	a.Address = function.AddFunctionUrl(&awslambda.FunctionUrlOptions{AuthType: awslambda.FunctionUrlAuthType_NONE}).Url()
	return a
}

// role may publish to the topic, read the one secret, and write its log.
func (a *Alerts) role(props *AlertsProps, name, topic string, token awssecretsmanager.Secret, logs awslogs.LogGroup) awsiam.Role {
	env := props.Env
	through := func(service string) string { return service + "." + env.Region + "." + env.DNSSuffix() }
	rights := policy.Of(
		policy.Allow("Publish", policy.List{topic}, "sns:Publish"),
		// The key of the topic is made later, so it is known by what it encrypts: a wildcard with a condition that one key meets.
		// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
		policy.Allow("EncryptMessages", policy.List{env.ARN("kms", "key/*")}, "kms:Decrypt", "kms:GenerateDataKey").If(map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": through("sns"), "kms:EncryptionContext:aws:sns:topicArn": topic},
		}),
		policy.Allow("ReadTheToken", policy.List{*token.SecretArn()}, "secretsmanager:GetSecretValue"),
		policy.Allow("DecryptTheToken", policy.List{*props.Key.KeyArn()}, "kms:Decrypt").If(map[string]any{
			"StringEquals": map[string]any{"kms:ViaService": through("secretsmanager")},
		}),
		policy.Allow("Log", policy.List{*logs.LogGroupArn()}, "logs:CreateLogStream", "logs:PutLogEvents"),
	)
	return awsiam.NewRole(a, jsii.String("Role"), &awsiam.RoleProps{
		RoleName: jsii.String(name), Description: jsii.String("Publishes the errors of Flux in " + env.Name),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: policy.Inline(map[string]policy.Document{"publish": rights}),
	})
}
