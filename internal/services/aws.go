package services

import (
	"reflect"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// AWS is what a service needs from AWS. The CDK app makes its stack <environment>-<service> of it, with one role for its
// pods; the pods find what is made by variables. Names follow from environment and service: config.Environment has them.
type AWS struct {
	// Database of its own, in Amazon RDS.
	Database *Database `yaml:"database" json:"database,omitempty"`
	// Bucket of its own: private, encrypted, versioned.
	Bucket *Bucket `yaml:"bucket" json:"bucket,omitempty"`
	// Queue of its own in Amazon SQS, with a second one for what cannot be processed.
	Queue *Queue `yaml:"queue" json:"queue,omitempty"`
	// Topic of its own in Amazon SNS, to which queues of other services subscribe.
	Topic *Topic `yaml:"topic" json:"topic,omitempty"`
	// Table of its own in Amazon DynamoDB, paid by request.
	Table *Table `yaml:"table" json:"table,omitempty"`
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
	// Scheme begins the address of a database, and Query ends it. PostgreSQL's drivers would go on without TLS, where MySQL's
	// server refuses them.
	Scheme, Query string
}

// Engines by their names in a service's file.
var Engines = map[string]Engine{
	MySQL:    {Port: 3306, Scheme: "mysql"},
	Postgres: {Port: 5432, Scheme: "postgres", Query: "?sslmode=require"},
}

// Size is the size as the constructs take it, with defaults.
func (d Database) Size() config.Database {
	size := config.DefaultDatabase()
	for to, from := range map[*int]int{
		&size.StorageGiB: d.StorageGiB, &size.MaxStorageGiB: d.MaxStorageGiB, &size.BackupDays: d.BackupDays, &size.LogDays: d.LogDays,
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
