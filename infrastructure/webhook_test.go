package infrastructure

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// Kubernetes reads the token by its name and key.
func TestWebhookToken(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewWebhookToken(stack, "Token", &WebhookTokenProps{Env: env, Key: key(stack)})
	cdktest.Synthesize(t, stack).Has("AWS::SecretsManager::Secret", map[string]any{
		"Name": "/dev/flux/webhook-token", "GenerateSecretString": with(map[string]any{"GenerateStringKey": "token", "PasswordLength": 48}),
	})
}
