// Package podidentity makes the roles that pods assume through EKS Pod Identity, and ties them to ServiceAccounts.
package podidentity

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// RoleProps says which pods assume a role, and what they may do.
type RoleProps struct {
	Env config.Environment
	// Cluster is the name of the pods' cluster; the environment's own by default.
	Cluster string
	// Namespace and ServiceAccount of the pods.
	Namespace, ServiceAccount string
	// Name is agreed with whoever refers to the role without its stack; CloudFormation makes one up by default.
	Name        string
	Description string
	// Policies are the role's rights by name.
	Policies map[string]policy.Document
	// ManagedPolicies are AWS's own, by name.
	ManagedPolicies []string
}

// NewRole makes a role that trusts EKS Pod Identity, for one ServiceAccount of one cluster and nothing else: the service
// states cluster, namespace and ServiceAccount as session tags, and the conditions hold it to them.
// https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html
func NewRole(scope constructs.Construct, id string, props *RoleProps) awsiam.Role {
	cluster := props.Cluster
	if cluster == "" {
		cluster = props.Env.ClusterName()
	}
	pods := awsiam.NewServicePrincipal(jsii.String("pods.eks.amazonaws.com"), nil).WithConditions(&map[string]any{
		"StringEquals": map[string]any{
			"aws:RequestTag/eks-cluster-arn":            props.Env.ARN("eks", "cluster/"+cluster),
			"aws:RequestTag/kubernetes-namespace":       props.Namespace,
			"aws:RequestTag/kubernetes-service-account": props.ServiceAccount,
		},
	})
	role := &awsiam.RoleProps{AssumedBy: awsiam.NewSessionTagsPrincipal(pods), InlinePolicies: policy.Inline(props.Policies)}
	if props.Name != "" {
		role.RoleName = jsii.String(props.Name)
	}
	if props.Description != "" {
		role.Description = jsii.String(props.Description)
	}
	if len(props.ManagedPolicies) > 0 {
		role.ManagedPolicies = ManagedPolicies(props.ManagedPolicies...)
	}
	return awsiam.NewRole(scope, jsii.String(id), role)
}

// ManagedPolicies are AWS managed policies of the stack's partition, by name.
func ManagedPolicies(names ...string) *[]awsiam.IManagedPolicy {
	list := make([]awsiam.IManagedPolicy, len(names))
	for i, name := range names {
		list[i] = awsiam.ManagedPolicy_FromAwsManagedPolicyName(jsii.String(name))
	}
	return &list
}

// Identity is a ServiceAccount and the role that its pods get.
type Identity struct {
	// Namespace and ServiceAccount whose pods get the role. They need not exist yet.
	Namespace, ServiceAccount string
	// RoleARN is a role that NewRole made for the same cluster, namespace and ServiceAccount; it may be a CDK token.
	RoleARN string
}

// AssociationProps says which ServiceAccount gets which role.
type AssociationProps struct {
	// Cluster of the ServiceAccount. It has one association for each.
	Cluster awseksv2.ICluster
	Identity
}

// NewAssociation gives a role to the pods of a ServiceAccount that start from then on.
func NewAssociation(scope constructs.Construct, id string, props *AssociationProps) awseksv2.CfnPodIdentityAssociation {
	// The L2 is ServiceAccount, which makes the ServiceAccount in Kubernetes, too; here Flux makes it.
	return awseksv2.NewCfnPodIdentityAssociation(scope, jsii.String(id), &awseksv2.CfnPodIdentityAssociationProps{
		ClusterName:    props.Cluster.ClusterName(),
		Namespace:      jsii.String(props.Namespace),
		ServiceAccount: jsii.String(props.ServiceAccount),
		RoleArn:        jsii.String(props.RoleARN),
	})
}
