package appresources

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// Network is where an application's resources live.
type Network struct {
	VPC awsec2.IVpc
	// DatabaseSubnets is the name of the subnet group without a route out.
	DatabaseSubnets string
	// Workloads is the security group of all pods.
	Workloads awsec2.ISecurityGroup
	// Key encrypts databases and secrets.
	Key awskms.IKey
}

// mysqlPort is where MySQL listens.
const mysqlPort = 3306

// NewMySQL makes an RDS for MySQL 8.4 database for an app: encrypted, reachable only from pods and only over TLS, with
// its credentials at /<environment>/<app>/database (engine, host, port, dbname, username, password). Database, user and
// app have one name.
func NewMySQL(scope constructs.Construct, env config.Environment, network Network, app string, size config.Database) awsrds.DatabaseInstance {
	keep := retention.Policy{Protected: env.DeletionProtection}
	identifier := env.RoleName(app)
	secret := awsrds.NewDatabaseSecret(scope, jsii.String("DatabaseSecret"), &awsrds.DatabaseSecretProps{
		SecretName:    jsii.String(env.SecretName(app, "database")),
		Username:      jsii.String(app),
		Dbname:        jsii.String(app),
		EncryptionKey: network.Key,
	})
	group := awsec2.NewSecurityGroup(scope, jsii.String("DatabaseAccess"), &awsec2.SecurityGroupProps{
		Vpc:              network.VPC,
		Description:      jsii.String("Database of " + app + " in " + env.Name),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddIngressRule(network.Workloads, awsec2.Port_Tcp(jsii.Number(mysqlPort)), jsii.String("MySQL from pods"), nil)
	logs := databaseLogs(scope, keep, identifier, size.LogDays)
	engine := awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{Version: awsrds.MysqlEngineVersion_VER_8_4_10()})
	database := awsrds.NewDatabaseInstance(scope, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		// The name is agreed and stays, so CloudFormation cannot replace the database behind anybody's back: the new one
		// would need the name of the old one.
		InstanceIdentifier:      jsii.String(identifier),
		DatabaseName:            jsii.String(app),
		Engine:                  engine,
		Credentials:             awsrds.Credentials_FromSecret(secret, jsii.String(app)),
		InstanceType:            awsec2.NewInstanceType(jsii.String(strings.TrimPrefix(size.InstanceClass, "db."))),
		Vpc:                     network.VPC,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(network.DatabaseSubnets)},
		SecurityGroups:          &[]awsec2.ISecurityGroup{group},
		PubliclyAccessible:      jsii.Bool(false),
		MultiAz:                 jsii.Bool(size.MultiAZ),
		StorageType:             awsrds.StorageType_GP3,
		AllocatedStorage:        jsii.Number(size.StorageGiB),
		MaxAllocatedStorage:     jsii.Number(size.MaxStorageGiB),
		StorageEncrypted:        jsii.Bool(true),
		StorageEncryptionKey:    network.Key,
		BackupRetention:         awscdk.Duration_Days(jsii.Number(size.BackupDays)),
		DeleteAutomatedBackups:  jsii.Bool(!env.DeletionProtection),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(env.DeletionProtection),
		RemovalPolicy:           keep.Database(),
		AutoMinorVersionUpgrade: jsii.Bool(true),
		CloudwatchLogsExports:   jsii.Strings("error", "slowquery"),
		ParameterGroup:          parameters(scope, engine, app, env),
	})
	database.Node().AddDependency(logs...)
	return database
}

// parameters refuses connections without TLS, and logs statements that take longer than two seconds.
func parameters(scope constructs.Construct, engine awsrds.IInstanceEngine, app string, env config.Environment) awsrds.IParameterGroup {
	return awsrds.NewParameterGroup(scope, jsii.String("DatabaseParameters"), &awsrds.ParameterGroupProps{
		Engine:      engine,
		Description: jsii.String("Database of " + app + " in " + env.Name),
		Parameters: &map[string]*string{
			"require_secure_transport": jsii.String("1"),
			"slow_query_log":           jsii.String("1"),
			"long_query_time":          jsii.String("2"),
		},
	})
}

// databaseLogs makes the log groups before RDS would make them without a retention period. (CDK's own option for the
// period is a custom resource with a function in every stack.)
func databaseLogs(scope constructs.Construct, keep retention.Policy, identifier string, days int) []constructs.IDependable {
	groups := make([]constructs.IDependable, 0, 2)
	for _, name := range []string{"error", "slowquery"} {
		groups = append(groups, keep.LogGroup(scope, "DatabaseLog-"+name, "/aws/rds/instance/"+identifier+"/"+name, days))
	}
	return groups
}
