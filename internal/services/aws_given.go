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
	// DatabaseThing is that of the secret with a database's address, and its administrator's name and password.
	DatabaseThing = "database"
	// UserThing is that of the secret with a database's address, and the pods' user and password, which changes.
	UserThing = "database-user"
	// CacheThing is that of the secret with a cache's password, and CacheEndpointThing that of the one with its address.
	CacheThing         = "cache"
	CacheEndpointThing = "cache-endpoint"
)

// DatabaseCAConfigMap holds the certificates by which pods know their database's server, under the key DatabaseCAKey. The
// fleet makes it, so that new certificates need no release of a service.
const (
	DatabaseCAConfigMap = "database-ca"
	DatabaseCAKey       = "ca.pem"
	// DatabaseCADir is where pods have it, and DatabaseCAFile the path that the variable DATABASE_CA holds.
	DatabaseCADir  = "/etc/database-ca"
	DatabaseCAFile = DatabaseCADir + "/" + DatabaseCAKey
)

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
	return config.Environment{Name: c.Environment, Account: c.Account, Region: c.Region, Domain: c.Domain}
}

// plain are the variables by which pods find what the service has in AWS, without those that hold secrets.
func (s Spec) plain(c Cluster) map[string]string {
	if s.AWS == nil {
		return nil
	}
	given := map[string]string{"AWS_REGION": c.Region}
	for _, k := range s.AWS.of() {
		if k.variables != nil {
			maps.Copy(given, k.variables(*s.AWS, c.names(), s.Name))
		}
	}
	return given
}

// CallsAPIs reports whether the pods call APIs of AWS.
func (a AWS) CallsAPIs() bool {
	return len(a.Policy) > 0 || slices.ContainsFunc(a.of(), func(k kind) bool { return k.api })
}

// given are the variables that the service gets for what it has in AWS, but for the secrets that it names itself. The values
// of those that hold secrets are their keys.
func (s Spec) given(c Cluster) map[string]string {
	given := s.plain(c)
	for _, connection := range s.Connections() {
		maps.Copy(given, connection.Variables)
		given[connection.URL] = ""
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
