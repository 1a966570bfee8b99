package nag

import "k8s-plus-aws-gitops/config"

// build is a project of an environment's pipelines: its name after the environment, and its construct's path.
type build struct{ name, path string }

// deliverySuppressions are the accepted findings on an environment's pipelines, of which the deployment publishes services where
// they are published by merge. Projects of their own publish the services that are published by name.
func deliverySuppressions(env config.Environment, byMerge bool, published []string) []Suppression {
	if !env.Delivers() {
		return nil
	}
	builds, pipelines := []build{{"plan", "Deployment/Plan"}, {"test", "Deployment/Test"}, {"deploy", "Deployment/Deploy"}}, []string{"Deployment"}
	publishes := build{"release", "Deployment/Release"}
	if !byMerge {
		publishes, pipelines = build{"services", "Services/Build"}, append(pipelines, "Services")
	}
	builds = append(builds, publishes)
	const artifacts = "Resource::<DeliveryStoreArtifacts22E6BD8C.Arn>/*"
	accept := func(path, rule, reason string, appliesTo ...any) Suppression {
		return Suppression{Stack: "delivery", Path: "Delivery/" + path + "/Resource", Rule: rule, AppliesTo: appliesTo, Reason: reason}
	}
	list := []Suppression{
		accept("Store/Artifacts", "S1",
			"It holds the repository's own sources, and only the pipelines' roles read it. Who needs the record enables CloudTrail data events for the account."),
		accept("Assets", "S1",
			"It holds static files that are in Git, and one role writes it. Who needs the record enables CloudTrail data events for the account."),
		accept(publishes.path+"/Role", "IAM5",
			"The static files of all services: the same build publishes any of them, and a service is added without a deployment.",
			"Resource::"+env.ARN("s3", env.AssetsBucket()+"/"+config.AssetsPrefix+"*")),
	}
	var logsIn []string // those that log in to a registry
	if env.BuildsImages() {
		builds = append(builds, build{"image-arm64", "Dockerbuild/arm64"}, build{"image-amd64", "Dockerbuild/amd64"}, build{"image-publish", "Dockerbuild/Publish"})
		pipelines, logsIn = append(pipelines, "Dockerbuild"), append(logsIn, "Dockerbuild/arm64", "Dockerbuild/amd64")
	}
	if env.CopiesImages() {
		builds, logsIn = append(builds, build{"images", "Deployment/Images"}), append(logsIn, "Deployment/Images")
	}
	list = append(list, accept("Deployment/Plan/Role", "IAM5",
		"The environment's stacks, an application's new one included; CloudFormation appends a random id to each name.",
		"Resource::"+env.ARN("cloudformation", "stack/"+env.Name+"-*/*")))
	if env.Gated() {
		if builds = append(builds, build{"verify", "Deployment/Verify"}); !byMerge {
			builds = append(builds, build{"release", "Deployment/Release"})
		}
		list = append(list, accept("Deployment/Verify/Role", "IAM5",
			"A build in a VPC: EC2's descriptions have no resource level, and the id of the network interface is known once it is made; it is held to the private subnets and to CodeBuild.",
			"Resource::*", "Resource::"+env.ARN("ec2", "network-interface/*"), "Resource::"+env.ARN("ec2", "security-group/*")))
	}
	if env.Delivery.Window != nil {
		builds = append(builds, build{"window", "Deployment/Window"})
	}
	if env.Delivery.Review {
		builds, pipelines = append(builds, build{"review", "Review/Build"}), append(pipelines, "Review")
	}
	cloning := []build{{"report", "Report/Build"}}
	if env.Rehearses() {
		builds, pipelines = append(builds, build{"rehearsal", "Rehearsal/Build"}, build{"programs", "Programs/Build"}), append(pipelines, "Programs")
		cloning = append(cloning, build{"rehearsed", "Rehearsal/Report"})
		for _, path := range []string{"Rehearsal/Build", "Rehearsal/Report"} {
			list = append(list, accept(path+"/Role", "IAM5",
				"The results of rehearsals, each under the id of its build: one build writes them, and the other reads the version that the build has named.",
				"Resource::<DeliveryStoreArtifacts22E6BD8C.Arn>/rehearsals/results/*"))
		}
	}
	for _, b := range builds {
		list = append(list, accept(b.path+"/Role", "IAM5",
			"The streams of the build's own log group, and the sources in the pipelines' bucket: CodeBuild and CodePipeline choose the names of both.",
			"Resource::"+env.ARN("logs", "log-group:/"+env.Name+"/delivery/"+b.name+":*"), artifacts))
	}
	for _, service := range published {
		cloning = append(cloning, build{"publish-" + service, "PublisherBuild-" + service + "/Build"})
	}
	for _, b := range cloning {
		list = append(list, accept(b.path+"/Role", "IAM5",
			"The streams of the build's own log group: CodeBuild chooses their names.",
			"Resource::"+env.ARN("logs", "log-group:/"+env.Name+"/delivery/"+b.name+":*")))
	}
	if byMerge && env.DeletionProtection {
		list = append(list, accept("Deployment/Release/Role", "IAM5",
			"Snapshots before migrations: of any service's database, under names with the commit; what is removed has their mark. RDS lists snapshots by no narrower name.",
			"Resource::"+env.ARN("rds", "db:"+env.Name+"-*"), "Resource::"+env.ARN("rds", "snapshot:"+env.Name+"-*"+config.BeforeInfix+"*"), "Resource::"+env.ARN("rds", "snapshot:*")))
	}
	if env.Drills() {
		list = append(list, drillSuppression(env, accept))
	}
	if env.WatchesDrift() {
		list = append(list, driftSuppression(env, accept))
	}
	for _, path := range logsIn {
		list = append(list, accept(path+"/Role", "IAM5",
			"ecr:GetAuthorizationToken has no resource level; what the login may do is held to the images' repositories by the next statements.", "Resource::*"))
	}
	for _, pipeline := range pipelines {
		list = append(list, accept(pipeline+"/Pipeline/Role", "IAM5",
			"The artifacts in the pipelines' own bucket, whose names CodePipeline chooses anew for each execution.", artifacts))
	}
	return list
}

