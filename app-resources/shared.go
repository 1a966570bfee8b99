package appresources

import (
	"cmp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services"
)

// engines by their names in a service's file.
var engines = map[string]Engine{services.MySQL: MySQL, services.Postgres: Postgres}

// SharedDatabaseProps says which instance it is.
type SharedDatabaseProps struct {
	Env     config.Environment
	Network Network
	// Engine by its name in a service's file. The environment's configuration has the size of its instance.
	Engine string
}

// NewSharedDatabase makes the instance that services of the environment share, as the only thing of its stack
// (services.SharedApp): an empty one, in which the stack of each service makes a database and a user. The services' stacks
// import its administrator's secret, its security group and its identifier, so CloudFormation makes it before them, and refuses to
// remove it while one of them is there.
func NewSharedDatabase(scope constructs.Construct, id string, props *SharedDatabaseProps) *Database {
	app := services.SharedApp(props.Engine)
	return NewDatabase(scope, id, &DatabaseProps{
		Env: props.Env, Network: props.Network, Engine: engines[props.Engine], App: app, Name: services.DatabaseName(app), Size: props.Env.Databases.Of(props.Engine), Shared: true,
	})
}

// sharedUser makes a service's database and its user on the shared instance. Its path is that of a user on an instance of its
// own, so that a service can move from the one to the other under the agreed names.
func sharedUser(scope constructs.Construct, props *ServiceProps, d services.Database) *DatabaseUser {
	on, name, size := props.Network.Shared[d.Engine], props.Service.Name, props.Env.Databases.Of(d.Engine)
	return NewDatabaseUser(constructs.NewConstruct(scope, jsii.String("Database")), "User", &DatabaseUserProps{
		Env: props.Env, Network: props.Network, App: name, Name: services.SharedDatabaseName(name), Port: on.engine.port, Shared: services.SharedApp(d.Engine),
		Database: on.Database, Master: on.Secret, Access: on.Access, Days: cmp.Or(d.RotationDays, size.RotationDays), LogDays: size.LogDays,
	})
}

// Shared makes the instances that services of an environment share, each in the stack that stackOf returns for its name.
func Shared(env config.Environment, all []services.Service, network Network, stackOf func(name, description string) awscdk.Stack) map[string]*Database {
	made := map[string]*Database{}
	for _, engine := range services.SharedEngines(services.ClusterOf(env), all) {
		stack := stackOf(services.SharedApp(engine), "The instance of "+engines[engine].name+" that services of "+env.Name+" share")
		made[engine] = NewSharedDatabase(stack, "Shared", &SharedDatabaseProps{Env: env, Network: network, Engine: engine})
	}
	return made
}
