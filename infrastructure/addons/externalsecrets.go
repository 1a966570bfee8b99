package addons

import "k8s-plus-aws-gitops/config"

// ExternalSecretsChartVersion is the chart that the policy was made for.
const ExternalSecretsChartVersion = "0.20.4"

// ExternalSecrets copies the environment's secrets into Kubernetes: those under /<environment>/, by name, read only.
// Finding secrets by tag (dataFrom.find) would need ListSecrets on everything, and is therefore not possible.
// https://external-secrets.io/latest/provider/aws-secrets-manager/#iam-policy
func ExternalSecrets(env config.Environment, keyARN string) Controller {
	arn := "arn:" + env.Partition() + ":secretsmanager:" + env.Region + ":" + env.Account + ":secret:/" + env.Name + "/*"
	suffix := "amazonaws.com"
	if env.Partition() == "aws-cn" {
		suffix = "amazonaws.com.cn"
	}
	through := map[string]any{"StringEquals": map[string]any{"kms:ViaService": "secretsmanager." + env.Region + "." + suffix}}
	read := []string{
		"secretsmanager:DescribeSecret", "secretsmanager:GetResourcePolicy",
		"secretsmanager:GetSecretValue", "secretsmanager:ListSecretVersionIds",
	}
	return Controller{
		Name:           "external-secrets",
		Namespace:      "external-secrets",
		ServiceAccount: "external-secrets",
		ChartVersion:   ExternalSecretsChartVersion,
		Policy: document(
			statement("ReadSecretsOfTheEnvironment", read, arn, nil),
			statement("DecryptThemWithTheirKey", []string{"kms:Decrypt"}, keyARN, through),
		),
	}
}
