package nag

import (
	"slices"
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
	switch d := a.Database; {
	case d == nil:
	case d.IsShared():
		list = append(list, databaseUser("Database"))
	default:
		list = append(list, Database(env, "Database", d.Size())...)
	}
	if a.Cache != nil {
		cache(*a.Cache, add)
	}
	if a.Bucket != nil {
		list = append(list, Bucket("Bucket", "Role", "ServiceBucket91D6FFCF")...)
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

// Database are the accepted findings of an appresources.NewDatabase at a path below its stack.
func Database(env config.Environment, path string, size config.Database) []Suppression {
	instance := path + "/Database/Resource"
	list := []Suppression{
		{Path: path + "/Secret/Resource", Rule: "SMG4", Reason: administrator(size)},
		{Path: instance, Rule: "RDS11",
			Reason: "Another port hides nothing from the only ones who can reach it, the pods; clients and tools expect the engine's own."},
	}
	if size.RotationDays > 0 {
		list = append(list, databaseUser(path))
	}
	if !size.MultiAZ {
		list = append(list, Suppression{Path: instance, Rule: "RDS3",
			Reason: "A standby doubles the price; the configuration of this environment does without (multiAz)."})
	}
	if !env.DeletionProtection {
		list = append(list, Suppression{Path: instance, Rule: "RDS10",
			Reason: "The configuration says that this environment can be destroyed (deletionProtection)."})
	}
	return list
}

// databaseUser is the accepted finding of the function below a database.
func databaseUser(path string) Suppression {
	return Suppression{Path: path + "/User/Role/Resource", Rule: "IAM4",
		AppliesTo: []any{"Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"},
		Reason:    "Lambda documents this policy as what a function in a VPC needs for its log and its network interface, and keeps it in step with itself."}
}

// sharedSuppressions are the accepted findings of the instances that services share. Their rotation is that of the services' users.
func sharedSuppressions(env config.Environment, all []services.Service) []Suppression {
	var list []Suppression
	for _, engine := range services.SharedEngines(services.ClusterOf(env), all) {
		found := slices.DeleteFunc(Database(env, "Shared", env.Databases.Of(engine)), func(s Suppression) bool { return s.Path == databaseUser("Shared").Path })
		list = append(list, Of(services.SharedApp(engine), found...)...)
	}
	return list
}

// administrator tells why the administrator's password stays as it is.
func administrator(size config.Database) string {
	if size.RotationDays > 0 {
		return "The pods' user is another one, whose password changes. The administrator's is read by the function that changes it, and by nobody else."
	}
	return "The password leaves AWS only through ExternalSecret, and the database admits only pods, over TLS."
}

// Bucket are the accepted findings of an appresources.NewBucket at a path below its stack, and of the role that has
// appresources.ObjectRights on it. id is the bucket's logical id.
func Bucket(path, role, id string) []Suppression {
	return []Suppression{
		{Path: path + "/Resource", Rule: "S1",
			Reason: "One role reads and writes it. Who needs the record enables CloudTrail data events for the account."},
		{Path: role + "/Resource", Rule: "IAM5", AppliesTo: []any{"Resource::<" + id + ".Arn>/*"},
			Reason: "The objects of the application's own bucket, whose keys the application chooses."},
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
