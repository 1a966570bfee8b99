package manifests

import (
	"fmt"
	"testing"

	"k8s-plus-aws-gitops/internal/fixture"
)

// TestAlerts holds each choice of alerts to the objects that Flux gets: none, or a provider whose address comes out of Secrets
// Manager, with an alert that listens to all of Flux's objects. No address stands in Git.
func TestAlerts(t *testing.T) {
	root := fixture.Root(t)
	validator, err := newValidator()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(validator.close)
	variables := map[string]string{
		"ENVIRONMENT": "dev", "DOMAIN": "dev.example.com", "AWS_REGION": "eu-west-1", "VPC_CIDR": "10.0.0.0/16", "FLUX_BRANCH": "released/dev",
		"GIT_URL": "https://github.com/my-company/platform.git", "ALERTS_PROVIDER": "slack", "ALERTS_SNS_ADDRESS": "https://a.lambda-url.eu-west-1.on.aws/", "IMAGE_REGISTRY": "1.dkr.ecr.eu-west-1.amazonaws.com", "AWS_ACCOUNT_ID": "111111111111",
	}
	heard := map[string]string{} // of each choice of errors: what it listens to, and what it leaves out
	for choice, want := range map[string]map[string]string{
		"webhook/none":    {},
		"status/none":     {},
		"sns/none":        {},
		"sns/topic":       {"secret": "/dev/flux/alerts-token", "type": "generic-hmac", "address": "https://a.lambda-url.eu-west-1.on.aws/", "severity": "error", "from": "alerts-token"},
		"webhook/webhook": {"secret": "/dev/flux/alert-webhook", "type": "slack", "address": "<nil>", "severity": "error", "from": "alert-webhook"},
		"status/github":   {"secret": "/dev/flux/status-token", "type": "github", "address": "https://github.com/my-company/platform.git", "severity": "info", "from": "status-token"},
	} {
		t.Run(choice, func(t *testing.T) {
			run := &check{ctx: t.Context(), root: root, validator: validator}
			run.enter("k8s/platform/configs")
			found := run.folder("k8s/platform/configs", overlay{Components: []any{"alerts/" + choice}}, variables)
			run.content(found)
			for _, problem := range run.problems {
				t.Error(problem)
			}
			got, provider, sources := map[string]string{}, "", map[string]bool{}
			for _, o := range found {
				switch text(o, "kind") {
				case "Provider":
					provider = text(o, "metadata", "name")
					got["type"], got["address"], got["from"] = text(o, "spec", "type"), fmt.Sprint(value(o, "spec", "address")), text(o, "spec", "secretRef", "name")
				case "Alert":
					got["severity"] = text(o, "spec", "eventSeverity")
					if of := text(o, "spec", "providerRef", "name"); of != provider {
						t.Errorf("the alert goes to %q, the provider is %q", of, provider)
					}
					if want["severity"] == "error" {
						heard[choice] = fmt.Sprint(value(o, "spec", "eventSources"), value(o, "spec", "exclusionList"))
					}
					for _, s := range value(o, "spec", "eventSources").([]any) {
						sources[text(s.(map[string]any), "kind")] = true
					}
				case "ExternalSecret":
					if name := text(o, "spec", "target", "name"); name != "webhook-token" {
						got["secret"] = text(value(o, "spec", "dataFrom").([]any)[0].(map[string]any), "extract", "key")
						if name != want["from"] {
							t.Errorf("the secret becomes %q, the provider reads %q", name, want["from"])
						}
					}
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if len(want) > 0 && !sources["Kustomization"] || want["severity"] == "error" && (!sources["HelmRelease"] || !sources["GitRepository"]) {
				t.Errorf("it listens to %v", sources)
			}
		})
	}
	if len(heard) != 2 || heard["webhook/webhook"] != heard["sns/topic"] {
		t.Errorf("a webhook and a topic must hear the same:\n%v", heard)
	}
}
