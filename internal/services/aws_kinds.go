package services

import (
	"k8s-plus-aws-gitops/config"
)

// kind is a thing that a service can have in AWS: what pods, other services and AWS's limits know of it. The rules of its
// keys are in aws_rules.go, and what makes it is in app-resources.
type kind struct {
	// key below aws, which also names it for people.
	key string
	// has reports whether a service has it.
	has func(AWS) bool
	// api reports that pods use it by an API of AWS, where a connection is by the network of the VPC.
	api bool
	// variables by which pods find it; nil without any.
	variables func(a AWS, env config.Environment, service string) map[string]string
	// connection is how pods reach what has an address and a password; nil for everything else.
	connection func(a AWS) Connection
	// secrets are the things, as in config.Environment.SecretName, of the secrets that come with it.
	secrets []string
	// longest name that AWS takes, with where AWS says so, and the name.
	longest int
	name    func(a AWS, env config.Environment, service string) string
	// hyphens in a row are refused by AWS.
	singleHyphens bool
	// arns are those that no other service may ask for.
	arns func(env config.Environment, service string) []string
}

// kinds by their keys, in the order of AWS. What is missing here is policy, which is about resources of others.
var kinds = []kind{
	{
		key: "database", has: func(a AWS) bool { return a.Database != nil },
		variables: func(AWS, config.Environment, string) map[string]string {
			return map[string]string{"DATABASE_CA": DatabaseCAFile}
		},
		connection: func(a AWS) Connection { return database(a.Database.Engine) }, secrets: []string{DatabaseThing, UserThing},
		longest: 64, // https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html; RDS takes 63 without its end
		name:    func(_ AWS, env config.Environment, service string) string { return env.DatabaseFunctionName(service) }, singleHyphens: true,
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("rds", "db:"+env.DatabaseIdentifier(service))}
		},
	},
	{
		key: "cache", has: func(a AWS) bool { return a.Cache != nil },
		connection: func(AWS) Connection { return cache }, secrets: cache.Things,
		longest: 40, // https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/API_CreateReplicationGroup.html
		name:    func(_ AWS, env config.Environment, service string) string { return env.CacheName(service) }, singleHyphens: true,
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("elasticache", "replicationgroup:"+env.CacheName(service))}
		},
	},
	{
		key: "bucket", has: func(a AWS) bool { return a.Bucket != nil }, api: true,
		variables: func(_ AWS, env config.Environment, service string) map[string]string {
			return map[string]string{"BUCKET_NAME": env.BucketName(service, BucketThing)}
		},
		longest: 63, // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
		name: func(_ AWS, env config.Environment, service string) string {
			return env.BucketName(service, BucketThing)
		},
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("s3", env.BucketName(service, BucketThing))}
		},
	},
	{
		key: "queue", has: func(a AWS) bool { return a.Queue != nil }, api: true,
		variables: func(a AWS, env config.Environment, service string) map[string]string {
			return map[string]string{"QUEUE_URL": env.QueueURL(service, a.Queue.IsFIFO())}
		},
		longest: 80, // https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html
		name: func(a AWS, env config.Environment, service string) string {
			return env.DeadLetterName(service, a.Queue.IsFIFO())
		},
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("sqs", env.QueueName(service, false)), env.ARN("sqs", env.DeadLetterName(service, false))}
		},
	},
	{
		key: "topic", has: func(a AWS) bool { return a.Topic != nil }, api: true,
		variables: func(a AWS, env config.Environment, service string) map[string]string {
			return map[string]string{"TOPIC_ARN": env.ARN("sns", env.TopicName(service, a.Topic.IsFIFO()))}
		},
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("sns", env.TopicName(service, false))}
		},
	},
	{
		key: "table", has: func(a AWS) bool { return a.Table != nil }, api: true,
		variables: func(_ AWS, env config.Environment, service string) map[string]string {
			return map[string]string{"TABLE_NAME": env.TableName(service)}
		},
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("dynamodb", "table/"+env.TableName(service))}
		},
	},
	{
		key: "mail", has: func(a AWS) bool { return a.Mail != nil }, api: true,
		variables: func(a AWS, env config.Environment, service string) map[string]string {
			return map[string]string{"MAIL_FROM": a.Mail.From(env, service)}
		},
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("ses", "identity/"+env.MailDomain(service))}
		},
	},
	{
		// Its variables are of the release, which the file does not know: Spec.with.
		key: "assets", has: func(a AWS) bool { return a.Assets != nil }, api: true,
		arns: func(env config.Environment, service string) []string { return []string{env.AssetsARN(service)} },
	},
	{
		// ExternalSecret brings them, as those of the key secrets beside aws.
		key: "secrets", has: func(a AWS) bool { return len(a.Secrets) > 0 },
		arns: func(env config.Environment, service string) []string {
			return []string{env.ARN("secretsmanager", "secret:"+env.SecretName(service, ""))}
		},
	},
}

