package services

import (
	"cmp"
	"reflect"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// AWS is what a service needs from AWS. The CDK app makes its stack <environment>-<service> of it, with one role for its
// pods; the pods find what is made by variables. Names follow from environment and service: config.Environment has them.
type AWS struct {
	// Database in Amazon RDS, on an instance of its own or on one that services share.
	Database *Database `yaml:"database" json:"database,omitempty"`
	// Cache of its own in Amazon ElastiCache, which speaks the protocol of Redis.
	Cache *Cache `yaml:"cache" json:"cache,omitempty"`
	// Bucket of its own: private, encrypted, versioned.
	Bucket *Bucket `yaml:"bucket" json:"bucket,omitempty"`
	// Queue of its own in Amazon SQS, with a second one for what cannot be processed.
	Queue *Queue `yaml:"queue" json:"queue,omitempty"`
	// Topic of its own in Amazon SNS, to which queues of other services subscribe.
	Topic *Topic `yaml:"topic" json:"topic,omitempty"`
	// Table of its own in Amazon DynamoDB, paid by request.
	Table *Table `yaml:"table" json:"table,omitempty"`
	// Mail lets it send mail by Amazon SES, from one address in a domain of its own.
	Mail *Mail `yaml:"mail" json:"mail,omitempty"`
	// Assets lets its pods read the service's static files, k8s/services/<service>/assets, in S3.
	Assets *Assets `yaml:"assets" json:"assets,omitempty"`
	// Secrets are random values that are made once, by the variable that holds them: at /<environment>/<service>/<variable>, in lower
	// case and with hyphens.
	Secrets map[string]Generated `yaml:"secrets" json:"secrets,omitempty"`
	// Policy is what else the role of the pods may do.
	Policy []Statement `yaml:"policy" json:"policy,omitempty"`
}

// Database is an RDS instance. What is left out is as for Ghost: config.Database.
type Database struct {
	// Engine is mysql (8.4) or postgres (17). Required.
	Engine string `yaml:"engine" json:"engine"`
	// Shared makes it a database, with a user of its own, on the instance that services of the environment share. What is said of
	// an instance is then the environment's, config.Databases. Default false.
	Shared *bool `yaml:"shared" json:"shared,omitempty"`
	// InstanceClass of RDS. Default db.t4g.small.
	InstanceClass string `yaml:"instanceClass" json:"instanceClass,omitempty"`
	// MultiAZ is a standby in another zone, with automatic failover; it doubles the price. Default false.
	MultiAZ *bool `yaml:"multiAz" json:"multiAz,omitempty"`
	// StorageGiB to start with (gp3). Default 20.
	StorageGiB int `yaml:"storageGiB" json:"storageGiB,omitempty"`
	// MaxStorageGiB is the limit of storage autoscaling. Default 100.
	MaxStorageGiB int `yaml:"maxStorageGiB" json:"maxStorageGiB,omitempty"`
	// BackupDays of automatic backups. Default 7.
	BackupDays int `yaml:"backupDays" json:"backupDays,omitempty"`
	// LogDays that the engine's logs are kept in CloudWatch Logs. Default 30.
	LogDays int `yaml:"logDays" json:"logDays,omitempty"`
	// RotationDays after which the password changes, 1 to 1000; no request fails by it. Default 30.
	RotationDays int `yaml:"rotationDays" json:"rotationDays,omitempty"`
	// Snapshot of RDS, by its identifier or ARN, of which the instance is made. It counts when the instance is made, and stays
	// in the file as long as it is there. Default: an empty database.
	Snapshot string `yaml:"snapshot" json:"snapshot,omitempty"`
}

// The engines of a database.
const (
	MySQL    = "mysql"
	Postgres = "postgres"
)

// Engine is how pods reach a database.
type Engine struct {
	// Port is the engine's own.
	Port int
	// Scheme begins the address of a database, and Query ends it. PostgreSQL's drivers have the names of libpq in common, by
	// which they check the server's certificate. Those of MySQL have none: what one reads makes another fail.
	Scheme, Query string
}

// Engines by their names in a service's file.
var Engines = map[string]Engine{
	MySQL:    {Port: 3306, Scheme: "mysql"},
	Postgres: {Port: 5432, Scheme: "postgres", Query: "?sslmode=verify-full&sslrootcert=" + DatabaseCAFile},
}

// Size is the size as the constructs take it, with defaults.
func (d Database) Size() config.Database {
	size := config.DefaultDatabase()
	for to, from := range map[*int]int{
		&size.StorageGiB: d.StorageGiB, &size.MaxStorageGiB: d.MaxStorageGiB, &size.BackupDays: d.BackupDays, &size.LogDays: d.LogDays,
		&size.RotationDays: d.RotationDays,
	} {
		if from != 0 {
			*to = from
		}
	}
	if d.InstanceClass != "" {
		size.InstanceClass = d.InstanceClass
	}
	if d.MultiAZ != nil {
		size.MultiAZ = *d.MultiAZ
	}
	return size
}

// Cache is a replication group of ElastiCache for Valkey with one shard.
type Cache struct {
	// NodeType of ElastiCache. Default cache.t4g.micro, which has 0.5 GiB.
	NodeType string `yaml:"nodeType" json:"nodeType,omitempty"`
	// Replicas of the node that takes the writes, each at the price of a node. Default 0.
	Replicas *int `yaml:"replicas" json:"replicas,omitempty"`
	// MultiAZ puts the replicas into other zones and lets one of them take over by itself. Default: with replicas.
	MultiAZ *bool `yaml:"multiAz" json:"multiAz,omitempty"`
}

// defaultNode is what a cache runs on of which nothing is said.
const defaultNode = "cache.t4g.micro"

// Node is the type of its nodes.
func (c Cache) Node() string { return cmp.Or(c.NodeType, defaultNode) }

// ReplicaCount is the number of its replicas.
func (c Cache) ReplicaCount() int {
	if c.Replicas == nil {
		return 0
	}
	return *c.Replicas
}

// FailsOver reports whether a replica in another zone takes over.
func (c Cache) FailsOver() bool {
	if c.MultiAZ == nil {
		return c.ReplicaCount() > 0
	}
	return *c.MultiAZ
}

// Mail is the right to send mail from one address, <user>@<service>.<domain of the environment>.
type Mail struct {
	// User is the part of the address before the @. Default noreply.
	User string `yaml:"user" json:"user,omitempty"`
}

// defaultMailUser is the sender of which nothing is said.
const defaultMailUser = "noreply"

// From is the address that the service's mail comes from.
func (m Mail) From(env config.Environment, service string) string {
	return cmp.Or(m.User, defaultMailUser) + "@" + env.MailDomain(service)
}

// Assets has no settings: the files are those of the service's folder.
type Assets struct{}

// Bucket is a bucket of S3.
type Bucket struct {
	// ExpireDays is the age at which objects are deleted. Default: never.
	ExpireDays int `yaml:"expireDays" json:"expireDays,omitempty"`
	// Origins are the pages, such as https://shop.example.com, that may upload and read in browsers (CORS). Default: none.
	Origins []string `yaml:"origins" json:"origins,omitempty"`
}

// Queue is a queue of SQS.
type Queue struct {
	// VisibilitySeconds is how long a message that was received stays hidden from others. Default 30.
	VisibilitySeconds int `yaml:"visibilitySeconds" json:"visibilitySeconds,omitempty"`
	// RetentionDays that a message waits at most. Default 4. Those that could not be processed are kept for 14.
	RetentionDays int `yaml:"retentionDays" json:"retentionDays,omitempty"`
	// MaxReceives is how often a message is received before it counts as one that cannot be processed. Default 5.
	MaxReceives int `yaml:"maxReceives" json:"maxReceives,omitempty"`
	// FIFO keeps the order of messages. It cannot change. Default false.
	FIFO *bool `yaml:"fifo" json:"fifo,omitempty"`
	// Subscribes are the services whose topics it gets the messages of.
	Subscribes []string `yaml:"subscribes" json:"subscribes,omitempty"`
}

// Topic is a topic of SNS.
type Topic struct {
	// FIFO keeps the order of messages; the queues that subscribe are FIFO, too. It cannot change. Default false.
	FIFO *bool `yaml:"fifo" json:"fifo,omitempty"`
}

// Table is a table of DynamoDB. Its keys cannot change.
type Table struct {
	// PartitionKey is the attribute by which items are found. Required.
	PartitionKey *Key `yaml:"partitionKey" json:"partitionKey,omitempty"`
	// SortKey is the attribute by which the items of one partition key are in order. Default: none.
	SortKey *Key `yaml:"sortKey" json:"sortKey,omitempty"`
	// Expires is the attribute with the time, in seconds since 1970, at which DynamoDB deletes an item. Default: none.
	Expires string `yaml:"expires" json:"expires,omitempty"`
	// Recovery keeps what is needed to restore any second of the last 35 days. Default: the environment's deletionProtection.
	Recovery *bool `yaml:"recovery" json:"recovery,omitempty"`
}

// Key is an attribute of a table.
type Key struct {
	// Name of the attribute. Required.
	Name string `yaml:"name" json:"name"`
	// Type is string, number or binary. Default string.
	Type string `yaml:"type" json:"type,omitempty"`
}

// Generated is a secret that AWS makes.
type Generated struct {
	// Length in letters and digits. Default 32.
	Length int `yaml:"length" json:"length,omitempty"`
}

// Statement allows actions on resources.
type Statement struct {
	// Actions of IAM, such as s3:GetObject. Required.
	Actions []string `yaml:"actions" json:"actions"`
	// Resources by ARN. They may use ${ENVIRONMENT}, ${AWS_REGION} and ${AWS_ACCOUNT_ID}. Required.
	Resources []string `yaml:"resources" json:"resources"`
}

// SecretThing is the last part of the path of a generated secret.
func SecretThing(variable string) string {
	return strings.ReplaceAll(strings.ToLower(variable), "_", "-")
}

// isSet reports whether a switch is there and on.
func isSet(value *bool) bool { return value != nil && *value }

// IsFIFO reports whether the queue keeps the order of its messages.
func (q Queue) IsFIFO() bool { return isSet(q.FIFO) }

// Recovers reports whether the table can be restored to any second, in an environment with or without deletion protection.
func (t Table) Recovers(protected bool) bool {
	return t.Recovery == nil && protected || isSet(t.Recovery)
}

// IsFIFO reports whether the topic keeps the order of its messages.
func (t Topic) IsFIFO() bool { return isSet(t.FIFO) }

// overlay puts the values that are set in d in the place of those in base: structs and maps key by key, lists whole.
func overlay(base, d reflect.Value) {
	switch d.Kind() {
	case reflect.Pointer:
		if d.IsNil() {
			return
		}
		if base.IsNil() || d.Elem().Kind() != reflect.Struct {
			base.Set(d)
			return
		}
		// Another environment has the same base.
		own := reflect.New(d.Type().Elem())
		own.Elem().Set(base.Elem())
		overlay(own.Elem(), d.Elem())
		base.Set(own)
	case reflect.Struct:
		for i := range d.NumField() {
			overlay(base.Field(i), d.Field(i))
		}
	case reflect.Map:
		if d.Len() == 0 {
			return
		}
		own := reflect.MakeMap(d.Type())
		for _, from := range []reflect.Value{base, d} {
			for iterator := from.MapRange(); iterator.Next(); {
				own.SetMapIndex(iterator.Key(), iterator.Value())
			}
		}
		base.Set(own)
	default:
		if !d.IsZero() {
			base.Set(d)
		}
	}
}
