package services

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
)

// SharedApp is the name, as of an application, of the instance that services of an environment share: its stack and instance
// are <environment>-shared-<engine>. No service has it.
func SharedApp(engine string) string { return "shared-" + engine }

// sharedApps are the names of all of them.
func sharedApps() []string {
	var all []string
	for _, engine := range slices.Sorted(maps.Keys(Engines)) {
		all = append(all, SharedApp(engine))
	}
	return all
}

// IsSharedApp reports whether a name is SharedApp's.
func IsSharedApp(name string) bool { return slices.Contains(sharedApps(), name) }

// The parts of a database's name on a shared instance: 22 characters, because MySQL takes 32 of a user's, of which _app_clone are
// ten. https://dev.mysql.com/doc/refman/8.4/en/user-names.html
const (
	sharedLetters = 16
	sharedHash    = 6
)

// SharedDatabaseName is the name of a service's database on a shared instance: the first letters and digits of the service's
// name, and a hash of the whole, so that customer-orders-a and customer-orders-b do not meet. It has no underscore, which MySQL
// reads in a GRANT as any character.
func SharedDatabaseName(service string) string {
	sum := sha256.Sum256([]byte(service))
	name := strings.ReplaceAll(service, "-", "")
	return name[:min(len(name), sharedLetters)] + hex.EncodeToString(sum[:])[:sharedHash]
}

// IsShared reports whether the database is one of several on the environment's instance.
func (d Database) IsShared() bool { return isSet(d.Shared) }

// SharedEngines are the engines of which services of an environment share an instance, in order.
func SharedEngines(c Cluster, all []Service) []string {
	var engines []string
	for _, s := range all {
		if d := s.database(c); d != nil && d.IsShared() && s.Enabled(c.Environment) {
			engines = append(engines, d.Engine)
		}
	}
	slices.Sort(engines)
	return slices.Compact(engines)
}

// database is the service's in an environment; nil without one.
func (s Service) database(c Cluster) *Database {
	if a := s.Resolve(c).AWS; a != nil {
		return a.Database
	}
	return nil
}

// ofInstance are the keys that are a shared instance's, and so the environment's.
var ofInstance = []string{"instanceClass", "multiAz", "storageGiB", "maxStorageGiB", "backupDays", "logDays", "snapshot"}

// shared checks a database on a shared instance: it says nothing of the instance, and has a name of its own there.
func (r *rules) shared(c Cluster, d Database, all map[string]Service) {
	for _, key := range ofInstance {
		if at := r.own(c, "aws.database."+key); r.has("", at) {
			remedy := "move it to databases." + d.Engine + " of the environment in cdk.json, or to the environments where the service has an instance of its own"
			if key == "snapshot" {
				remedy = "restore a dump instead: docs/resources/database.md#shared"
			}
			r.once(at, remedy, "must not be there with shared: true in environment %s, where the instance is that of several services", c.Environment)
		}
	}
	name := SharedDatabaseName(r.service.Name)
	for _, other := range slices.Sorted(maps.Keys(all)) {
		if other == r.service.Name || SharedDatabaseName(other) != name || !all[other].Enabled(c.Environment) {
			continue
		}
		if o := all[other].database(c); o != nil && o.IsShared() && o.Engine == d.Engine {
			r.once(r.own(c, "aws.database.shared"), "rename one of the files, or leave shared out of one", "must have a database of another name than %s's on the shared instance of environment %s, got %s", other, c.Environment, name)
		}
	}
}
