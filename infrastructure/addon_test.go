package infrastructure

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
	"k8s-plus-aws-gitops/internal/podidentity"
)

// An add-on has the pinned version, the settings as JSON, and its role by Pod Identity.
func TestAddon(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	cluster := bare(t, stack, "Bare", "bare")
	role := podidentity.NewRole(stack, "Role", &podidentity.RoleProps{Env: env, Cluster: "bare", Namespace: "kube-system", ServiceAccount: "aws-node"})
	NewAddon(stack, "CNI", &AddonProps{
		Env: env, Cluster: cluster, Name: "vpc-cni", Values: map[string]any{"enableNetworkPolicy": "true"}, ServiceAccount: "aws-node", Role: role,
	})
	NewAddon(stack, "Proxy", &AddonProps{Env: env, Cluster: cluster, Name: "kube-proxy"})
	template := cdktest.Synthesize(t, stack)
	template.Has("AWS::EKS::Addon", map[string]any{
		"AddonName": "vpc-cni", "AddonVersion": env.AddonVersion("vpc-cni"), "ConfigurationValues": `{"enableNetworkPolicy":"true"}`,
		"PodIdentityAssociations": []any{with(map[string]any{"ServiceAccount": "aws-node"})},
	})
	template.Has("AWS::EKS::Addon", map[string]any{"AddonName": "kube-proxy", "AddonVersion": env.AddonVersion("kube-proxy")})
}
