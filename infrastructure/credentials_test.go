package infrastructure

import (
	"testing"

	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// The credentials come from the environment's secret, by external-secrets, whose manifests get the facts and stay when this
// is removed.
func TestGitCredentials(t *testing.T) {
	env := cdktest.Environment(t)
	env.GitCredentials = config.CredentialsBasic
	stack := cdktest.Stack(t, env)
	made := NewGitCredentials(stack, "Credentials", &GitCredentialsProps{
		Env: env, Cluster: bare(t, stack, "Bare", "bare"),
		Controller: "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: external-secrets\n  labels: {domain: \"${DOMAIN}\"}\n",
		Facts:      map[string]string{"DOMAIN": "dev.example.com"},
	})
	if made.Tried == nil {
		t.Error("nothing to wait for")
	}
	template := cdktest.Synthesize(t, stack)
	const manifests = "Custom::AWSCDK-EKS-KubernetesResource"
	template.HasResource(jsii.String(manifests), map[string]any{
		"Properties": with(map[string]any{"Manifest": like(`"domain":"dev.example.com"`)}), "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
	})
	template.Has(manifests, map[string]any{"Manifest": like(`"key":"/dev/flux/git-read"`)})
}
