package services

import (
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// The last parts of agreed names.
const (
	// BucketThing is that of a service's bucket.
	BucketThing = "files"
	// DatabaseThing is that of the secret with a database's address, user and password.
	DatabaseThing = "database"
)

// DatabaseVariables are the variables of a database by the key of its secret; DATABASE_URL has all of them.
var DatabaseVariables = map[string]string{
	"DATABASE_HOST": "host", "DATABASE_PORT": "port", "DATABASE_NAME": "dbname", "DATABASE_USER": "username", "DATABASE_PASSWORD": "password",
}

// DatabaseURL is the variable with the whole address of a database.
const DatabaseURL = "DATABASE_URL"

// databaseSuffix keeps the name of a database from being a word that an engine reserves, such as mysql or admin.
const databaseSuffix = "db"

// DatabaseName is the name of a service's database and of its user: the letters and digits of the service's name, of which 14
// fit into the 16 characters that RDS for MySQL takes. Instances are of one service each, so it need not be the only one.
func DatabaseName(service string) string {
	name := strings.ReplaceAll(service, "-", "")
	return name[:min(len(name), 14)] + databaseSuffix
}

// names gives the environment's agreed names.
func (c Cluster) names() config.Environment {
	return config.Environment{Name: c.Environment, Account: c.Account, Region: c.Region}
}

// DatabaseSecret is the path of the secret with a database's address, user and password.
func (s Spec) DatabaseSecret(c Cluster) string { return c.names().SecretName(s.Name, DatabaseThing) }

// plain are the variables by which pods find what the service has in AWS, without those that hold secrets.
func (s Spec) plain(c Cluster) map[string]string {
	if s.AWS == nil {
		return nil
	}
	env, given := c.names(), map[string]string{"AWS_REGION": c.Region}
	if s.AWS.Bucket != nil {
		given["BUCKET_NAME"] = env.BucketName(s.Name, BucketThing)
	}
	if q := s.AWS.Queue; q != nil {
		given["QUEUE_URL"] = env.QueueURL(s.Name, q.IsFIFO())
	}
	if t := s.AWS.Topic; t != nil {
		given["TOPIC_ARN"] = env.ARN("sns", env.TopicName(s.Name, t.IsFIFO()))
	}
	if s.AWS.Table != nil {
		given["TABLE_NAME"] = env.TableName(s.Name)
	}
	return given
}

// CallsAPIs reports whether the pods call APIs of AWS.
func (a AWS) CallsAPIs() bool {
	return a.Bucket != nil || a.Queue != nil || a.Topic != nil || a.Table != nil || len(a.Policy) > 0
}

// given are all variables that the service gets for what it has in AWS. The values of secrets are their keys.
func (s Spec) given(c Cluster) map[string]string {
	given := s.plain(c)
	if s.AWS == nil {
		return given
	}
	if s.AWS.Database != nil {
		maps.Copy(given, DatabaseVariables)
		given[DatabaseURL] = ""
	}
	for name := range s.AWS.Secrets {
		given[name] = ""
	}
	return given
}

// withAWS adds the variables of what the service has in AWS.
func (s Spec) withAWS(c Cluster) Spec {
	if s.AWS == nil {
		return s
	}
	maps.Copy(s.Environment, s.plain(c))
	for _, name := range slices.Sorted(maps.Keys(s.AWS.Secrets)) {
		s.Secrets[name] = Secret{Path: c.names().SecretName(s.Name, SecretThing(name))}
	}
	return s
}

// In are the statement's resources in an environment.
func (s Statement) In(c Cluster) []string {
	resources := make([]string, len(s.Resources))
	for i, resource := range s.Resources {
		resources[i], _ = expand(resource, c.variables()) // checked by Load
	}
	return resources
}
