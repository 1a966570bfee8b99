package nag

import (
	"maps"
	"slices"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/services"
)

// Suppression accepts one finding on one resource.
type Suppression struct {
	// Stack and Path of the resource below its stage.
	Stack, Path string
	// Rule without its pack, for example IAM5.
	Rule string
	// AppliesTo narrows it to these findings of the rule; any other still counts.
	AppliesTo []any
	// Reason why the finding is right and yet nothing is to be done.
	Reason string
}

// Suppressions are the accepted findings of an environment and of the services in it.
func Suppressions(env config.Environment, all []services.Service, fleet services.Config) []Suppression {
	list := append(managedPolicies(), wildcards(env)...)
	list = append(list, serviceSuppressions(env, all)...)
	list = append(list, sharedSuppressions(env, all)...)
	list = append(list, alertsSuppressions(env)...)
	list = append(list, deliverySuppressions(env, fleet.For(env.Name).ByMerge(), slices.Sorted(maps.Keys(services.Publishers(all, env.Name, services.PublisherCodeBuild))))...)
	list = append(list,
		Suppression{Stack: "cluster", Path: "Cluster/EKS/KubectlProvider/Handler/Resource", Rule: "L1",
			Reason: "CDK chooses the Python that its kubectl handler was tested with."},
		Suppression{Stack: "cluster", Path: "WebhookToken/Resource", Rule: "SMG4",
			Reason: "The other copy is in GitHub's webhook settings; rotation without that side would stop the webhook. Who rotates it writes the new value to both."},
	)
	return append(list, Of("ghost", slices.Concat(
		Database(env, "Ghost/MySQL", env.Ghost.Database), Bucket("Ghost/Content", "Ghost/Role", "GhostContentD17EF938"))...)...)
}

// alertsSuppressions are for what publishes the errors of Flux.
func alertsSuppressions(env config.Environment) []Suppression {
	if !env.Alerts.SNS {
		return nil
	}
	return Of("cluster",
		Suppression{Path: "Alerts/Token/Resource", Rule: "SMG4",
			Reason: "Flux reads the other copy once an hour; a rotation that it does not see would refuse its errors until then. Who rotates it has the two commands of the guide."},
		Suppression{Path: "Alerts/Role/Resource", Rule: "IAM5", AppliesTo: []any{"Resource::" + env.ARN("kms", "key/*"), "Resource::<AlertsLogs.Arn>"},
			Reason: "The key of the topic is made by a later stack; the condition leaves the one that encrypts the topic, through SNS alone."},
	)
}

// Of are suppressions in a stack.
func Of(stack string, all ...Suppression) []Suppression {
	for i := range all {
		all[i].Stack = stack
	}
	return all
}

// managedPolicies are the AWS managed policies in use, each of which AWS keeps in step with the service that needs it.
func managedPolicies() []Suppression {
	const rule = "IAM4"
	return []Suppression{
		{Stack: "cluster", Path: "Cluster/EKS/Role/Resource", Rule: rule,
			AppliesTo: []any{"Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonEKSClusterPolicy"},
			Reason:    "EKS requires this policy for its control plane."},
		{Stack: "cluster", Path: "Nodes/Role/Resource", Rule: rule,
			AppliesTo: []any{"Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonEKSWorkerNodePolicy", "Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"},
			Reason:    "EKS requires these two for nodes, and no more; network interfaces are the role of the CNI."},
		{Stack: "cluster", Path: "Cluster/CNIRole/Resource", Rule: rule,
			AppliesTo: []any{"Policy::arn:<AWS::Partition>:iam::aws:policy/AmazonEKS_CNI_Policy"},
			Reason:    "The VPC CNI documents this policy as its requirement and changes it with its versions."},
		{Stack: "cluster", Path: "Cluster/EKS/KubectlProvider/Handler/ServiceRole/Resource", Rule: rule,
			Reason: "CDK makes this role for its kubectl function: logs, its network interface, and pulling charts from ECR."},
		{Stack: "cluster", Path: "Cluster/EKS/KubectlProvider/Provider/framework-onEvent/ServiceRole/Resource", Rule: rule,
			Reason: "CDK makes this role for the function that calls the kubectl function: logs and its network interface."},
	}
}

