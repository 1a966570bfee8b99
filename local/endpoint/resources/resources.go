// Package resources creates, updates and deletes the CloudFormation resource
// types that this project's templates use, through the AWS service APIs of the
// local endpoint. A type that is not registered here is refused by name.
package resources

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"k8s-plus-aws-gitops/internal/awsdata"
)

// ErrReplace is returned by Update when the change needs a new physical
// resource: the engine then creates one and deletes the old one after the
// stack update succeeded, as CloudFormation does.
var ErrReplace = errors.New("resource must be replaced")

// Properties are a resource's properties after every intrinsic function has
// been resolved: strings, float64 or json.Number, bool, []any, map[string]any.
type Properties map[string]any

// Database is a database server that stands behind RDS endpoints.
type Database struct {
	Host                     string
	Port                     int
	AdminUser, AdminPassword string
	// Start makes sure that the server runs, and returns the administrator's
	// password. Nil: it always does.
	Start func(context.Context) (string, error)
	// Dump, Load and Forget keep the content of a database under a name, bring it into one, and remove it. Nil for PostgreSQL,
	// which copies databases itself.
	Dump, Load func(ctx context.Context, database, name string) error
	Forget     func(name string) error
}

// Caches are the servers behind the replication groups of ElastiCache, by the groups' names.
type Caches interface {
	// Start makes sure that a group's server runs with a password, and returns its port on 127.0.0.1.
	Start(ctx context.Context, group, password string) (port int, err error)
	// Remove ends the server and removes what it has, if there is one.
	Remove(ctx context.Context, group string) error
}

// Services is what handlers may use. It is the same for all stacks.
type Services struct {
	AWS             aws.Config // endpoint, region and dummy credentials set
	Account         string
	Region          string
	Database        Database // behind MySQL
	Postgres        Database // behind PostgreSQL; without a port there is none
	Caches          Caches   // nil: there are none
	SnapshotDir     string   // what is known of the snapshots of databases
	ClusterEndpoint string
	ClusterCA       string // base64 of the PEM
	Kubeconfig      string
	FluxOperator    string // directory with the flux-operator install manifests
	// Invoke runs a function of the stacks; nil where none runs.
	Invoke func(ctx context.Context, arn string, event []byte) ([]byte, error)
	Log    *slog.Logger
}

// Request is one operation on one resource.
type Request struct {
	*Services

	StackName, StackID string
	LogicalID, Type    string
	Tags               map[string]string // stack tags plus aws:cloudformation:*
	// Name makes the physical name CloudFormation would generate: at most max
	// characters, the same for the same stack, logical ID and generation.
	Name func(max int, lower bool) string
	// Attributes are those that the last operation returned; nil for a new resource.
	Attributes map[string]any
	// Snapshot asks a deletion to leave a last snapshot, where the type has some.
	Snapshot bool
	// Resumed reports that a creation was cut off: what exists under this resource's name may be its work.
	Resumed bool
}

// Result is a created or updated resource.
type Result struct {
	ID         string         // what Ref returns
	Attributes map[string]any // what Fn::GetAtt returns, dotted names as keys
}

// Type describes one resource type.
type Type struct {
	Name string
	// Properties that the handler knows; another one is refused by name.
	// A nil list accepts all (custom resources).
	Properties []string
	// Immutable are the paths of properties whose change replaces the resource, as in awsdata.Resource.CreateOnly,
	// which Register adds: a handler names what the schema leaves out.
	Immutable []string
	// Identifier are the properties that no two resources may share; default: the schema's primary identifier.
	Identifier []string
	// Snapshots reports whether Delete leaves a last snapshot when it is asked to.
	Snapshots bool
	// Recorded is why no service acts on the resource, empty where one does; `gitops local status` lists such types.
	Recorded string

	Create func(ctx context.Context, r *Request, p Properties) (Result, error)
	// Update is nil when every change replaces the resource.
	Update func(ctx context.Context, r *Request, id string, old, new Properties) (Result, error)
	Delete func(ctx context.Context, r *Request, id string, p Properties) error
}

var types = map[string]*Type{}

// Register adds a type, with what CloudFormation's schema says of it; it panics on a second registration of one name, which
// is a programming error.
func Register(t *Type) {
	if _, twice := types[t.Name]; twice {
		panic("resources: " + t.Name + " registered twice") //nolint:forbidigo // a programming error, found by the first test
	}
	if facts, err := awsdata.Type(t.Name); err == nil && strings.HasPrefix(t.Name, "AWS::") {
		t.Immutable = slices.Concat(t.Immutable, facts.CreateOnly)
		if t.Identifier == nil {
			t.Identifier = facts.PrimaryIdentifier
		}
	}
	types[t.Name] = t
}

// Lookup returns the named type.
func Lookup(name string) (*Type, bool) {
	t, ok := types[name]
	return t, ok
}

// All returns every registered type by name.
func All() map[string]*Type { return types }
