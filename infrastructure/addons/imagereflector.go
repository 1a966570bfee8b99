package addons

import (
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// ImageReflectorName is the name of Flux's controller that lists image tags, and of its ServiceAccount.
const ImageReflectorName = "image-reflector-controller"

// ImageReflector lists the tags of the given ECR repositories and reads the digest of one, for which ECR asks the right to
// its manifest. AWS's managed policy for it reads every repository of the
// account: https://fluxcd.io/flux/integrations/aws/#for-amazon-elastic-container-registry
func ImageReflector(env config.Environment, repositories []string) Rights {
	// The login has no resource level.
	statements := []policy.Statement{policy.Allow("LogInToTheRegistry", policy.List{"*"}, "ecr:GetAuthorizationToken")}
	for _, repository := range repositories {
		statements = append(statements, policy.Allow("", policy.List{env.ARN("ecr", "repository/"+repository)}, "ecr:BatchGetImage", "ecr:ListImages"))
	}
	return Rights{
		Name: ImageReflectorName, Namespace: "flux-system", ServiceAccount: ImageReflectorName,
		Policy: policy.Of(statements...),
	}
}
