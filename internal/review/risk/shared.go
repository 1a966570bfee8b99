package risk

import (
	"fmt"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// databaseUser is the type of a user that the function of a database makes. On an instance that services share it stands for the
// database, too, which is no resource of CloudFormation.
const databaseUser = "Custom::DatabaseUser"

// sharedDatabase is the database on a shared instance that a resource stands for; empty for any other resource.
func sharedDatabase(definition map[string]any) (instance, name string) {
	if definition["Type"] == databaseUser {
		properties, _ := definition["Properties"].(map[string]any)
		instance, _ = properties["Instance"].(string)
		name, _ = properties["Database"].(string)
	}
	return instance, name
}

// sharedLifecycle finds that a service leaves its database on a shared instance: for nothing, or for another, which is empty.
func sharedLifecycle(place Place, r cfndiff.Resource) []Finding {
	f := Finding{Resource: place.resource(r.ID), Path: r.Path, Type: databaseUser, Guarded: true}
	instance, name := sharedDatabase(r.Old)
	other, now := sharedDatabase(r.New)
	stays := fmt.Sprintf("the data of %s on %s stays there, where nothing looks after it", name, instance)
	switch properties, _ := r.Old["Properties"].(map[string]any); {
	case r.New == nil && properties["OnDelete"] == "drop":
		f.Kind, f.Message = Deletion, fmt.Sprintf("database %s on %s will be dropped; at stake: its data", name, instance)
	case r.New == nil:
		f.Kind, f.Message = Deletion, "its users will be locked out; "+stays
	case other == "":
		f.Kind, f.Message = Replacement, "an instance of its own, which is empty, takes the place of the shared one; "+stays
	case other != instance || now != name:
		f.Kind, f.Message = Replacement, fmt.Sprintf("an empty database %s on %s takes the place of the one that is there; %s", now, other, stays)
	default:
		return nil
	}
	return []Finding{f}
}
