package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
	"k8s-plus-aws-gitops/internal/podidentity"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
	"k8s-plus-aws-gitops/internal/services"
)

// userSuffix ends the name of the pods' user. The other one of the two, between which rotation alternates, ends in _clone.
const userSuffix = "_app"

// functionSeconds bounds one call: a network interface that is attached, a sign-in, and 30 s for external-secrets.
const functionSeconds = 90

// DatabaseUserProps says whose user it is, and of which database.
type DatabaseUserProps struct {
	Env     config.Environment
	Network Network
	// App names the secret, the function and its role, <environment>-<app>_database, and the namespace of the pods.
	App string
	// Name is that of the database. The user's is <name>_app.
	Name string
	// Port of the engine.
	Port int
	// Shared is the App of the instance, where services share it: the function makes the database, too, and when the user goes
	// it drops the database, or locks it where the environment protects its data. Empty: an instance of App's own.
	Shared string
	// Database is the instance, Master its administrator's secret, and Access the security group that admits to it.
	Database awsrds.DatabaseInstance
	Master   awsrds.DatabaseSecret
	Access   awsec2.ISecurityGroup
	// Days after which the password is changed, 1 to 1000. LogDays that the function's log is kept.
	Days, LogDays int
}

// DatabaseUser is a user of a database with rights on it alone, and what changes its password.
type DatabaseUser struct {
	constructs.Construct
	construct.Part
	// Secret holds engine, host, port, dbname, username and password.
	Secret awsrds.DatabaseSecret
	// RoleARN is the function's role; its name is agreed, so this is plain text.
	RoleARN string
}

// NewDatabaseUser makes the user, before the stack is done: the resource Custom::DatabaseUser calls the function, which signs
// in as the administrator. Secrets Manager calls the same function to change the password, by two users that take turns, so
// that what runs with the former password works until the next change:
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets_strategies.html
func NewDatabaseUser(scope constructs.Construct, id string, props *DatabaseUserProps) *DatabaseUser {
	u, env := &DatabaseUser{RoleARN: props.Env.ARN("iam", "role/"+props.Env.DatabaseFunctionName(props.App))}, props.Env
	construct.Init(u, scope, id)
	u.Secret = awsrds.NewDatabaseSecret(u, jsii.String("Secret"), &awsrds.DatabaseSecretProps{
		SecretName: jsii.String(env.SecretName(props.App, services.UserThing)), Username: jsii.String(props.Name + userSuffix),
		Dbname: jsii.String(props.Name), EncryptionKey: props.Network.Key, MasterSecret: props.Master,
	})
	attached := u.Secret.Attach(props.Database)
	function, reaches := u.function(props)
	properties := map[string]any{"Secret": u.Secret.SecretArn()}
	if props.Shared != "" {
		// Instance and database are for the review, which guards their change: the data would be elsewhere.
		properties["Instance"], properties["Database"] = env.DatabaseIdentifier(props.Shared), props.Name
		properties["OnDelete"] = retention.Of(env).SharedDatabase()
	}
	user := awscdk.NewCustomResource(u, jsii.String("User"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::DatabaseUser"), ServiceToken: function.FunctionArn(), ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(10)),
		Properties: &properties,
	})
	construct.After(user, append(reaches, attached, props.Database)...)
	// L1: the L2 lets Secrets Manager call the function for any secret of any account, and writes a second policy for its role.
	schedule := awssecretsmanager.NewCfnRotationSchedule(u, jsii.String("Rotation"), &awssecretsmanager.CfnRotationScheduleProps{
		SecretId: u.Secret.SecretArn(), RotationLambdaArn: function.FunctionArn(),
		RotationRules: &awssecretsmanager.CfnRotationSchedule_RotationRulesProperty{AutomaticallyAfterDays: jsii.Number(props.Days)},
		// A new password that nobody waits for would race with the first pods.
		RotateImmediatelyOnUpdate: jsii.Bool(false),
	})
	construct.After(schedule, user, function.Node().FindChild(jsii.String("SecretsManager")))
	return u
}

