package review_test

import (
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/assembly"
	"k8s-plus-aws-gitops/internal/review"
)

// Resource types of the cases.
const (
	database = "AWS::RDS::DBInstance"
	cluster  = "AWS::EKS::Cluster"
	role     = "AWS::IAM::Role GhostRole" // the stack has more of them
)

// databaseID is the database's logical id in the golden templates.
const databaseID = "GhostMySQLDatabaseE30388B3"

// cases are changes, the exit code of their review, and what it must and must not say beside the golden files.
var cases = []struct {
	name        string
	change      func(*world)
	code        int
	says, never []string
}{
	{
		name: "nothing changed", change: func(*world) {}, code: review.ExitSame,
		says: []string{"Nothing changes"},
	},
	{
		name: "demo change", code: review.ExitChanged,
		change: func(w *world) {
			w.properties("dev", "ghost", database)["MultiAZ"] = true
			w.edit("k8s/apps/ghost/deployment.yaml", "replicas: 1", "replicas: 2")
		},
		says:  []string{"MultiAZ: true", "+  replicas: 2", "[dev, production]", "RDS db.t4g.small, Multi-AZ"},
		never: []string{"FORBIDDEN", "REPLACED"},
	},
	{
		name: "Kubernetes skips a version", code: review.ExitForbidden,
		change: func(w *world) {
			w.properties("dev", "cluster", cluster)["Version"] = "1.38"
			w.properties("dev", "cluster", "AWS::EKS::Nodegroup")["ScalingConfig"] = map[string]any{"MinSize": 3, "DesiredSize": 3, "MaxSize": 9}
		},
		says: []string{"FORBIDDEN refused by AWS", "raise cluster.version by one at a time", "is set to 3 nodes"},
	},
	{
		name: "database replacement", code: review.ExitForbidden,
		change: func(w *world) {
			w.properties("production", "ghost", database)["DBName"] = "blog"
		},
		says: []string{"FORBIDDEN replacement: production/ghost/" + databaseID, `"until": "2026-12-04"`},
	},
	{
		name: "database replacement allowed", code: review.ExitChanged,
		change: func(w *world) {
			w.properties("production", "ghost", database)["DBName"] = "blog"
			w.c.Allowances["production"] = []config.Allowance{{
				Resource: "production/ghost/" + databaseID, Until: "2026-11-20", Reason: "restored from the snapshot of today",
			}}
		},
		says: []string{"allowed replacement", "allowed until 2026-11-20: restored from the snapshot of today"},
	},
	{
		name: "database replacement allowed once", code: review.ExitForbidden,
		change: func(w *world) {
			w.properties("production", "ghost", database)["DBName"] = "blog"
			w.c.Allowances["production"] = []config.Allowance{
				{Resource: "production/production-ghost/" + databaseID, Until: "2026-11-19", Reason: "restored from the snapshot"},
				{Resource: "production/cluster/ClusterEKSFCDEA5C5", Until: "2027-01-01", Reason: "left behind by a change"},
			}
		},
		says: []string{"expired on 2026-11-19", "no change needs the entry for production/cluster/ClusterEKSFCDEA5C5"},
	},
	{
		name: "database that may be replaced", code: review.ExitForbidden,
		change: func(w *world) {
			w.properties("dev", "ghost", database)["AvailabilityZone"] = "eu-west-1b"
		},
		says: []string{"may be replaced, depending on the values, because of AvailabilityZone"},
	},
	{
		name: "protection lost", code: review.ExitChanged,
		change: func(w *world) {
			properties := w.properties("production", "ghost", database)
			properties["DeletionProtection"] = false
			properties["BackupRetentionPeriod"] = float64(1)
			_, bucket := w.resource("production", "ghost", "AWS::S3::Bucket")
			bucket["DeletionPolicy"] = "Delete"
		},
		says: []string{"DeletionProtection is switched off", "fewer days", "DeletionPolicy goes from Retain to Delete"},
	},
	{
		name: "cluster and images removed", code: review.ExitForbidden,
		change: func(w *world) {
			w.remove("dev", "cluster", cluster)
			w.remove("production", "ghost", "AWS::ECR::Repository")
		},
		says: []string{"FORBIDDEN deletion: dev/cluster/ClusterEKSFCDEA5C5", "FORBIDDEN deletion: production/ghost/GhostImages", "leaves the stack and stays in AWS"},
	},
	{
		name: "IAM widening", code: review.ExitChanged, change: widenIAM,
		says: []string{
			"may now: s3:* on ${GhostContentD17EF938.Arn}/*",
			"may now: sts:AssumeRole, sts:TagSession on ${GhostRoleBA30D4CC.Arn} by Service:pods.eks.amazonaws.com",
			"gets the managed policy arn:aws:iam::aws:policy/ReadOnlyAccess",
			"opens the cluster to arn:aws:iam::111111111111:role/Intern with AmazonEKSClusterAdminPolicy",
		},
		never: []string{"may now: s3:ListBucket"},
	},
	{
		name: "IAM narrowing", code: review.ExitChanged,
		change: func(w *world) {
			statement := contentStatements(w, "dev")[0].(map[string]any)
			statement["Action"] = []any{"s3:GetObject"}
		},
		says: []string{"No replacement, no deletion, no wider access."},
	},
	{
		name: "SG widening", code: review.ExitChanged, change: widenGroups,
		says: []string{
			"lets tcp 3306 through from anywhere (0.0.0.0/0)",
			"lets everything through to anywhere (0.0.0.0/0)",
			"API can now be reached from 198.51.100.0/24",
		},
		never: []string{"reached from 203.0.113"},
	},
	{
		name: "chart version bump", code: review.ExitChanged, change: (*world).demoChart,
		says: []string{"chart demo 1.2.3 to 1.3.0", "+  replicas: 3", "ConfigMap demo-new: added", "(made anew at each rendering)"},
		// What a Secret holds.
		never: []string{"fixed: one", "fixed: two"},
	},
	{
		name: "manifests that widen", code: review.ExitChanged,
		change: func(w *world) {
			w.properties("production", "ghost", database)["DeletionProtection"] = false
			w.edit("k8s/apps/ghost/deployment.yaml", "allowPrivilegeEscalation: false", "privileged: true")
			w.edit("k8s/apps/ghost/kustomization.yaml", "  - networkpolicy.yaml\n", "")
			w.edit("k8s/apps/ghost/externalsecret.yaml", "/${ENVIRONMENT}/ghost/database", "/production/ghost/database")
			w.edit("k8s/platform/configs/cluster-secret-store.yaml", "        - flux-system\n", "        - flux-system\n        - shop\n")
		},
		says: []string{
			"more privilege: dev/Deployment/ghost/ghost, also in production", "is root on its node",
			"wider network: dev/NetworkPolicy/ghost/ghost, also in production", "anybody in the network may connect",
			"secrets of others: dev/ExternalSecret/ghost/ghost-database\n", `"/production/ghost/database-user", which is not of this environment`,
			"may also be used in the namespace shop", "less protection: production/ghost/" + databaseID,
		},
		never: []string{"production/ExternalSecret", "FORBIDDEN"},
	},
	{
		name: "namespace removed", code: review.ExitForbidden,
		change: func(w *world) {
			w.edit("k8s/apps/ghost/kustomization.yaml", "  - namespace.yaml\n", "")
			w.c.Allowances["dev"] = []config.Allowance{{Resource: "dev/Namespace/ghost", Until: "2026-12-01", Reason: "the blog moves to another cluster"}}
		},
		says:  []string{"FORBIDDEN deletion: production/Namespace/ghost", "allowed deletion: dev/Namespace/ghost", `{"resource": "production/Namespace/ghost", "until": "2026-12-04"`},
		never: []string{"wider network", "less protection"},
	},
	{
		name: "values by environment", code: review.ExitChanged,
		change: func(w *world) {
			w.edit("k8s/clusters/dev/images.yaml", "6.65.0", "6.66.1")
			w.edit("k8s/clusters/production/images.yaml", "6.65.0", "6.66.0")
		},
		says:  []string{"[dev, production]", "+        image: docker.io/library/ghost:6.66.1", "The same in production, but for these lines:\n  +        image: docker.io/library/ghost:6.66.0"},
		never: []string{"[dev]", "[production]"},
	},
	{
		name: "environments and stacks", code: review.ExitChanged,
		change: func(w *world) {
			w.c.Environments[0].Status = review.Removed
			w.c.After["dev"] = nil
			delete(w.c.Before["production"], "ghost")
		},
		says: []string{"is no longer in the app", "production/ghost\n      is new: 28 resources"},
	},
	{
		name: "unknown prices", code: review.ExitForbidden,
		change: func(w *world) {
			w.properties("dev", "ghost", database)["DBInstanceClass"] = "db.x9z.mega"
			w.c.After["dev"]["ghost"].Template["Resources"].(map[string]any)["Queue"] = map[string]any{"Type": "AWS::AmazonMQ::Broker", "Properties": map[string]any{}}
			w.c.After["production"]["cluster"] = withVersion(w.c.After["production"]["cluster"], "1.31")
		},
		says: []string{"no price known: + RDS for mysql, db.x9z.mega", "no price known: + AWS::AmazonMQ::Broker", "extended support of Kubernetes 1.31"},
	},
}

