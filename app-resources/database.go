package appresources

import (
	"cmp"
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
	"k8s-plus-aws-gitops/internal/services"
)

// Network is where an application's resources live.
type Network struct {
	VPC awsec2.IVpc
	// DatabaseSubnets is the name of the subnet group without a route out.
	DatabaseSubnets string
	// PrivateSubnets is the name of the subnet group with a way out and none in.
	PrivateSubnets string
	// Shared are the instances that services share, by engine; those that some service asks for.
	Shared map[string]*Database
	// DatabaseFunction makes and changes the users of databases.
	DatabaseFunction FunctionCode
	// Workloads is the security group of all pods.
	Workloads awsec2.ISecurityGroup
	// Key encrypts databases and secrets.
	Key awskms.IKey
	// Zone holds the environment's domain.
	Zone awsroute53.IHostedZone
}

// Engine is what an RDS instance runs.
type Engine struct {
	port int
	// engine is RDS's. Its minor versions come by themselves; the major one is the product's.
	engine func() awsrds.IInstanceEngine
	// parameters refuse connections without TLS, and log statements that take longer than two seconds.
	parameters map[string]string
	// logs are those that RDS sends to CloudWatch.
	logs []string
	name string
}

// The engines.
var (
	// MySQL is RDS for MySQL 8.4.
	MySQL = Engine{
		name: "MySQL", port: services.Engines[services.MySQL].Port,
		engine: func() awsrds.IInstanceEngine {
			return awsrds.DatabaseInstanceEngine_Mysql(&awsrds.MySqlInstanceEngineProps{Version: awsrds.MysqlEngineVersion_VER_8_4_10()})
		},
		parameters: map[string]string{"require_secure_transport": "1", "slow_query_log": "1", "long_query_time": "2"},
		logs:       []string{"error", "slowquery"},
	}
	// Postgres is RDS for PostgreSQL 17.
	Postgres = Engine{
		name: "PostgreSQL", port: services.Engines[services.Postgres].Port,
		engine: func() awsrds.IInstanceEngine {
			return awsrds.DatabaseInstanceEngine_Postgres(&awsrds.PostgresInstanceEngineProps{Version: awsrds.PostgresEngineVersion_VER_17_9()})
		},
		parameters: map[string]string{"rds.force_ssl": "1", "log_min_duration_statement": "2000"},
		logs:       []string{"postgresql"},
	}
)

// DatabaseProps says whose database it is and how large.
type DatabaseProps struct {
	Env     config.Environment
	Network Network
	Engine  Engine
	// App names the instance, <environment>-<app>, and the secret, /<environment>/<app>/database.
	App string
	// Name is that of the database in the instance and of its user, App by default: a letter, then letters and digits, at most
	// 16, which is the limit of RDS for MySQL's user.
	Name string
	// Size is the instance's class, its storage in GiB, and for how many days backups and logs are kept.
	Size config.Database
	// Shared leaves database and user to the services that share the instance: NewDatabaseUser with Shared makes them.
	Shared bool
	// Snapshot of RDS, by its identifier or ARN, of which the instance is made; empty: it begins without content. Its database
	// and its user must be Name, the password is a new one. Another value later would be another instance.
	Snapshot string
}

// Database is an instance of RDS with one database, or with those of the services that share it.
type Database struct {
	constructs.Construct
	construct.Part
	Database awsrds.DatabaseInstance
	// Secret is the administrator's: engine, host, port, dbname, username and password.
	Secret awsrds.DatabaseSecret
	// Access is the security group that admits to it.
	Access awsec2.ISecurityGroup
	// User is that of the pods, where size.RotationDays are given; without, they are the administrator. A shared instance has none.
	User *DatabaseUser

	engine Engine
}

