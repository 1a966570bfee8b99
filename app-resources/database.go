package appresources

import (
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsroute53"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/construct"
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
	// Zone holds the environment's domain.
	Zone awsroute53.IHostedZone
}

// mysqlPort is where MySQL listens.
const mysqlPort = 3306

// MySQLProps says whose database it is and how large.
type MySQLProps struct {
	Env     config.Environment
	Network Network
	// App has one name with its database and the user: a letter, then letters and digits, at most 16, which is RDS's limit
	// for the user. The instance is <environment>-<app>, the secret /<environment>/<app>/database.
	App string
	// Size is the instance's class, its storage in GiB, and for how many days backups and logs are kept.
	Size config.Database
}

// MySQL is an RDS for MySQL 8.4 database.
type MySQL struct {
	constructs.Construct
	construct.Part
	Database awsrds.DatabaseInstance
	// Secret holds engine, host, port, dbname, username and password.
	Secret awsrds.DatabaseSecret
}

// NewMySQL makes a database that is encrypted, and reachable only from pods and only over TLS. Its name is agreed and
// stays, so CloudFormation cannot replace it behind anybody's back: the new one would need the name of the old one.
func NewMySQL(scope constructs.Construct, id string, props *MySQLProps) *MySQL {
	m, env, size := &MySQL{}, props.Env, props.Size
	construct.Init(m, scope, id)
	m.Secret = awsrds.NewDatabaseSecret(m, jsii.String("Secret"), &awsrds.DatabaseSecretProps{
		SecretName:    jsii.String(env.SecretName(props.App, "database")),
		Username:      jsii.String(props.App),
		Dbname:        jsii.String(props.App),
		EncryptionKey: props.Network.Key,
	})
	logs := databaseLogs(m, props)
	engine := awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{Version: awsrds.MysqlEngineVersion_VER_8_4_10()})
	m.Database = awsrds.NewDatabaseInstance(m, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		InstanceIdentifier:      jsii.String(env.DatabaseIdentifier(props.App)),
		DatabaseName:            jsii.String(props.App),
		Engine:                  engine,
		Credentials:             awsrds.Credentials_FromSecret(m.Secret, jsii.String(props.App)),
		InstanceType:            awsec2.NewInstanceType(jsii.String(strings.TrimPrefix(size.InstanceClass, "db."))),
		Vpc:                     props.Network.VPC,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(props.Network.DatabaseSubnets)},
		SecurityGroups:          &[]awsec2.ISecurityGroup{databaseAccess(m, props)},
		PubliclyAccessible:      jsii.Bool(false),
		MultiAz:                 jsii.Bool(size.MultiAZ),
		StorageType:             awsrds.StorageType_GP3,
		AllocatedStorage:        jsii.Number(size.StorageGiB),
		MaxAllocatedStorage:     jsii.Number(size.MaxStorageGiB),
		StorageEncrypted:        jsii.Bool(true),
		StorageEncryptionKey:    props.Network.Key,
		BackupRetention:         awscdk.Duration_Days(jsii.Number(size.BackupDays)),
		DeleteAutomatedBackups:  jsii.Bool(!env.DeletionProtection),
		CopyTagsToSnapshot:      jsii.Bool(true),
		DeletionProtection:      jsii.Bool(env.DeletionProtection),
		RemovalPolicy:           retention.Of(env).Database(),
		AutoMinorVersionUpgrade: jsii.Bool(true),
		CloudwatchLogsExports:   jsii.Strings(exportedLogs...),
		ParameterGroup:          databaseParameters(m, props, engine),
	})
	construct.After(m.Database, logs...)
	return m
}

// databaseAccess admits pods to MySQL's port, and nobody else to anything.
func databaseAccess(scope constructs.Construct, props *MySQLProps) awsec2.ISecurityGroup {
	group := awsec2.NewSecurityGroup(scope, jsii.String("Access"), &awsec2.SecurityGroupProps{
		Vpc:              props.Network.VPC,
		Description:      jsii.String("Database of " + props.App + " in " + props.Env.Name),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddIngressRule(props.Network.Workloads, awsec2.Port_Tcp(jsii.Number(mysqlPort)), jsii.String("MySQL from pods"), nil)
	return group
}

// databaseParameters refuse connections without TLS, and log statements that take longer than two seconds.
func databaseParameters(scope constructs.Construct, props *MySQLProps, engine awsrds.IInstanceEngine) awsrds.IParameterGroup {
	return awsrds.NewParameterGroup(scope, jsii.String("Parameters"), &awsrds.ParameterGroupProps{
		Engine:      engine,
		Description: jsii.String("Database of " + props.App + " in " + props.Env.Name),
		Parameters: &map[string]*string{
			"require_secure_transport": jsii.String("1"),
			"slow_query_log":           jsii.String("1"),
			"long_query_time":          jsii.String("2"),
		},
	})
}

// exportedLogs are MySQL's logs that RDS sends to CloudWatch.
var exportedLogs = []string{"error", "slowquery"}

// databaseLogs makes the log groups before RDS would make them without a retention period. (CDK's own option for the
// period is a custom resource with a function in every stack.)
func databaseLogs(scope constructs.Construct, props *MySQLProps) []constructs.IConstruct {
	groups := make([]constructs.IConstruct, len(exportedLogs))
	for i, name := range exportedLogs {
		path := "/aws/rds/instance/" + props.Env.DatabaseIdentifier(props.App) + "/" + name
		groups[i] = retention.Of(props.Env).LogGroup(scope, "Log-"+name, path, props.Size.LogDays, props.Network.Key)
	}
	return groups
}
