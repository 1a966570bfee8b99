package addons

import (
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// ExternalSecretsChartVersion is the chart that the policy was made for.
//
// renovate: datasource=helm depName=external-secrets registryUrl=https://charts.external-secrets.io
const ExternalSecretsChartVersion = "2.12.0"

// ExternalSecrets copies the environment's secrets into Kubernetes: those under /<environment>/, by name, read only.
// Finding secrets by tag (dataFrom.find) would need ListSecrets on everything, and is therefore not possible.
// https://external-secrets.io/latest/provider/aws-secrets-manager/#iam-policy
func ExternalSecrets(env config.Environment, keyARN string) Rights {
	through := map[string]any{"StringEquals": map[string]any{"kms:ViaService": "secretsmanager." + env.Region + "." + env.DNSSuffix()}}
	return Rights{
		Name:           "external-secrets",
		Namespace:      "external-secrets",
		ServiceAccount: "external-secrets",
		ChartVersion:   ExternalSecretsChartVersion,
		Policy: policy.Of(
			policy.Allow("ReadSecretsOfTheEnvironment", policy.List{env.ARN("secretsmanager", "secret:/"+env.Name+"/*")},
				"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
				"secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds"),
			policy.Allow("DecryptThemWithTheirKey", policy.List{keyARN}, "kms:Decrypt").If(through),
		),
	}
}