// wildcards are the policies with a * in a resource.
func wildcards(env config.Environment) []Suppression {
	const rule = "IAM5"
	secrets := "Resource::" + env.ARN("secretsmanager", "secret:/"+env.Name+"/*")
	list := []Suppression{
		{Stack: "cluster", Path: "Bootstrap/aws-load-balancer-controller/Role/Resource", Rule: rule,
			Reason: "Upstream's policy for exactly this version, which a test compares; it narrows by the cluster's tag where AWS offers no resource level."},
		{Stack: "cluster", Path: "Bootstrap/external-dns/Role/Resource", Rule: rule, AppliesTo: []any{"Resource::*"},
			Reason: "route53:ListHostedZones has no resource level; everything else is held to the environment's zone."},
		{Stack: "cluster", Path: "Bootstrap/external-secrets/Role/Resource", Rule: rule, AppliesTo: []any{secrets},
			Reason: "The environment's prefix is the agreement between the two halves; Secrets Manager appends a random suffix to each name."},
		{Stack: "cluster", Path: "Cluster/EKS/KubectlProvider/Provider/framework-onEvent/ServiceRole/DefaultPolicy/Resource", Rule: rule,
			Reason: "All versions of the one function that it may call."},
	}
	if env.Ghost.Mail.Transport == config.MailSES {
		list = append(list, Suppression{Stack: "ghost", Path: "Ghost/Role/Resource", Rule: rule,
			AppliesTo: []any{"Resource::" + env.ARN("ses", "identity/*")},
			Reason:    "In its sandbox SES asks for the recipient's identity as well as the sender's; a condition leaves one sender."})
	}
	if env.BacksUp() {
		list = append(list, backupSuppression(env))
	}
	if env.UsesSessionManager() {
		list = append(list, Suppression{Stack: "cluster", Path: "Nodes/Role/Resource", Rule: rule,
			AppliesTo: []any{"Resource::*", "Resource::" + env.ARN("ec2", "instance/*")},
			Reason:    "The channels of Session Manager have no resource level, and an instance registers under an id that is not known before its role."})
	}
	if env.UpdatesImages() {
		list = append(list, Suppression{Stack: "cluster", Path: "Bootstrap/image-reflector-controller/Role/Resource", Rule: rule, AppliesTo: []any{"Resource::*"},
			Reason: "ecr:GetAuthorizationToken has no resource level; listing tags is held to the applications' repositories."})
	}
	return list
}

// backupSuppression is for the role of AWS Backup.
func backupSuppression(env config.Environment) Suppression {
	applies := []any{"Resource::*"}
	for service, resources := range map[string][]string{
		"backup": {"recovery-point:*"}, "dynamodb": {"table/" + env.Name + "-*", "table/" + env.Name + "-*/backup/*"}, "events": {"rule/AwsBackupManagedRule*"},
		"rds": {"db:*", "db:" + env.Name + "-*", "snapshot:*", "snapshot:awsbackup:*"}, "s3": {env.Name + "-*", env.Name + "-*/*"},
	} {
		for _, resource := range resources {
			applies = append(applies, "Resource::"+env.ARN(service, resource))
		}
	}
	if there := env; env.Backup.CopyTo != "" {
		there.Region = env.Backup.CopyTo
		applies = append(applies, "Resource::"+there.ARN("kms", "key/*"), "Resource::"+there.ARN("rds", "snapshot:awsbackup:*"))
	}
	return Suppression{Stack: "network", Path: "Backup/Role/Resource", Rule: "IAM5", AppliesTo: applies,
		Reason: "What is backed up has the environment's name before its own, AWS Backup names what it makes, and its lists have no resource level. AWS's own policies allow all of it on everything."}
}
