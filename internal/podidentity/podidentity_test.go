package podidentity

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/policy"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "../..")) }

// A role trusts one ServiceAccount of one cluster, the environment's own unless another is named.
func TestRole(t *testing.T) {
	env := cdktest.Environment(t)
	for given, cluster := range map[string]string{"": "dev", "blue": "blue"} {
		t.Run(cluster, func(t *testing.T) {
			stack := cdktest.Stack(t, env)
			NewRole(stack, "Role", &RoleProps{
				Env: env, Cluster: given, Namespace: "shop", ServiceAccount: "web", Name: "dev-shop", ManagedPolicies: []string{"AmazonEKS_CNI_Policy"},
				Policies: map[string]policy.Document{"read": policy.Of(policy.Allow("", policy.List{"arn:aws:s3:::b/*"}, "s3:GetObject"))},
			})
			cdktest.Synthesize(t, stack).Has("AWS::IAM::Role", map[string]any{
				"RoleName":          "dev-shop",
				"ManagedPolicyArns": []any{assertions.Match_ObjectLike(&map[string]any{})},
				"Policies":          []any{assertions.Match_ObjectLike(&map[string]any{"PolicyName": "read"})},
				"AssumeRolePolicyDocument": map[string]any{"Version": "2012-10-17", "Statement": []any{map[string]any{
					"Action": []any{"sts:AssumeRole", "sts:TagSession"}, "Effect": "Allow",
					"Principal": map[string]any{"Service": "pods.eks.amazonaws.com"},
					"Condition": map[string]any{"StringEquals": map[string]any{
						"aws:RequestTag/eks-cluster-arn":            env.ARN("eks", "cluster/"+cluster),
						"aws:RequestTag/kubernetes-namespace":       "shop",
						"aws:RequestTag/kubernetes-service-account": "web",
					}},
				}}},
			})
		})
	}
}

// A role that nothing names gets no name, no description and no policy.
func TestRoleOfTheLeastProps(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewRole(stack, "Role", &RoleProps{Env: env, Namespace: "shop", ServiceAccount: "web"})
	absent := assertions.Match_Absent()
	cdktest.Synthesize(t, stack).Has("AWS::IAM::Role", map[string]any{"RoleName": absent, "Description": absent, "Policies": absent, "ManagedPolicyArns": absent})
}

// An association is of the cluster that it is given.
func TestAssociation(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	cluster := awseksv2.Cluster_FromClusterAttributes(stack, jsii.String("Cluster"), &awseksv2.ClusterAttributes{ClusterName: jsii.String("blue")})
	NewAssociation(stack, "Shop", &AssociationProps{Cluster: cluster, Identity: Identity{Namespace: "shop", ServiceAccount: "web", RoleARN: "arn:aws:iam::111111111111:role/dev-shop"}})
	cdktest.Synthesize(t, stack).Has("AWS::EKS::PodIdentityAssociation", map[string]any{
		"ClusterName": "blue", "Namespace": "shop", "ServiceAccount": "web", "RoleArn": "arn:aws:iam::111111111111:role/dev-shop",
	})
}
