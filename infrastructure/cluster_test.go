package infrastructure

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A second cluster of an environment has its own name wherever it has one: in its logs, its key, and the trust of its roles.
func TestCluster(t *testing.T) {
	for given, name := range map[string]string{"": "dev", "blue": "blue"} {
		t.Run(name, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.Cluster.Admins, env.Cluster.Viewers = []string{"arn:aws:iam::111111111111:role/Admin"}, []string{"arn:aws:iam::111111111111:role/Developer"}
			stack := cdktest.Stack(t, env)
			made := NewCluster(stack, "Cluster", &ClusterProps{Env: env, Name: given, VPC: vpc(stack), Key: key(stack), KubectlLayer: cdktest.KubectlLayer(t)})
			if made.Name != name || len(made.NodesNeed) != 3 || len(made.ManifestsNeed) != 2 {
				t.Errorf("got name %s, %d add-ons, %d log groups", made.Name, len(made.NodesNeed), len(made.ManifestsNeed))
			}
			template := cdktest.Synthesize(t, stack)
			template.Has("AWS::EKS::Cluster", map[string]any{"Name": name, "Version": env.Cluster.Version, "UpgradePolicy": map[string]any{"SupportType": "STANDARD"}})
			template.Has("AWS::KMS::Alias", map[string]any{"AliasName": "alias/" + name + "/cluster"})
			template.Has("AWS::Logs::LogGroup", map[string]any{"LogGroupName": "/aws/eks/" + name + "/cluster", "RetentionInDays": env.Cluster.LogDays})
			template.Has("AWS::EC2::SecurityGroupIngress", map[string]any{"CidrIp": env.Network.CIDR, "FromPort": 443, "ToPort": 443})
			template.Has("AWS::EKS::AccessEntry", map[string]any{"PrincipalArn": env.Cluster.Admins[0], "KubernetesGroups": assertions.Match_Absent()})
			template.Has("AWS::EKS::AccessEntry", map[string]any{"PrincipalArn": env.Cluster.Viewers[0], "KubernetesGroups": []any{config.ViewGroup}})
			template.Has("AWS::IAM::Role", map[string]any{"AssumeRolePolicyDocument": with(map[string]any{"Statement": list(with(map[string]any{
				"Condition": map[string]any{"StringEquals": with(map[string]any{"aws:RequestTag/eks-cluster-arn": env.ARN("eks", "cluster/"+name)})},
			}))})})
		})
	}
}
