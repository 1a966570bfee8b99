package infrastructure

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/google/go-cmp/cmp"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// Nodes of any cluster have the settings of their environment, wait for what they need, and keep pods from their role.
func TestNodes(t *testing.T) {
	env := cdktest.Environment(t)
	env.Nodes.Architecture, env.Nodes.InstanceTypes, env.Nodes.Spot, env.Nodes.Min, env.Nodes.Max = config.X8664, []string{"m7i.large"}, true, 2, 5
	stack := cdktest.Stack(t, env)
	network := awsec2.NewVpc(stack, jsii.String("VPC"), &awsec2.VpcProps{SubnetConfiguration: &[]*awsec2.SubnetConfiguration{
		{Name: jsii.String(PublicSubnets), SubnetType: awsec2.SubnetType_PUBLIC}, {Name: jsii.String(PrivateSubnets), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
	}})
	cluster := NewCluster(stack, "Cluster", &ClusterProps{Env: env, VPC: network, Key: key(stack), KubectlLayer: cdktest.KubectlLayer(t)})
	NewNodes(stack, "Nodes", &NodesProps{
		Env: env, Cluster: cluster.EKS, After: []constructs.IConstruct{cluster}, // a whole construct is something to wait for
		Workloads: awsec2.SecurityGroup_FromSecurityGroupId(stack, jsii.String("Workloads"), jsii.String("sg-1"), nil),
	})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::EKS::Nodegroup", map[string]any{
		"AmiType": "AL2023_x86_64_STANDARD", "CapacityType": "SPOT", "InstanceTypes": []any{"m7i.large"}, "Version": env.NodeVersion(),
		"ReleaseVersion": env.NodeRelease(), "ScalingConfig": map[string]any{"MinSize": 2, "DesiredSize": 2, "MaxSize": 5},
	})
	template.HasResource(jsii.String("AWS::EKS::Nodegroup"), map[string]any{"DependsOn": list(like("^ClusterAddonvpccni"))})
	template.Has("AWS::EC2::LaunchTemplate", map[string]any{"LaunchTemplateData": with(map[string]any{
		"MetadataOptions": map[string]any{"HttpTokens": "required", "HttpPutResponseHopLimit": 1}, "SecurityGroupIds": list("sg-1"),
	})})
}

// Nodes answer Session Manager where the configuration asks for it, and may do no more than that.
func TestSessionRights(t *testing.T) {
	env := cdktest.Environment(t)
	for _, wanted := range []bool{false, true} {
		env.Cluster.SessionManager = &wanted
		var want []string
		if wanted {
			want = []string{
				"Allow ssm:UpdateInstanceInformation " + env.ARN("ec2", "instance/*") + " null",
				"Allow ssmmessages:CreateControlChannel * null", "Allow ssmmessages:CreateDataChannel * null",
				"Allow ssmmessages:OpenControlChannel * null", "Allow ssmmessages:OpenDataChannel * null",
			}
		}
		if diff := cmp.Diff(want, sessionRights(env)["sessions"].Permissions()); diff != "" {
			t.Errorf("wanted %t (-want +got):\n%s", wanted, diff)
		}
	}
}
