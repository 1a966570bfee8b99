package config

import "reflect"

// fifoSuffix ends the names of queues and topics that keep the order of their messages; AWS wants it so.
const fifoSuffix = ".fifo"

// QueueName is the agreed name of an app's queue in SQS, and DeadLetterName that of the queue for what it could not process.
func (e Environment) QueueName(app string, fifo bool) string { return suffixed(e.Name+"-"+app, fifo) }

// DeadLetterName is described at QueueName.
func (e Environment) DeadLetterName(app string, fifo bool) string {
	return suffixed(e.Name+"-"+app+"-dead", fifo)
}

// QueueURL is the address by which SQS knows an app's queue.
func (e Environment) QueueURL(app string, fifo bool) string {
	return "https://sqs." + e.Region + "." + e.DNSSuffix() + "/" + e.Account + "/" + e.QueueName(app, fifo)
}

// TopicName is the agreed name of an app's topic in SNS.
func (e Environment) TopicName(app string, fifo bool) string { return suffixed(e.Name+"-"+app, fifo) }

// TableName is the agreed name of an app's table in DynamoDB.
func (e Environment) TableName(app string) string { return e.Name + "-" + app }

// CacheName is the agreed name of an app's cache in ElastiCache.
func (e Environment) CacheName(app string) string { return e.Name + "-" + app }

// MailDomain is the agreed domain that an app other than Ghost sends mail from: its own below the environment's, because SES
// has one identity of a domain in an account and region.
func (e Environment) MailDomain(app string) string { return app + "." + e.Domain }

// AssetsARN is the objects of a service in AssetsBucket, of all its releases.
func (e Environment) AssetsARN(service string) string {
	return e.ARN("s3", e.AssetsBucket()+"/"+AssetsPrefix+service+"/")
}

// ControlPlaneLogs is the log group that EKS writes a control plane's logs to:
// https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html
func ControlPlaneLogs(cluster string) string { return "/aws/eks/" + cluster + "/cluster" }

// NotificationsTopic is the agreed name of the topic that tells people of what failed.
func (e Environment) NotificationsTopic() string { return e.StackName("delivery") }

func suffixed(name string, fifo bool) string {
	if fifo {
		return name + fifoSuffix
	}
	return name
}

// DefaultDatabase is a database of which nothing is said.
func DefaultDatabase() Database {
	var d Database
	(&report{}).at("").decode(nil, reflect.ValueOf(&d).Elem())
	return d
}

// Check checks the size of a database in an environment with or without deletion protection. The paths of the problems begin
// with a dot.
func (d Database) Check(protected bool) Problems {
	r := &report{}
	checkDatabase(r.at(""), d, protected)
	return r.problems
}

// RestoredIdentifier is the agreed identifier of the instance of RDS that `gitops restore` makes of an app's backup, for as long
// as it looks into it. RestoredTag marks it, with the environment as its value.
func (e Environment) RestoredIdentifier(app string) string {
	return e.DatabaseIdentifier(app) + RestoredSuffix
}

// RestoredTag and RestoredSuffix are described at RestoredIdentifier.
const (
	RestoredTag    = "gitops-restored-into"
	RestoredSuffix = "-restored"
)

// BeforeInfix is between a database's identifier and the commit in the name of a snapshot that is made before the commit migrates
// the schema, and BeforeTag marks it, with the identifier as its value.
const (
	BeforeInfix = "-before-"
	BeforeTag   = "gitops-before-migration"
)