// function makes the function, in the subnets with a way out: Secrets Manager, EKS and CloudFormation's answers are there.
// reaches are the rules by which it gets to the database. It reserves no concurrency: a new account has ten executions in
// all, of which none can be reserved (https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html).
func (u *DatabaseUser) function(props *DatabaseUserProps) (awslambda.Function, []constructs.IConstruct) {
	env, name := props.Env, props.Env.DatabaseFunctionName(props.App)
	group := awsec2.NewSecurityGroup(u, jsii.String("Access"), &awsec2.SecurityGroupProps{
		Vpc: props.Network.VPC, Description: jsii.String("Function of the database of " + props.App + " in " + env.Name), AllowAllOutbound: jsii.Bool(false),
	})
	port := awsec2.Port_Tcp(jsii.Number(props.Port))
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_Tcp(jsii.Number(443)), jsii.String("APIs of AWS and of Kubernetes"), nil)
	group.AddEgressRule(props.Access, port, jsii.String("Database"), nil)
	// The rule of a shared instance is in the service's stack, and goes with it.
	props.Access.AddIngressRule(group, port, jsii.String("Function that changes passwords"), jsii.Bool(props.Shared != ""))
	variables := map[string]*string{
		"SECRET": u.Secret.SecretArn(), "MASTER_SECRET": props.Master.SecretArn(), "SECRET_NAME": jsii.String(env.SecretName(props.App, services.UserThing)),
		"CLUSTER": jsii.String(env.ClusterName()), "NAMESPACE": jsii.String(props.App),
	}
	if props.Shared != "" {
		variables["SHARED"] = jsii.String(props.Name)
	}
	function := awslambda.NewFunction(u, jsii.String("Function"), &awslambda.FunctionProps{
		FunctionName: jsii.String(name), Description: jsii.String("Users of the database of " + props.App + " in " + env.Name),
		Runtime: awslambda.Runtime_PROVIDED_AL2023(), Architecture: awslambda.Architecture_ARM_64(), Handler: jsii.String("database"),
		Code: props.Network.DatabaseFunction.Asset(), MemorySize: jsii.Number(256), Timeout: awscdk.Duration_Seconds(jsii.Number(functionSeconds)),
		Role: u.role(props, name), LogGroup: retention.Of(env).LogGroup(u, "Logs", "/aws/lambda/"+name, props.LogDays, props.Network.Key),
		Vpc: props.Network.VPC, VpcSubnets: &awsec2.SubnetSelection{SubnetGroupName: jsii.String(props.Network.PrivateSubnets)},
		SecurityGroups: &[]awsec2.ISecurityGroup{group},
		Environment:    &variables,
	})
	function.AddPermission(jsii.String("SecretsManager"), &awslambda.Permission{
		Principal: awsiam.NewServicePrincipal(jsii.String("secretsmanager.amazonaws.com"), nil), SourceAccount: jsii.String(env.Account),
	})
	// The rules are resources of their own, which nothing else waits for.
	return function, []constructs.IConstruct{group, props.Access}
}

// role may read and write the one secret, read the administrator's, and find the cluster, in which an access entry lets it
// start pods anew. Network interface and log are what Lambda documents for a function in a VPC.
func (u *DatabaseUser) role(props *DatabaseUserProps, name string) awsiam.Role {
	env, own := props.Env, *u.Secret.SecretArn()
	managers := "secretsmanager." + env.Region + "." + env.DNSSuffix()
	rights := policy.Of(
		policy.Allow("Rotate", policy.List{own},
			"secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue", "secretsmanager:UpdateSecretVersionStage"),
		policy.Allow("Administrator", policy.List{*props.Master.SecretArn()}, "secretsmanager:GetSecretValue"),
		policy.Allow("Secrets", policy.List{*props.Network.Key.KeyArn()}, "kms:Decrypt", "kms:GenerateDataKey").
			If(map[string]any{"StringEquals": map[string]any{"kms:ViaService": managers}}),
		policy.Allow("FindTheCluster", policy.List{env.ARN("eks", "cluster/"+env.ClusterName())}, "eks:DescribeCluster"),
	)
	return awsiam.NewRole(u, jsii.String("Role"), &awsiam.RoleProps{
		RoleName: jsii.String(name), Description: jsii.String("Function of the database of " + props.App + " in " + env.Name),
		AssumedBy:      awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		InlinePolicies: policy.Inline(map[string]policy.Document{"rotate": rights}), ManagedPolicies: podidentity.ManagedPolicies("service-role/AWSLambdaVPCAccessExecutionRole"),
	})
}
