package risk

import (
	"maps"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/review/cfndiff"
)

// guarded are the resources that hold data or on which everything stands, with what is lost when one goes. Their
// replacement or removal needs an entry in allowReplacement.
var guarded = map[string]string{
	"AWS::RDS::DBInstance":               "the database's data and its automatic backups",
	"AWS::RDS::DBCluster":                "the database's data and its automatic backups",
	"AWS::RDS::GlobalCluster":            "the database's data",
	"AWS::DynamoDB::Table":               "the table's data",
	"AWS::DynamoDB::GlobalTable":         "the table's data",
	"AWS::ElastiCache::ReplicationGroup": "the cache's data",
	"AWS::EFS::FileSystem":               "the files",
	"AWS::S3::Bucket":                    "the objects in the bucket",
	"AWS::ECR::Repository":               "the images, also those that run now",
	"AWS::KMS::Key":                      "everything that the key encrypted",
	"AWS::SecretsManager::Secret":        "the secret's value, which its readers need",
	"AWS::Route53::HostedZone":           "every record of the zone and its delegation",
	"AWS::EKS::Cluster":                  "the cluster and everything that runs in it",
	"AWS::EC2::VPC":                      "the network and with it everything in it",
}

// inPlace are property changes that CloudFormation's specification calls conditional replacements and that RDS makes in
// place, see https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ModifyInstance.Settings.html. A conditional
// change that is not listed is taken for a replacement.
var inPlace = map[string][]string{
	"AWS::RDS::DBInstance": {
		"AutoMinorVersionUpgrade", "BackupRetentionPeriod", "DBParameterGroupName", "MultiAZ", "PreferredMaintenanceWindow", "StorageType",
	},
}

// lifecycle finds replacements and deletions.
func lifecycle(place Place, r cfndiff.Resource) []Finding {
	if instance, _ := sharedDatabase(r.Old); instance != "" {
		return sharedLifecycle(place, r)
	}
	f := Finding{Resource: place.resource(r.ID), Path: r.Path, Type: r.Type}
	loss, isGuarded := guarded[typeBefore(r)]
	f.Guarded = isGuarded
	switch r.Impact {
	case cfndiff.Replace:
		f.Kind, f.Message = Replacement, "will be replaced, because of "+because(r, cfndiff.Replace)
	case cfndiff.MayReplace:
		properties := conditional(r)
		if len(properties) == 0 {
			return nil
		}
		f.Kind, f.Message = Replacement, "may be replaced, depending on the values, because of "+strings.Join(properties, ", ")
	case cfndiff.Destroy:
		f.Kind, f.Message = Deletion, "will be deleted"
		if r.Old["DeletionPolicy"] == "Snapshot" {
			f.Message += " after a last snapshot"
		}
	case cfndiff.Orphan:
		f.Kind, f.Message = Deletion, "leaves the stack and stays in AWS, where nothing looks after it (DeletionPolicy Retain)"
	default:
		return nil
	}
	if isGuarded {
		f.Message += "; at stake: " + loss
	}
	return []Finding{f}
}

// typeBefore is the type of what would be lost.
func typeBefore(r cfndiff.Resource) string {
	if old, ok := r.Old["Type"].(string); ok {
		return old
	}
	return r.Type
}

// because lists the properties whose change has the impact.
func because(r cfndiff.Resource, impact cfndiff.Impact) string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		if r.Properties[name].Impact == impact {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "its type" // the only other reason
	}
	return strings.Join(names, ", ")
}

// conditional lists the properties that may replace the resource and are not known to change in place.
func conditional(r cfndiff.Resource) []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(r.Properties)) {
		if r.Properties[name].Impact == cfndiff.MayReplace && !slices.Contains(inPlace[r.Type], name) {
			names = append(names, name)
		}
	}
	return names
}

// InPlace tells whether a property that the specification calls conditional is known to change in place.
func InPlace(resourceType, property string) bool {
	return slices.Contains(inPlace[resourceType], property)
}

// policyStrength orders deletion policies: a change to a weaker one loses protection.
var policyStrength = map[string]int{"Delete": 0, "": 0, "Snapshot": 1, "RetainExceptOnCreate": 2, "Retain": 2}

// switches are the properties that protect a resource while they are true.
var switches = map[string][]string{
	"AWS::RDS::DBInstance": {"DeletionProtection", "StorageEncrypted"},
	"AWS::RDS::DBCluster":  {"DeletionProtection", "StorageEncrypted"},
	"AWS::EKS::Cluster":    {"DeletionProtection"},
	"AWS::DynamoDB::Table": {"DeletionProtectionEnabled"},
	"AWS::KMS::Key":        {"EnableKeyRotation"},
}

// protection finds weaker deletion policies, switches that go off and shorter backups.
func protection(place Place, r cfndiff.Resource) []Finding {
	if r.Old == nil || r.New == nil {
		return nil
	}
	var found []Finding
	add := func(message string) {
		found = append(found, Finding{Kind: Protection, Resource: place.resource(r.ID), Path: r.Path, Type: r.Type, Message: message})
	}
	for _, name := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		change, changed := r.Attributes[name]
		old, _ := change.Old.(string)
		now, _ := change.New.(string)
		if changed && policyStrength[now] < policyStrength[old] {
			add(name + " goes from " + old + " to " + orNone(now))
		}
	}
	for _, name := range switches[r.Type] {
		if change, changed := r.Properties[name]; changed && isTrue(change.Old) && !isTrue(change.New) {
			add(name + " is switched off")
		}
	}
	if change, changed := r.Properties["BackupRetentionPeriod"]; changed {
		old, _ := change.Old.(float64)
		if now, _ := change.New.(float64); now < old {
			add("automatic backups are kept for fewer days")
		}
	}
	if change, changed := r.Properties["OnDelete"]; changed && r.Type == databaseUser && change.Old == "keep" {
		add("its database on the shared instance will be dropped, and not kept, when it leaves the stack")
	}
	return found
}

// isTrue reads a boolean property, which templates also write as text.
func isTrue(value any) bool { return value == true || value == "true" }

func orNone(text string) string {
	if text == "" {
		return "none (Delete)"
	}
	return text
}

// Holds says what a type of resource holds that is lost with it; empty where it is nothing.
func Holds(kind string) string { return guarded[kind] }