// contentStatements are those of the role of Ghost's pods.
func contentStatements(w *world, environment string) []any {
	policies := w.properties(environment, "ghost", role)["Policies"].([]any)
	return policies[0].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any)
}

// widenIAM widens a statement, drops the condition of a trust policy, attaches a policy and makes an administrator.
func widenIAM(w *world) {
	contentStatements(w, "dev")[0].(map[string]any)["Action"] = "s3:*"
	properties := w.properties("dev", "ghost", role)
	trust := properties["AssumeRolePolicyDocument"].(map[string]any)["Statement"].([]any)[0].(map[string]any)
	delete(trust, "Condition")
	properties["ManagedPolicyArns"] = []any{"arn:aws:iam::aws:policy/ReadOnlyAccess"}
	resources := w.c.After["dev"]["cluster"].Template["Resources"].(map[string]any)
	resources["Intern"] = map[string]any{"Type": "AWS::EKS::AccessEntry", "Properties": map[string]any{
		"ClusterName":    map[string]any{"Ref": "ClusterEKSFCDEA5C5"},
		"PrincipalArn":   "arn:aws:iam::111111111111:role/Intern",
		"AccessPolicies": []any{map[string]any{"PolicyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"}},
	}}
}

// widenGroups opens the database to the world in both directions, and the cluster's API to another block.
func widenGroups(w *world) {
	group := w.properties("production", "ghost", "AWS::EC2::SecurityGroup GhostMySQLAccess")
	group["SecurityGroupIngress"] = []any{map[string]any{"IpProtocol": "tcp", "FromPort": 3306, "ToPort": 3306, "CidrIp": "0.0.0.0/0"}}
	group["SecurityGroupEgress"] = []any{map[string]any{"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}}
	config := w.properties("dev", "cluster", cluster)["ResourcesVpcConfig"].(map[string]any)
	config["PublicAccessCidrs"] = []any{"203.0.113.0/25", "198.51.100.0/24"}
}

// withVersion is the cluster's stack with another Kubernetes version, in extended support.
func withVersion(s assembly.Stack, version string) assembly.Stack {
	for _, r := range s.Template.Resources() {
		if r["Type"] == cluster {
			properties := r["Properties"].(map[string]any)
			properties["Version"] = version
			properties["UpgradePolicy"] = map[string]any{"SupportType": "EXTENDED"}
		}
	}
	return s
}
