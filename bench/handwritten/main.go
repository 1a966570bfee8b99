// Command handwritten is a CDK app as somebody writes one without this platform: a stack per service with a database, a
// bucket, a queue and the role of its pods, by CDK's own constructs. The bench holds the synthesis of the same services
// from their files against it.
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
)

func main() {
	defer jsii.Close()
	count, err := strconv.Atoi(os.Getenv("SERVICES"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "SERVICES must be a number, got", os.Getenv("SERVICES"))
		os.Exit(2)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(os.Getenv("CDK_OUTDIR")), AnalyticsReporting: jsii.Bool(false)})
	where := &awscdk.StackProps{Env: &awscdk.Environment{Account: jsii.String("222222222222"), Region: jsii.String("eu-west-1")}}
	vpc, pods := network(awscdk.NewStack(app, jsii.String("network"), where))
	for i := range count {
		service(awscdk.NewStack(app, jsii.String(fmt.Sprintf("service-%03d", i)), where), vpc, pods)
	}
	app.Synth(nil)
}

// network fills the stack that the services' stacks share.
func network(stack awscdk.Stack) (awsec2.Vpc, awsec2.SecurityGroup) {
	vpc := awsec2.NewVpc(stack, jsii.String("VPC"), &awsec2.VpcProps{
		AvailabilityZones: jsii.Strings("eu-west-1a", "eu-west-1b"), NatGateways: jsii.Number(1),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
			{Name: jsii.String("public"), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(24)},
			{Name: jsii.String("private"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS, CidrMask: jsii.Number(20)},
			{Name: jsii.String("isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED, CidrMask: jsii.Number(24)},
		},
	})
	return vpc, awsec2.NewSecurityGroup(stack, jsii.String("Pods"), &awsec2.SecurityGroupProps{Vpc: vpc})
}

// service fills a service's stack.
func service(stack awscdk.Stack, vpc awsec2.Vpc, pods awsec2.SecurityGroup) {
	for _, name := range []string{"error", "slowquery"} {
		awslogs.NewLogGroup(stack, jsii.String("Log-"+name), &awslogs.LogGroupProps{
			LogGroupName: jsii.String("/aws/rds/instance/" + *stack.StackName() + "/" + name), Retention: awslogs.RetentionDays_ONE_MONTH,
		})
	}
	database := awsrds.NewDatabaseInstance(stack, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		Engine:       awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{Version: awsrds.MysqlEngineVersion_VER_8_4_9()}),
		InstanceType: awsec2.InstanceType_Of(awsec2.InstanceClass_T4G, awsec2.InstanceSize_MICRO),
		Vpc:          vpc, VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
		StorageEncrypted: jsii.Bool(true), DatabaseName: jsii.String("service"),
		Parameters: &map[string]*string{"require_secure_transport": jsii.String("ON")},
	})
	database.Connections().AllowDefaultPortFrom(pods, nil)
	user(stack, vpc, database)
	bucket := awss3.NewBucket(stack, jsii.String("Bucket"), &awss3.BucketProps{
		Encryption: awss3.BucketEncryption_S3_MANAGED, EnforceSSL: jsii.Bool(true), Versioned: jsii.Bool(true),
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
	})
	dead := awssqs.NewQueue(stack, jsii.String("DeadLetters"), &awssqs.QueueProps{EnforceSSL: jsii.Bool(true)})
	queue := awssqs.NewQueue(stack, jsii.String("Queue"), &awssqs.QueueProps{
		EnforceSSL: jsii.Bool(true), DeadLetterQueue: &awssqs.DeadLetterQueue{Queue: dead, MaxReceiveCount: jsii.Number(5)},
	})
	awscloudwatch.NewAlarm(stack, jsii.String("Alarm"), &awscloudwatch.AlarmProps{
		Metric: dead.MetricApproximateNumberOfMessagesVisible(nil), Threshold: jsii.Number(1), EvaluationPeriods: jsii.Number(1),
	})
	awsiam.NewRole(stack, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewSessionTagsPrincipal(awsiam.NewServicePrincipal(jsii.String("pods.eks.amazonaws.com"), nil)),
		InlinePolicies: &map[string]awsiam.PolicyDocument{"own": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
			allow(bucket.ArnForObjects(jsii.String("*")), "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
			allow(bucket.BucketArn(), "s3:ListBucket"),
			allow(queue.QueueArn(), "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
		}})},
	})
}

func allow(resource *string, actions ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Actions: jsii.Strings(actions...), Resources: &[]*string{resource}})
}

// user adds the user of the pods, and the function that makes it and changes its password. The function's code is none: this
// app is synthesized only.
func user(stack awscdk.Stack, vpc awsec2.Vpc, database awsrds.DatabaseInstance) {
	secret := awsrds.NewDatabaseSecret(stack, jsii.String("UserSecret"), &awsrds.DatabaseSecretProps{Username: jsii.String("app"), MasterSecret: database.Secret()})
	secret.Attach(database)
	access := awsec2.NewSecurityGroup(stack, jsii.String("FunctionAccess"), &awsec2.SecurityGroupProps{Vpc: vpc, AllowAllOutbound: jsii.Bool(false)})
	access.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), nil, nil)
	role := awsiam.NewRole(stack, jsii.String("FunctionRole"), &awsiam.RoleProps{
		AssumedBy:       awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		ManagedPolicies: &[]awsiam.IManagedPolicy{awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String("service-role/AWSLambdaVPCAccessExecutionRole"))},
		InlinePolicies: &map[string]awsiam.PolicyDocument{"rotate": awsiam.NewPolicyDocument(&awsiam.PolicyDocumentProps{Statements: &[]awsiam.PolicyStatement{
			allow(secret.SecretArn(), "secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
			allow(database.Secret().SecretArn(), "secretsmanager:GetSecretValue"),
		}})},
	})
	function := awslambda.NewFunction(stack, jsii.String("Function"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_NODEJS_22_X(), Handler: jsii.String("index.handler"), Code: awslambda.Code_FromInline(jsii.String("exports.handler = null")),
		Vpc: vpc, VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS}, SecurityGroups: &[]awsec2.ISecurityGroup{access},
		Role: role, LogGroup: awslogs.NewLogGroup(stack, jsii.String("FunctionLogs"), &awslogs.LogGroupProps{Retention: awslogs.RetentionDays_ONE_MONTH}),
	})
	database.Connections().AllowDefaultPortFrom(function, nil)
	function.AddPermission(jsii.String("SecretsManager"), &awslambda.Permission{Principal: awsiam.NewServicePrincipal(jsii.String("secretsmanager.amazonaws.com"), nil)})
	made := awscdk.NewCustomResource(stack, jsii.String("User"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::DatabaseUser"), ServiceToken: function.FunctionArn(), Properties: &map[string]any{"Secret": secret.SecretArn()},
	})
	schedule := awssecretsmanager.NewCfnRotationSchedule(stack, jsii.String("Rotation"), &awssecretsmanager.CfnRotationScheduleProps{
		SecretId: secret.SecretArn(), RotationLambdaArn: function.FunctionArn(),
		RotationRules: &awssecretsmanager.CfnRotationSchedule_RotationRulesProperty{AutomaticallyAfterDays: jsii.Number(30)},
	})
	schedule.Node().AddDependency(made)
}
