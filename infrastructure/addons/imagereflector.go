package addons

import "k8s-plus-aws-gitops/config"

// ImageReflectorName is the name of Flux's controller that lists image tags, and of its ServiceAccount.
const ImageReflectorName = "image-reflector-controller"

// ImageReflector lists the tags of the given ECR repositories. AWS's managed policy for it reads every repository of the
// account: https://fluxcd.io/flux/integrations/aws/#for-amazon-elastic-container-registry
func ImageReflector(env config.Environment, repositories []string) Controller {
	statements := make([]map[string]any, 0, len(repositories)+1)
	// The login has no resource level.
	statements = append(statements, statement("LogInToTheRegistry", []string{"ecr:GetAuthorizationToken"}, "*", nil))
	for _, repository := range repositories {
		arn := "arn:" + env.Partition() + ":ecr:" + env.Region + ":" + env.Account + ":repository/" + repository
		statements = append(statements, statement("", []string{"ecr:ListImages"}, arn, nil))
	}
	return Controller{
		Name: ImageReflectorName, Namespace: "flux-system", ServiceAccount: ImageReflectorName,
		Policy: document(statements...),
	}
}
