package main

import (
	"testing"

	"k8s-plus-aws-gitops/config"
)

// Tokens are in the region of the environment that the command is about.
func TestTokensAreInTheEnvironmentsRegion(t *testing.T) {
	secretsAnswering(t, "/dev/gitops/review-token", "secret")
	for _, name := range []string{"GITOPS_REVIEW_TOKEN", "GITHUB_TOKEN", "REVIEW_TOKEN_SECRET"} {
		t.Setenv(name, "")
	}
	dev := config.Environment{Name: "dev", Region: "eu-west-1"}
	if token, why := platformToken(t.Context(), "", dev); token != "secret" {
		t.Errorf("the agreed secret: %q, %s", string(token), why)
	}
	t.Setenv("REVIEW_TOKEN_SECRET", "/dev/gitops/review-token")
	if token, why := platformToken(t.Context(), "", dev); token != "secret" {
		t.Errorf("the secret of a variable: %q, %s", string(token), why)
	}
	if token, why := platformToken(t.Context(), "", dev, dev); token != "" || why == "" {
		t.Errorf("of two environments, in the caller's region: %q", string(token))
	}
	cmd := newRelease()
	cmd.SetContext(t.Context())
	if token, err := secretToken(cmd, dev.Region, "/dev/gitops/review-token"); token != "secret" || err != nil {
		t.Errorf("git's: %q, %v", token, err)
	}
}
