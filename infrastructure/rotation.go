package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awseks"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
)

// RotationAccessProps says which role reaches which namespace.
type RotationAccessProps struct {
	Cluster awseksv2.ICluster
	// Namespace whose pods are started anew, and RoleARN the role of the function that does it.
	Namespace, RoleARN string
}

// NewRotationAccess lets a function that rotates a password into the cluster, as a member of config.RotationGroup. What the
// group may do is beside the pods, in Flux's half: k8s/apps/ghost/rotation.yaml.
func NewRotationAccess(scope constructs.Construct, id string, props *RotationAccessProps) awseks.CfnAccessEntry {
	// L1, because the construct of the CDK wants a policy of EKS, each of which may do more.
	return awseks.NewCfnAccessEntry(scope, jsii.String(id), &awseks.CfnAccessEntryProps{
		ClusterName: props.Cluster.ClusterName(), PrincipalArn: jsii.String(props.RoleARN), KubernetesGroups: jsii.Strings(config.RotationGroup(props.Namespace)),
	})
}
