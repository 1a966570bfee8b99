package risk

import (
	"testing"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// A service that leaves its database on a shared instance needs an entry, as one that loses its own instance does: no resource of
// CloudFormation goes with it.
func TestSharedDatabases(t *testing.T) {
	user := func(properties map[string]any) map[string]any {
		return map[string]any{"Type": databaseUser, "Properties": properties}
	}
	shared := func(instance, database, onDelete string) map[string]any {
		return user(map[string]any{"Secret": "arn", "Instance": instance, "Database": database, "OnDelete": onDelete})
	}
	own := user(map[string]any{"Secret": "arn"})
	for name, c := range map[string]struct {
		old, now map[string]any
		impact   cfndiff.Impact
		want     string
	}{
		"it is dropped":          {shared("dev-shared-mysql", "orders1", "drop"), nil, cfndiff.Destroy, "database orders1 on dev-shared-mysql will be dropped; at stake: its data"},
		"it is kept":             {shared("dev-shared-mysql", "orders1", "keep"), nil, cfndiff.Destroy, "its users will be locked out; the data of orders1 on dev-shared-mysql stays there, where nothing looks after it"},
		"an instance of its own": {shared("dev-shared-mysql", "orders1", "keep"), own, cfndiff.Update, "an instance of its own, which is empty, takes the place of the shared one; the data of orders1 on dev-shared-mysql stays there, where nothing looks after it"},
		"another engine":         {shared("dev-shared-mysql", "orders1", "keep"), shared("dev-shared-postgres", "orders1", "keep"), cfndiff.Update, "an empty database orders1 on dev-shared-postgres takes the place of the one that is there; the data of orders1 on dev-shared-mysql stays there, where nothing looks after it"},
		"another name":           {shared("dev-shared-mysql", "orders1", "keep"), shared("dev-shared-mysql", "orders2", "keep"), cfndiff.Update, "an empty database orders2 on dev-shared-mysql takes the place of the one that is there; the data of orders1 on dev-shared-mysql stays there, where nothing looks after it"},
		"better kept":            {shared("dev-shared-mysql", "orders1", "drop"), shared("dev-shared-mysql", "orders1", "keep"), cfndiff.Update, ""},
		"it is new":              {nil, shared("dev-shared-mysql", "orders1", "drop"), cfndiff.Create, ""},
		"from its own instance":  {own, shared("dev-shared-mysql", "orders1", "drop"), cfndiff.Update, ""}, // the instance is found
		"its own goes":           {own, nil, cfndiff.Destroy, "will be deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			found := lifecycle(Place{"dev", "orders"}, cfndiff.Resource{ID: "User", Type: databaseUser, Impact: c.impact, Old: c.old, New: c.now})
			check(t, found, c.want)
			if len(found) > 0 && found[0].Guarded != (c.old["Properties"].(map[string]any)["Instance"] != nil) {
				t.Errorf("guarded: %+v", found[0])
			}
		})
	}
	found := protection(Place{"dev", "orders"}, cfndiff.Resource{
		ID: "User", Type: databaseUser, Old: shared("i", "d", "keep"), New: shared("i", "d", "drop"),
		Properties: map[string]cfndiff.Change{"OnDelete": {Old: "keep", New: "drop"}},
	})
	check(t, found, "its database on the shared instance will be dropped, and not kept, when it leaves the stack")
}
