package config

// What the tool must find again of the pipeline that infrastructure/delivery makes.
const (
	// DeployPipeline names the pipeline that deploys, after the environment.
	DeployPipeline = "deploy"
	// ImagesPipeline names the one that builds images.
	ImagesPipeline = "dockerbuild"
	// DeployAction is in each of its stages that deploys stacks.
	DeployAction = "Deploy"
	// VerifyAction waits until Flux has applied what was released.
	VerifyAction = "Verify"
	// ReleaseToken is the last part of the name of the secret with the token that pushes to released/<environment>. The review
	// runs the code of pull requests and reads a token of its own, so this one must be another.
	ReleaseToken = "release-token"
)

// RestStacks stands for the stacks that no other stage of the deployment names: those of the applications.
const RestStacks = "*"