// of lists the kinds that a service has.
func (a AWS) of() []kind {
	var had []kind
	for _, k := range kinds {
		if k.has(a) {
			had = append(had, k)
		}
	}
	return had
}

// Connection is how pods reach what has an address and a password.
type Connection struct {
	// Name is database or cache.
	Name string
	// Things end the paths of the secrets that together have the keys.
	Things []string
	// Port is the engine's own.
	Port int
	// Variables are those of the pods by the key of a secret.
	Variables map[string]string
	// URL is the variable with the whole address, and Address what external-secrets makes it of.
	URL, Address string
}

// SecretName is that of the Secret with the variables of a service's connection, in the service's namespace.
func (c Connection) SecretName(service string) string { return service + "-" + c.Name }

// DatabaseVariables are the variables of a database by the key of its secret; DATABASE_URL has all of them.
var DatabaseVariables = map[string]string{
	"DATABASE_HOST": "host", "DATABASE_PORT": "port", "DATABASE_NAME": "dbname", "DATABASE_USER": "username", "DATABASE_PASSWORD": "password",
}

// database is the connection to a database.
func database(engine string) Connection {
	of := Engines[engine]
	return Connection{
		Name: DatabaseThing, Things: []string{UserThing}, Port: of.Port, Variables: DatabaseVariables,
		URL: "DATABASE_URL", Address: of.Scheme + "://{{ .username }}:{{ .password | urlquery }}@{{ .host }}:{{ .port }}/{{ .dbname }}" + of.Query,
	}
}

// CachePort is Valkey's own.
const CachePort = 6379

// cache is the connection to a cache, whose scheme asks for TLS. Its address is in a secret of its own, because the cache
// needs the password before it has an address.
var cache = Connection{
	Name: CacheThing, Things: []string{CacheThing, CacheEndpointThing}, Port: CachePort,
	Variables: map[string]string{"CACHE_HOST": "host", "CACHE_PORT": "port", "CACHE_PASSWORD": "password"},
	URL:       "CACHE_URL", Address: "rediss://:{{ .password | urlquery }}@{{ .host }}:{{ .port }}",
}

// CacheEndpoint is the content of the secret with a cache's address.
func CacheEndpoint(host, port string) map[string]string {
	return map[string]string{"host": host, "port": port}
}

// Connections are those of the service, a database before a cache.
func (s Spec) Connections() []Connection {
	var all []Connection
	if s.AWS != nil {
		for _, k := range s.AWS.of() {
			if k.connection != nil {
				all = append(all, k.connection(*s.AWS))
			}
		}
	}
	return all
}

// SecretPaths are where the connection's secrets are.
func (s Spec) SecretPaths(c Cluster, of Connection) []string {
	paths := make([]string, len(of.Things))
	for i, thing := range of.Things {
		paths[i] = c.names().SecretName(s.Name, thing)
	}
	return paths
}
