package services

import "strings"

// badAWS are what a service cannot have in AWS, added to the good file, which has nine lines.
var badAWS = []badFile{
	{name: "aws as a list", add: "aws: [bucket]\n", line: 10, says: "aws: must be keys and values, got a list", schema: true},
	{name: "aws unknown key", add: "aws:\n  buckets: {}\n", line: 11, says: `aws.buckets: is not a known key; did you mean "bucket"?`, schema: true},
	{name: "aws in upper case", add: "AWS: {bucket: {}}\n", line: 10, says: `AWS: is not a known key`, schema: true},
	{name: "bucket as a switch", add: "aws:\n  bucket: true\n", line: 11, says: "aws.bucket: must be keys and values, got true", schema: true},
	// names
	{name: "stack of the platform", file: "network.yaml", content: "image: a:1\nport: 8080\naws: {bucket: {}}\n", line: 3, says: `aws: must not have the name of a stack of the platform, got "network"`},
	{name: "role of the platform", file: "images.yaml", content: "image: a:1\nport: 8080\naws: {bucket: {}}\n", line: 3, says: `must not have the name of a stack of the platform, got "images"`},
	{name: "bucket with a long name", file: strings.Repeat("a", 30) + ".yaml", content: "image: a:1\nport: 8080\naws: {bucket: {}}\n", line: 3, says: "aws: must have a name of at most 63 characters for its bucket in "},
	{name: "two hyphens for a database", file: "a--b.yaml", content: "image: a:1\nport: 8080\naws: {database: {engine: mysql}}\n", line: 3, says: "aws: must not have two hyphens in a row"},
	// databases
	{name: "database without an engine", add: "aws:\n  database: {}\n", line: 11, says: "aws.database.engine: is missing; write engine: mysql"},
	{name: "database engine", add: "aws:\n  database: {engine: postgresql}\n", line: 11, says: `must be mysql or postgres, got "postgresql"; did you mean "postgres"?`, schema: true},
	{name: "database engine version", add: "aws:\n  database: {engine: postgres, version: 17}\n", line: 11, says: "aws.database.version: is not a known key", schema: true},
	{name: "database class of EC2", add: "aws:\n  database: {engine: mysql, instanceClass: t4g.small}\n", line: 11, says: `must be an RDS instance class, got "t4g.small"`, schema: true},
	{name: "database class of no size", add: "aws:\n  database: {engine: mysql, instanceClass: db.t4g}\n", line: 11, says: `must be an RDS instance class, got "db.t4g"`},
	{name: "database too small", add: "aws:\n  database: {engine: mysql, storageGiB: 5}\n", line: 11, says: "aws.database.storageGiB: must be from 20 to 65536, got 5", schema: true},
	{name: "database without room to grow", add: "aws:\n  database: {engine: mysql, storageGiB: 100}\n", line: 11, says: "must be at least 10 % above storageGiB"},
	{name: "database without backups", add: "aws:\n  database: {engine: mysql, backupDays: 40}\n", line: 11, says: "aws.database.backupDays: must be from", schema: true},
	{name: "database with few backups where data is protected", add: "aws:\n  database: {engine: mysql, backupDays: 1}\n", line: 11, says: "must be from 7 to 35, got 1 in environment production"},
	{name: "database logs", add: "aws:\n  database: {engine: mysql, logDays: 31}\n", line: 11, says: "must be a number of days that CloudWatch Logs offers, got 31"},
	{name: "database size as text", add: "aws:\n  database: {engine: mysql, storageGiB: 20Gi}\n", line: 11, says: "must be a whole number", schema: true},
	// buckets
	{name: "bucket that expires at once", add: "aws:\n  bucket: {expireDays: 0}\n", line: 11, says: "aws.bucket.expireDays: must be from 1 to 36500, got 0", schema: true},
	{name: "bucket open to every page", add: "aws:\n  bucket: {origins: [\"*\"]}\n", line: 11, says: "aws.bucket.origins[0]: must be an origin without path and wildcard", schema: true},
	{name: "bucket origin with a path", add: "aws:\n  bucket: {origins: [\"https://a.example.com/x\"]}\n", line: 11, says: "must be an origin without path", schema: true},
	{name: "bucket origin in the clear", add: "aws:\n  bucket: {origins: [\"http://a.example.com\"]}\n", line: 11, says: "must be an origin"},
	// queues and topics
	{name: "queue that hides for a day", add: "aws:\n  queue: {visibilitySeconds: 86400}\n", line: 11, says: "aws.queue.visibilitySeconds: must be from 1 to 43200, got 86400", schema: true},
	{name: "queue that keeps for a month", add: "aws:\n  queue: {retentionDays: 30}\n", line: 11, says: "must be from 1 to 14, got 30", schema: true},
	{name: "queue that never gives up", add: "aws:\n  queue: {maxReceives: 0}\n", line: 11, says: "must be from 1 to 1000, got 0", schema: true},
	{name: "queue name with a suffix", file: "jobs.fifo.yaml", add: "aws: {queue: {}}\n", line: 1, says: "must be named by lower case letters"},
	{name: "subscription to nobody", add: "aws:\n  queue: {subscribes: [gitub]}\n", line: 11, says: `aws.queue.subscribes[0]: must be the name of a service, got "gitub"`},
	{name: "subscription to a service without a topic", add: "aws:\n  queue: {subscribes: [npm]}\n", line: 11, says: `must be a service with a topic, got "npm"; write aws: {topic: {}} in k8s/services/npm.yaml`},
	{name: "subscription twice", add: "aws:\n  queue: {subscribes: [github, github]}\n", line: 11, says: "twice", schema: true},
	{name: "FIFO queue of a plain topic", add: "aws:\n  queue: {fifo: true, subscribes: [github]}\n", line: 11, says: "must have a topic of the queue's kind"},
	{
		name: "subscriptions in a circle", add: "aws:\n  topic: {}\n  queue: {subscribes: [relay]}\n", line: 12, says: `must not lead back to the service: "relay" subscribes to it`,
		others: map[string]string{"relay": "image: a:1\nport: 8080\naws: {topic: {}, queue: {subscribes: [npm]}}\n"},
	},
	// tables
	{name: "table without a key", add: "aws:\n  table: {}\n", line: 11, says: "aws.table.partitionKey: is missing"},
	{name: "table key type", add: "aws:\n  table: {partitionKey: {name: id, type: text}}\n", line: 11, says: `must be string, number or binary, got "text"`, schema: true},
	{name: "table key twice", add: "aws:\n  table: {partitionKey: {name: id}, sortKey: {name: id}}\n", line: 11, says: "must be an attribute of its own"},
	{name: "table key with a blank", add: "aws:\n  table: {partitionKey: {name: \"my id\"}}\n", line: 11, says: "must be the name of an attribute", schema: true},
	// secrets
	{name: "secret at the path of the database", add: "aws:\n  database: {engine: mysql}\n  secrets: {DATABASE: {}}\n", line: 12, says: "must have a path of its own, got /dev/npm/database"},
	{name: "secrets that differ in case", add: "aws:\n  secrets: {KEY: {}, key: {}}\n", line: 11, says: "must have a path of its own"},
	{name: "secret too short", add: "aws:\n  secrets: {KEY: {length: 8}}\n", line: 11, says: "must be from 16 to 4096, got 8", schema: true},
	{name: "secret with a hyphen", add: "aws:\n  secrets: {MY-KEY: {}}\n", line: 11, says: "must be named by letters, digits and underscores", schema: true},
	{name: "variable that aws gives", replace: map[string]string{"  LEVEL: info": "  QUEUE_URL: x"}, add: "aws: {queue: {}}\n", line: 5, says: "environment.QUEUE_URL: must not be set here: aws gives it"},
	// policies
	{name: "policy of everything", add: "aws:\n  policy:\n    - {actions: [\"*\"], resources: [\"arn:aws:s3:::x\"]}\n", line: 12, says: "must be an action of IAM by its name", schema: true},
	{name: "policy of a service", add: "aws:\n  policy:\n    - {actions: [\"s3:*\"], resources: [\"arn:aws:s3:::x\"]}\n", line: 12, says: "must be an action of IAM by its name", schema: true},
	{name: "policy on everything", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"*\"]}\n", line: 12, says: "must not be for all resources"},
	{name: "policy on everything and more", add: "aws:\n  policy:\n    - {actions: [\"sqs:ListQueues\"], resources: [\"*\", \"arn:aws:s3:::x\"]}\n", line: 12, says: "must be for all resources"},
	{name: "policy of a service that IAM has not", add: "aws:\n  policy:\n    - {actions: [\"s33:GetObject\"], resources: [\"arn:aws:s3:::x\"]}\n", line: 12, says: "must be an action of a service that IAM has, got \"s33:GetObject\"; did you mean \"s3\"?"},
	{name: "policy of an action that IAM has not", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObjekt\"], resources: [\"arn:aws:s3:::x\"]}\n", line: 12, says: "must be an action that IAM has, got \"s3:GetObjekt\"; did you mean \"GetObject\"?"},
	{name: "policy of a beginning that IAM has not", add: "aws:\n  policy:\n    - {actions: [\"s3:Gett*\"], resources: [\"arn:aws:s3:::x\"]}\n", line: 12, says: "must be an action that IAM has"},
	{name: "policy on a resource that IAM does not ask for", add: "aws:\n  policy:\n    - {actions: [\"sqs:ListQueues\"], resources: [\"arn:aws:sqs:eu-west-1:111111111111:x\"]}\n", line: 12, says: "must be for all resources"},
	{name: "policy on every bucket", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::*\"]}\n", line: 12, says: "must be the ARN of a resource"},
	{name: "policy that widens itself", add: "aws:\n  policy:\n    - {actions: [\"iam:PutRolePolicy\"], resources: [\"arn:aws:iam::111111111111:role/x\"]}\n", line: 12, says: "must not be an action of iam"},
	{name: "policy on nothing", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"]}\n", line: 12, says: "resources: is missing", schema: true},
	{name: "policy on another's bucket", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::${ENVIRONMENT}-github-files-*\"]}\n", line: 12, says: "must not be another service's"},
	{name: "policy on another's objects", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::${ENVIRONMENT}-github-files-${AWS_ACCOUNT_ID}-${AWS_REGION}/*\"]}\n", line: 12, says: "which covers the bucket of github"},
	{name: "policy on a pattern of another's objects", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::${ENVIRONMENT}-git*/private.txt\"]}\n", line: 12, says: "which covers the bucket of github"},
	{name: "policy on another's dead letters", add: "aws:\n  policy:\n    - {actions: [\"sqs:ReceiveMessage\"], resources: [\"arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:${ENVIRONMENT}-github-dead\"]}\n", line: 12, says: "which covers the dead letters of github"},
	{name: "policy on another's queue", add: "aws:\n  policy:\n    - {actions: [\"sqs:SendMessage\"], resources: [\"arn:aws:sqs:${AWS_REGION}:${AWS_ACCOUNT_ID}:${ENVIRONMENT}-*\"]}\n", line: 12, says: "which covers the queue of github"},
	{name: "policy on another's secret", add: "aws:\n  policy:\n    - {actions: [\"secretsmanager:GetSecretValue\"], resources: [\"arn:aws:secretsmanager:${AWS_REGION}:${AWS_ACCOUNT_ID}:secret:/${ENVIRONMENT}/github/api-*\"]}\n", line: 12, says: "which covers the secrets of github"},
	{name: "policy with an unknown variable", add: "aws:\n  policy:\n    - {actions: [\"s3:GetObject\"], resources: [\"arn:aws:s3:::${ENV}-x\"]}\n", line: 12, says: "must use known variables, got ${ENV}"},
}