// drillSuppression is for the build that restores databases.
func drillSuppression(env config.Environment, accept func(path, rule, reason string, appliesTo ...any) Suppression) Suppression {
	applies := []any{
		"Resource::*", "Resource::" + env.ARN("ec2", "network-interface/*"), "Resource::" + env.ARN("ec2", "security-group/*"),
		"Resource::" + env.ARN("logs", "log-group:/"+env.Name+"/delivery/drill:*"),
		"Resource::" + env.ARN("rds", "og:default:*"), "Resource::" + env.ARN("rds", "pg:"+env.Name+"-*"), "Resource::" + env.ARN("rds", "subgrp:"+env.Name+"-*"),
		"Resource::" + env.ARN("rds", "snapshot:*"), "Resource::" + env.ARN("rds", "snapshot:awsbackup:*"),
	}
	for _, service := range env.Backup.Drill.Services {
		applies = append(applies, "Resource::"+env.ARN("rds", "snapshot:rds:"+env.DatabaseIdentifier(service)+"-*"))
	}
	return accept("Drill/Build/Role", "IAM5",
		"A build in a VPC, whose network interface has a name once it is made. Snapshots have a time or an id in their names, and groups a random part; what is changed and removed has one name and a mark.",
		applies...)
}

// driftSuppression is for the build that looks for drift.
func driftSuppression(env config.Environment, accept func(path, rule, reason string, appliesTo ...any) Suppression) Suppression {
	return accept("Drift/Build/Role", "IAM5",
		"Drift detection reads every resource of the stacks with its caller's rights: reads.json lists actions that only read configuration. A build in a VPC, whose network interface has a name once it is made; stacks, streams of logs and what was told have names that others choose.",
		"Resource::*", "Resource::"+env.ARN("ec2", "network-interface/*"), "Resource::"+env.ARN("ec2", "security-group/*"),
		"Resource::"+env.ARN("logs", "log-group:/"+env.Name+"/delivery/drift:*"), "Resource::"+env.ARN("logs", "log-group:/aws/eks/"+env.ClusterName()+"/cluster:*"),
		"Resource::"+env.ARN("cloudformation", "stack/"+env.Name+"-*/*"), "Resource::"+env.ARN("ssm", "parameter/CFN-*"),
		"Resource::"+env.ARN("iam", "policy/platform-*-"+env.Region), "Resource::<DeliveryStoreArtifacts22E6BD8C.Arn>/drift/*")
}
