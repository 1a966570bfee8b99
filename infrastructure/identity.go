package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/podidentity"
)

// Identity ties an IAM role to a Kubernetes ServiceAccount through EKS Pod Identity.
type Identity struct {
	Namespace      string
	ServiceAccount string
	RoleARN        string
}

// podIdentityPrincipal is the trust of a role for one ServiceAccount of the environment's cluster.
func podIdentityPrincipal(env config.Environment, namespace, serviceAccount string) awsiam.IPrincipal {
	return podidentity.Principal(env, namespace, serviceAccount)
}

// associate makes the Pod Identity association of an identity.
func (c *Cluster) associate(i Identity) awseksv2.CfnPodIdentityAssociation {
	return awseksv2.NewCfnPodIdentityAssociation(c.Stack, jsii.String("Identity-"+i.Namespace+"-"+i.ServiceAccount), &awseksv2.CfnPodIdentityAssociationProps{
		ClusterName:    c.EKS.ClusterName(),
		Namespace:      jsii.String(i.Namespace),
		ServiceAccount: jsii.String(i.ServiceAccount),
		RoleArn:        jsii.String(i.RoleARN),
	})
}
