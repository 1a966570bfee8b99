package main

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appresources "k8s-plus-aws-gitops/app-resources"
	"k8s-plus-aws-gitops/infrastructure"
	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/services"
)

// serviceTemplates are the stacks of a service and of the network below it.
func serviceTemplates(t *testing.T, needs services.AWS) map[string]template {
	t.Helper()
	env, app := cdktest.Environment(t), cdktest.App(t)
	network := infrastructure.NewNetwork(cdktest.NewStack(app, "dev-network", env), "Network", &infrastructure.NetworkProps{Env: env})
	where := place{network: network, function: appresources.FunctionCode{Folder: cdktest.FunctionFolder(t), Hash: cdktest.FunctionHash}}.forApps()
	where.Shared = map[string]*appresources.Database{services.Postgres: appresources.NewSharedDatabase(cdktest.NewStack(app, "dev-shared-postgres", env), "Shared",
		&appresources.SharedDatabaseProps{Env: env, Network: where, Engine: services.Postgres})}
	stack := cdktest.NewStack(app, "dev-shop", env)
	appresources.NewService(stack, "Service", &appresources.ServiceProps{Env: env, Network: where, Service: services.Spec{Name: "shop", Settings: services.Settings{AWS: &needs}}})
	dir := *app.Synth(nil).Directory()
	return map[string]template{"dev-shop": readTemplate(t, filepath.Join(dir, "dev-shop.template.json"))}
}

// Another size is an update in place, up and down. What is something else to AWS has its reason.
func TestTwoStepServices(t *testing.T) {
	small := func() services.AWS {
		return services.AWS{
			Database: &services.Database{Engine: services.Postgres}, Cache: &services.Cache{}, Bucket: &services.Bucket{}, Queue: &services.Queue{},
			Topic: &services.Topic{}, Table: &services.Table{PartitionKey: &services.Key{Name: "id"}}, Mail: &services.Mail{}, Assets: &services.Assets{},
			Secrets: map[string]services.Generated{"SESSION_KEY": {}},
		}
	}
	on := true
	two := 2
	before := serviceTemplates(t, small())
	for name, c := range map[string]struct {
		edit func(*services.AWS)
		// changed are the ids, without hash, of the resources that differ afterwards.
		changed []string
		// reason by prefix of a finding.
		reasons map[string]string
	}{
		"sizes": {edit: func(a *services.AWS) {
			a.Database = &services.Database{Engine: services.Postgres, InstanceClass: "db.m7g.large", MultiAZ: &on, StorageGiB: 50, MaxStorageGiB: 200, BackupDays: 14, LogDays: 90, RotationDays: 90}
			a.Cache = &services.Cache{NodeType: "cache.m7g.large", Replicas: &two}
			a.Bucket = &services.Bucket{ExpireDays: 30}
			a.Queue = &services.Queue{VisibilitySeconds: 60, RetentionDays: 7, MaxReceives: 3}
			a.Table = &services.Table{PartitionKey: &services.Key{Name: "id"}, Expires: "gone", Recovery: &on}
		}, changed: []string{"ServiceBucket", "ServiceCacheGroup", "ServiceDatabase", "ServiceDatabaseLogpostgresql", "ServiceDatabaseUserLogs", "ServiceDatabaseUserRotation", "ServiceQueue", "ServiceTable"}},
		"sender":   {edit: func(a *services.AWS) { a.Mail = &services.Mail{User: "shop"} }, changed: []string{"ServiceRole"}},
		"no mail":  {edit: func(a *services.AWS) { a.Mail = nil }, changed: []string{"ServiceMailDKIM1", "ServiceMailDKIM2", "ServiceMailDKIM3", "ServiceMailIdentity", "ServiceRole"}},
		"no files": {edit: func(a *services.AWS) { a.Assets = nil }, changed: []string{"ServiceRole"}},
		"another engine": {
			edit:    func(a *services.AWS) { a.Database = &services.Database{Engine: services.MySQL} },
			changed: nil, reasons: map[string]string{"dev-shop/ServiceDatabase": "the engine of an instance cannot change; the agreed name keeps CloudFormation from replacing it"},
		},
		// The guard asks for an entry; then it is a change in place, under the agreed names, but for the instance.
		"the shared instance": {edit: func(a *services.AWS) { a.Database = &services.Database{Engine: services.Postgres, Shared: &on} }},
		"another snapshot": {
			edit:    func(a *services.AWS) { a.Database.Snapshot = "dev-shop-last" },
			changed: []string{"ServiceDatabase"},
			reasons: map[string]string{"dev-shop/ServiceDatabase": "an instance is restored when it is made; the agreed name keeps CloudFormation from replacing one that is there"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			needs := small()
			c.edit(&needs)
			after := serviceTemplates(t, needs)
			used := map[string]bool{}
			for _, s := range []step{{before, after}, {after, before}} {
				for _, f := range s.findings(t) {
					excused := false
					for prefix := range c.reasons {
						if strings.HasPrefix(f.String(), prefix) {
							excused, used[prefix] = true, true
						}
					}
					if !excused {
						t.Error(f)
					}
				}
			}
			for prefix := range c.reasons {
				if !used[prefix] {
					t.Errorf("nothing is found at %s; remove the reason", prefix)
				}
			}
			if got := changedResources(before["dev-shop"], after["dev-shop"]); c.changed != nil && !slices.Equal(got, c.changed) {
				t.Errorf("changed %v, want %v", got, c.changed)
			}
		})
	}
}

// changedResources are the ids, without hash, of what differs between two templates.
func changedResources(before, after template) []string {
	all := maps.Clone(before.Resources)
	maps.Copy(all, after.Resources)
	var changed []string
	for id := range all {
		if text(before.Resources[id]) != text(after.Resources[id]) {
			changed = append(changed, idHash.ReplaceAllString(id, ""))
		}
	}
	slices.Sort(changed)
	return changed
}
