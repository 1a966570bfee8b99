package delivery

import (
	"k8s-plus-aws-gitops/internal/policy"
)

// imagesActions bring the images that the commit names from the registry of the environment that built them, by their
// digests; none where the environment builds its own.
func imagesActions(d *Deployment, props *DeploymentProps) []Action {
	env := props.Env
	if !env.CopiesImages() {
		return nil
	}
	var from, to policy.List
	for _, application := range props.Repositories {
		from = append(from, env.ImageSource.ARN("ecr", "repository/"+env.ImageSource.RepositoryName(application)))
		to = append(to, env.ARN("ecr", "repository/"+env.RepositoryName(application)))
	}
	project := NewProject(d, "Images", &ProjectProps{
		Env: env, Store: props.Store, Name: "images", Description: "Copies images from " + env.ImageSource.Name, Buildspec: imagesBuildspec, Minutes: 60,
		RoleName: env.ImagesRole(),
		Rights: []policy.Statement{
			policy.Allow("LogInToBothRegistries", policy.List{"*"}, "ecr:GetAuthorizationToken"), // it has no resource level
			policy.Allow("PullFromTheSource", from, policy.PullImage...),
			policy.Allow("PushWhatIsMissing", to,
				"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImageScanFindings",
				"ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"),
		},
	})
	return []Action{{Name: "Images", Project: project, Input: planNamespace}}
}

// behind puts actions after others in one stage.
func behind(first, then []Action) []Action {
	all := first
	for _, a := range then {
		a.Order = max(a.Order, 1) + len(first)
		all = append(all, a)
	}
	return all
}
