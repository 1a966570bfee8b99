package main

import (
	"cmp"
	"context"
	"os"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/forge"
)

// platformToken finds the token with which builds write to GitHub, or says why there is none. secret is the name that a
// flag gives; with a single environment its agreed name counts, too, and the secret is in its region.
func platformToken(ctx context.Context, secret string, environments ...config.Environment) (forge.Token, string) {
	if token := forge.FromEnvironment(os.LookupEnv); token != "" {
		return token, ""
	}
	name := cmp.Or(secret, os.Getenv("REVIEW_TOKEN_SECRET"))
	region := "" // the caller's own
	if len(environments) == 1 {
		name, region = cmp.Or(name, forge.SecretName(environments[0].Name)), environments[0].Region
	}
	if name == "" {
		return "", "there is no token; set GITOPS_REVIEW_TOKEN, or name its secret with --token-secret"
	}
	c, err := awsOf(ctx, region)
	if err != nil {
		return "", err.Error()
	}
	token, err := forge.FromSecret(ctx, secretsmanager.NewFromConfig(c), name)
	switch {
	case err != nil:
		return "", err.Error()
	case token == "":
		return "", "there is no secret " + name + " and no GITOPS_REVIEW_TOKEN"
	}
	return token, ""
}
