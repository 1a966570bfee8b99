package appresources

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/services"
)

const sharing = "image: a:1\nport: 8080\naws: {database: {engine: postgres, shared: true}}\n"

// Two services have a database each on one instance, which is as the environment says. Each has a function that makes its own, and
// that alone is let in beside the pods.
func TestSharedDatabase(t *testing.T) {
	env := cdktest.Environment(t)
	env.Databases.Postgres.InstanceClass, env.Databases.Postgres.RotationDays = "db.t4g.medium", 45
	app := cdktest.App(t)
	base := cdktest.NewStack(app, "dev-network", env)
	where, stacks := network(base), map[string]awscdk.Stack{}
	add := func(name, _ string) awscdk.Stack {
		stacks[name] = cdktest.NewStack(app, env.StackName(name), env)
		return stacks[name]
	}
	all := parse(t, map[string]string{"orders": sharing, "ledger": sharing, "plain": "image: a:1\nport: 8080\naws: {database: {engine: mysql}}\n"})
	where.Shared = Shared(env, all, where, add)
	if len(stacks) != 1 || where.Shared[services.Postgres] == nil {
		t.Fatalf("got the stacks %v, want the one of PostgreSQL", stacks)
	}
	for _, a := range Services(env, all) {
		if made := a.Make(add(a.Name, ""), env, where); len(made.Rotations) != 1 || made.Rotations[0].Namespace != a.Name {
			t.Errorf("%s: rotations %+v", a.Name, made.Rotations)
		}
	}

	anything, imported := assertions.Match_AnyValue(), assertions.Match_ObjectLike(&map[string]any{"Fn::ImportValue": assertions.Match_AnyValue()})
	instance := cdktest.Synthesize(t, stacks["shared-postgres"])
	instance.Has("AWS::RDS::DBInstance", map[string]any{
		"DBInstanceIdentifier": "dev-shared-postgres", "DBName": assertions.Match_Absent(), "MasterUsername": anything,
		"DBInstanceClass": "db.t4g.medium", "PubliclyAccessible": false, "StorageEncrypted": true,
	})
	instance.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/shared-postgres/database"})
	instance.Count("AWS::Lambda::Function", 0)
	instance.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"SourceSecurityGroupId": anything, "FromPort": 5432, "ToPort": 5432})
	instance.Count("AWS::EC2::SecurityGroupIngress", 1)

	orders := cdktest.Synthesize(t, stacks["orders"])
	name := services.SharedDatabaseName("orders")
	orders.Count("AWS::RDS::DBInstance", 0)
	orders.Has("Custom::DatabaseUser", map[string]any{"Instance": "dev-shared-postgres", "Database": name, "OnDelete": "drop"})
	orders.Has("AWS::Lambda::Function", map[string]any{"FunctionName": "dev-orders_database", "Environment": map[string]any{
		"Variables": assertions.Match_ObjectLike(&map[string]any{"SHARED": name, "MASTER_SECRET": imported, "NAMESPACE": "orders"}),
	}})
	orders.Has("AWS::SecretsManager::Secret", map[string]any{"Name": "/dev/orders/database-user"})
	orders.Count("AWS::SecretsManager::Secret", 1)
	orders.Has("AWS::SecretsManager::SecretTargetAttachment", map[string]any{"TargetId": imported})
	orders.Has("AWS::SecretsManager::RotationSchedule", map[string]any{"RotationRules": map[string]any{"AutomaticallyAfterDays": 45}})
	orders.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"GroupId": imported, "FromPort": 5432, "ToPort": 5432})

	own := cdktest.Synthesize(t, stacks["plain"])
	own.Has("Custom::DatabaseUser", map[string]any{"OnDelete": assertions.Match_Absent(), "Instance": assertions.Match_Absent()})
}

// Where data is protected, the function leaves the database.
func TestSharedDatabaseIsKept(t *testing.T) {
	env := cdktest.Environment(t)
	env.DeletionProtection = true
	app := cdktest.App(t)
	where := network(cdktest.NewStack(app, "dev-network", env))
	add := func(name, _ string) awscdk.Stack { return cdktest.NewStack(app, env.StackName(name), env) }
	all := parse(t, map[string]string{"orders": sharing})
	where.Shared = Shared(env, all, where, add)
	stack := add("orders", "")
	Services(env, all)[0].Make(stack, env, where)
	cdktest.Synthesize(t, stack).Has("Custom::DatabaseUser", map[string]any{"OnDelete": "keep"})
}
