package appresources

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// All names of a database are its app's and environment's; only pods reach it, and only over TLS.
func TestMySQL(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewDatabase(stack, "MySQL", &DatabaseProps{Env: env, Network: network(stack), Engine: MySQL, App: "shop", Size: env.Ghost.Database})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::RDS::DBInstance", map[string]any{
		"DBInstanceIdentifier": "dev-shop", "DBName": "shop", "PubliclyAccessible": false, "StorageEncrypted": true,
		"DBInstanceClass": env.Ghost.Database.InstanceClass, "BackupRetentionPeriod": env.Ghost.Database.BackupDays,
	})
	template.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/shop/database"})
	template.Has("AWS::RDS::DBParameterGroup", map[string]any{"Parameters": assertions.Match_ObjectLike(&map[string]any{"require_secure_transport": "1"})})
	for _, log := range MySQL.logs {
		template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/aws/rds/instance/dev-shop/" + log, "RetentionInDays": env.Ghost.Database.LogDays})
	}
	template.Count("AWS::EC2::SecurityGroupIngress", 2) // and from the function of its users
	template.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"SourceSecurityGroupId": "sg-1", "FromPort": 3306, "ToPort": 3306})
}

// A database that is brought back has all of its snapshot but the password, and the names that were agreed.
func TestDatabaseOfASnapshot(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewDatabase(stack, "Postgres", &DatabaseProps{Env: env, Network: network(stack), Engine: Postgres, App: "shop", Size: env.Ghost.Database, Snapshot: "dev-shop-last"})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::RDS::DBInstance", map[string]any{
		"DBInstanceIdentifier": "dev-shop", "DBSnapshotIdentifier": "dev-shop-last", "MasterUserPassword": assertions.Match_AnyValue(),
		"DBName": assertions.Match_Absent(), "MasterUsername": assertions.Match_Absent(),
		"StorageEncrypted": assertions.Match_Absent(), "KmsKeyId": assertions.Match_Absent(),
	})
	template.Has("AWS::SecretsManager::SecretTargetAttachment", map[string]any{"TargetType": "AWS::RDS::DBInstance"})
}
