package nag

import (
	"strings"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services"
)

// serviceSuppressions are the accepted findings of what services have in AWS.
func serviceSuppressions(env config.Environment, all []services.Service) []Suppression {
	var list []Suppression
	for _, service := range all {
		if spec := service.Resolve(services.ClusterOf(env)); spec.AWS != nil && service.Enabled(env.Name) {
			for _, s := range suppressionsOf(env, spec.Name, *spec.AWS) {
				s.Stack, s.Path = spec.Name, "Service/"+s.Path
				list = append(list, s)
			}
		}
	}
	return list
}

func suppressionsOf(env config.Environment, service string, a services.AWS) []Suppression {
	var list []Suppression
	add := func(path, rule, reason string, applies ...any) {
		list = append(list, Suppression{Path: path, Rule: rule, Reason: reason, AppliesTo: applies})
	}
	if a.Database != nil {
		database(env, *a.Database, add)
	}
	if a.Cache != nil {
		cache(*a.Cache, add)
	}
	if a.Bucket != nil {
		add("Bucket/Resource", "S1", "One role reads and writes it. Who needs the record enables CloudTrail data events for the account.")
		add("Role/Resource", "IAM5", "The objects of the service's own bucket, whose keys the service chooses.", "Resource::<ServiceBucket91D6FFCF.Arn>/*")
	}
	if a.Mail != nil {
		add("Role/Resource", "IAM5", "In SES's sandbox the recipient's identity is asked for, too; the condition leaves one sender.", "Resource::"+env.ARN("ses", "identity/*"))
	}
	if a.Assets != nil {
		add("Role/Resource", "IAM5", "The service's own static files, which are under another key with each release.", "Resource::"+env.AssetsARN(service)+"*")
	}
	if t := a.Table; t != nil && !t.Recovers(env.DeletionProtection) {
		add("Table/Table/Resource", "DDB3", "The configuration says that the data of this environment, or of this table, need not be restored (aws.table.recovery).")
	}
	for variable := range a.Secrets {
		add("Secret-"+services.SecretThing(variable)+"/Resource", "SMG4", "What the value signs or encrypts becomes void when it changes, so the service decides when: by another secret.")
	}
	var asked []any
	for _, s := range a.Policy {
		for _, action := range s.Actions {
			if strings.HasSuffix(action, "*") {
				asked = append(asked, "Action::"+action)
			}
		}
		for _, resource := range s.In(services.ClusterOf(env)) {
			if strings.Contains(resource, "*") {
				asked = append(asked, "Resource::"+resource)
			}
		}
	}
	if len(asked) > 0 {
		add("Role/Resource", "IAM5", "The service's file asks for it, narrowed to a service's actions and to named resources; the review shows it.", asked...)
	}
	return list
}

// database are the accepted findings of a service's database.
func database(env config.Environment, d services.Database, add func(path, rule, reason string, applies ...any)) {
	const instance = "Database/Database/Resource"
	add("Database/Secret/Resource", "SMG4", "Rotation by function needs one with network access to the database in every environment. The password leaves AWS only through ExternalSecret, and the database admits only pods, over TLS.")
	add(instance, "RDS11", "Another port hides nothing from the only ones who can reach it, the pods; clients and tools expect the engine's own.")
	if !d.Size().MultiAZ {
		add(instance, "RDS3", "A standby doubles the price; the service's file does without in this environment (aws.database.multiAz).")
	}
	if !env.DeletionProtection {
		add(instance, "RDS10", "The configuration says that this environment can be destroyed (deletionProtection).")
	}
}

// cache are the accepted findings of a service's cache.
func cache(c services.Cache, add func(path, rule, reason string, applies ...any)) {
	add("Cache/Password/Resource", "SMG4", "A new password cuts off every pod that has the old one, so whoever rotates it restarts them. It leaves AWS only through ExternalSecret, and the cache admits only pods, over TLS.")
	add("Cache/Endpoint/Resource", "SMG4", "It holds an address, which no rotation would make another one.")
	if !c.FailsOver() {
		add("Cache/Group", "AEC4", "A replica doubles the price; the service's file does without in this environment (aws.cache.replicas).")
	}
}
