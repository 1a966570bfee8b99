package appresources

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
	"k8s-plus-aws-gitops/internal/retention"
)

// entriesPerImage is what ECR counts for one image: the index that has the tag, and the image of each architecture.
const entriesPerImage = 3

// ImageRepositoryProps says whose images it holds. Its agreed name is <environment>/<app>.
type ImageRepositoryProps struct {
	Env config.Environment
	App string
	// KeepImages is how many of the newest images are kept, at least 1.
	KeepImages int
}

// NewImageRepository makes an ECR repository: tags that never move, a scan at each push, and the newest images only, so
// that what a manifest names is what runs.
func NewImageRepository(scope constructs.Construct, id string, props *ImageRepositoryProps) awsecr.Repository {
	repository := awsecr.NewRepository(scope, jsii.String(id), &awsecr.RepositoryProps{
		RepositoryName:     jsii.String(props.Env.RepositoryName(props.App)),
		ImageTagMutability: awsecr.TagMutability_IMMUTABLE,
		ImageScanOnPush:    jsii.Bool(true),
		RemovalPolicy:      retention.Of(props.Env).Data(),
		EmptyOnDelete:      jsii.Bool(!props.Env.DeletionProtection), // by ECR itself, without a function
		LifecycleRules: &[]*awsecr.LifecycleRule{{
			Description:   jsii.String("Keep the newest images"),
			MaxImageCount: jsii.Number(props.KeepImages * entriesPerImage),
		}},
	})
	admitCopies(repository, props.Env)
	return repository
}

// admitCopies lets the environments that run these images pull them. The account is admitted and narrowed to the agreed name
// of the one role that copies, because ECR takes no policy that names a role before it is there. Within the account the role's
// own policy is enough.
func admitCopies(repository awsecr.Repository, env config.Environment) {
	for _, other := range env.ImageCopies {
		if other.Account == env.Account {
			continue
		}
		role := map[string]any{"ArnEquals": map[string]any{"aws:PrincipalArn": other.ARN("iam", "role/"+other.ImagesRole())}}
		repository.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewArnPrincipal(jsii.String(other.ARN("iam", "root")))},
			Actions:    jsii.Strings(policy.PullImage...),
			Conditions: &role,
		}))
	}
}
