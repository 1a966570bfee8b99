package addons

import (
	"os"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awseksv2"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/internal/cdktest"
)

func TestMain(m *testing.M) { os.Exit(cdktest.Run(m, "../..")) }

// A controller's role has its policy and trusts its ServiceAccount of the given cluster, which is associated with it.
func TestController(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	cluster := awseksv2.Cluster_FromClusterAttributes(stack, jsii.String("Cluster"), &awseksv2.ClusterAttributes{ClusterName: jsii.String("blue")})
	NewController(stack, "dns", &ControllerProps{Env: env, Cluster: cluster, ClusterName: "blue", Rights: ExternalDNS(env, "Z1")})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::IAM::Role", map[string]any{
		"Description": "external-dns " + ExternalDNSChartVersion + " in cluster blue",
		"AssumeRolePolicyDocument": assertions.Match_ObjectLike(&map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{assertions.Match_ObjectLike(&map[string]any{
			"Condition": map[string]any{"StringEquals": map[string]any{
				"aws:RequestTag/eks-cluster-arn":            env.ARN("eks", "cluster/blue"),
				"aws:RequestTag/kubernetes-namespace":       "external-dns",
				"aws:RequestTag/kubernetes-service-account": "external-dns",
			}},
		})})}),
		"Policies": []any{assertions.Match_ObjectLike(&map[string]any{"PolicyName": "external-dns"})},
	})
	template.Has("AWS::EKS::PodIdentityAssociation", map[string]any{"ClusterName": "blue", "Namespace": "external-dns", "ServiceAccount": "external-dns"})
}
