package nag

import "k8s-plus-aws-gitops/config"

// deliverySuppressions are the accepted findings on an environment's pipelines.
func deliverySuppressions(env config.Environment) []Suppression {
	if !env.Delivers() {
		return nil
	}
	const stack, rule = "delivery", "IAM5"
	const artifacts = "Resource::<Artifacts82DD59A1.Arn>/*"
	list := []Suppression{{Stack: stack, Path: "Artifacts/Resource", Rule: "S1",
		Reason: "It holds the repository's own sources for a month, and only the pipelines' roles read it. Who needs the record enables CloudTrail data events for the account."}}
	list = append(list, Suppression{Stack: stack, Path: "Bucket-assets/Resource", Rule: "S1",
		Reason: "It holds static files that are in Git, and one role writes it. Who needs the record enables CloudTrail data events for the account."},
		Suppression{Stack: stack, Path: "Role-services/Resource", Rule: rule, AppliesTo: []any{"Resource::arn:" + env.Partition() + ":s3:::" + env.AssetsBucket() + "/" + config.AssetsPrefix + "*"},
			Reason: "The static files of all services: the same build publishes any of them, and a service is added without a deployment."})
	builds := []string{"test", "deploy", "image-arm64", "image-amd64", "image-publish", "services"}
	pipelines := []string{"infrastructure", "app-resources", "dockerbuild", "services"}
	if env.Delivery.Approval {
		builds = append(builds, "diff")
	}
	if env.Delivery.Review {
		builds, pipelines = append(builds, "review"), append(pipelines, "review")
	}
	for _, name := range builds {
		logs := "Resource::arn:" + env.Partition() + ":logs:" + env.Region + ":" + env.Account + ":log-group:/" + env.Name + "/delivery/" + name + ":*"
		list = append(list, Suppression{Stack: stack, Path: "Role-" + name + "/Resource", Rule: rule, AppliesTo: []any{logs, artifacts},
			Reason: "The streams of the build's own log group, and the sources in the pipelines' bucket: CodeBuild and CodePipeline choose the names of both."})
	}
	for _, name := range builds[2:5] {
		list = append(list, Suppression{Stack: stack, Path: "Role-" + name + "/Resource", Rule: rule, AppliesTo: []any{"Resource::*"},
			Reason: "ecr:GetAuthorizationToken has no resource level; what the login may do is held to one repository by the next statement."})
	}
	for _, name := range pipelines {
		list = append(list, Suppression{Stack: stack, Path: "Role-pipeline-" + name + "/Resource", Rule: rule, AppliesTo: []any{artifacts},
			Reason: "The artifacts in the pipelines' own bucket, whose names CodePipeline chooses anew for each execution."})
	}
	return list
}
