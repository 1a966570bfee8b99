package infrastructure

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/retention"
)

// WebhookTokenProps says whose token it is. Its secret is /<environment>/flux/webhook-token, which Kubernetes reads by name.
type WebhookTokenProps struct {
	Env config.Environment
	// Key encrypts the secret.
	Key awskms.IKey
}

// NewWebhookToken makes the secret that GitHub and Flux's Receiver share.
func NewWebhookToken(scope constructs.Construct, id string, props *WebhookTokenProps) awssecretsmanager.Secret {
	return newToken(scope, id, props.Env, props.Key, "webhook-token", "Signs the webhook that announces pushes to Flux")
}

// newToken makes a secret of Flux's under a name of the environment, with 48 letters and digits under the key token.
func newToken(scope constructs.Construct, id string, env config.Environment, key awskms.IKey, name, description string) awssecretsmanager.Secret {
	return awssecretsmanager.NewSecret(scope, jsii.String(id), &awssecretsmanager.SecretProps{
		SecretName:    jsii.String(env.SecretName("flux", name)),
		Description:   jsii.String(description),
		EncryptionKey: key,
		RemovalPolicy: retention.Of(env).Derived(),
		GenerateSecretString: &awssecretsmanager.SecretStringGenerator{
			SecretStringTemplate: jsii.String("{}"),
			GenerateStringKey:    jsii.String("token"),
			PasswordLength:       jsii.Number(48),
			ExcludePunctuation:   jsii.Bool(true),
		},
	})
}