// NewDatabase makes a database that is encrypted, and reachable only from pods and only over TLS. Its name is agreed and
// stays, so CloudFormation cannot replace it behind anybody's back: the new one would need the name of the old one.
func NewDatabase(scope constructs.Construct, id string, props *DatabaseProps) *Database {
	m, env, size, name := &Database{engine: props.Engine}, props.Env, props.Size, cmp.Or(props.Name, props.App)
	construct.Init(m, scope, id)
	database := jsii.String(name)
	if props.Shared {
		// Without one, the attachments of the services' secrets have no name to put in the place of theirs.
		database = nil
	}
	m.Secret = awsrds.NewDatabaseSecret(m, jsii.String("Secret"), &awsrds.DatabaseSecretProps{
		SecretName:    jsii.String(env.SecretName(props.App, "database")),
		Username:      jsii.String(name),
		Dbname:        database,
		EncryptionKey: props.Network.Key,
	})
	logs := databaseLogs(m, props)
	engine := props.Engine.engine()
	m.Access = access(m, props.Network, "Database of "+props.App+" in "+env.Name, props.Engine.name, props.Engine.port)
	m.Database = awsrds.NewDatabaseInstance(m, jsii.String("Database"), &awsrds.DatabaseInstanceProps{
		InstanceIdentifier:      jsii.String(env.DatabaseIdentifier(props.App)),
		DatabaseName:            database,
		Engine:                  engine,
		Credentials:             awsrds.Credentials_FromSecret(m.Secret, jsii.String(name)),
		InstanceType:            awsec2.NewInstanceType(jsii.String(strings.TrimPrefix(size.InstanceClass, "db."))),
		Vpc:                     props.Network.VPC,
		VpcSubnets:              &awsec2.SubnetSelection{SubnetGroupName: jsii.String(props.Network.DatabaseSubnets)},
		SecurityGroups:          &[]awsec2.ISecurityGroup{m.Access},
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
		CloudwatchLogsExports:   jsii.Strings(props.Engine.logs...),
		ParameterGroup:          databaseParameters(m, props, engine),
	})
	construct.After(m.Database, logs...)
	m.restore(props.Snapshot)
	retention.Of(env).BackUp(m.Database)
	if size.RotationDays > 0 && !props.Shared {
		m.User = NewDatabaseUser(m, "User", &DatabaseUserProps{
			Env: env, Network: props.Network, App: props.App, Name: name, Port: props.Engine.port,
			Database: m.Database, Master: m.Secret, Access: m.Access, Days: size.RotationDays, LogDays: size.LogDays,
		})
	}
	return m
}

// restore makes the instance of a snapshot, which says what RDS takes of nobody else then: user, database and encryption.
// (CDK's construct for it takes neither an agreed name of the secret nor the storage.)
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-rds-dbinstance.html#cfn-rds-dbinstance-dbsnapshotidentifier
func (m *Database) restore(snapshot string) {
	if snapshot == "" {
		return
	}
	instance := m.Database.Node().DefaultChild().(awsrds.CfnDBInstance)
	instance.SetDbSnapshotIdentifier(jsii.String(snapshot))
	for _, property := range []string{"DBName", "MasterUsername", "StorageEncrypted", "KmsKeyId"} {
		instance.AddPropertyDeletionOverride(jsii.String(property))
	}
}

// access makes a security group that admits pods to a port, and nobody else to anything.
func access(scope constructs.Construct, network Network, of, protocol string, port int) awsec2.ISecurityGroup {
	group := awsec2.NewSecurityGroup(scope, jsii.String("Access"), &awsec2.SecurityGroupProps{
		Vpc:              network.VPC,
		Description:      jsii.String(of),
		AllowAllOutbound: jsii.Bool(false),
	})
	group.AddIngressRule(network.Workloads, awsec2.Port_Tcp(jsii.Number(port)), jsii.String(protocol+" from pods"), nil)
	return group
}

func databaseParameters(scope constructs.Construct, props *DatabaseProps, engine awsrds.IInstanceEngine) awsrds.IParameterGroup {
	parameters := map[string]*string{}
	for name, value := range props.Engine.parameters {
		parameters[name] = jsii.String(value)
	}
	return awsrds.NewParameterGroup(scope, jsii.String("Parameters"), &awsrds.ParameterGroupProps{
		Engine:      engine,
		Description: jsii.String("Database of " + props.App + " in " + props.Env.Name),
		Parameters:  &parameters,
	})
}

// databaseLogs makes the log groups before RDS would make them without a retention period. (CDK's own option for the
// period is a custom resource with a function in every stack.)
func databaseLogs(scope constructs.Construct, props *DatabaseProps) []constructs.IConstruct {
	groups := make([]constructs.IConstruct, len(props.Engine.logs))
	for i, name := range props.Engine.logs {
		path := "/aws/rds/instance/" + props.Env.DatabaseIdentifier(props.App) + "/" + name
		groups[i] = retention.Of(props.Env).LogGroup(scope, "Log-"+name, path, props.Size.LogDays, props.Network.Key)
	}
	return groups
}
