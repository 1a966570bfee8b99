package infrastructure

import (
	"testing"

	"k8s-plus-aws-gitops/internal/cdktest"
)

// The certificate is for one level below the environment's domain, and is proved in the zone.
func TestCertificate(t *testing.T) {
	env := cdktest.Environment(t)
	stack := cdktest.Stack(t, env)
	NewCertificate(stack, "Certificate", &CertificateProps{Env: env, Zone: zone(stack)})
	cdktest.Synthesize(t, stack).Has("AWS::CertificateManager::Certificate", map[string]any{
		"DomainName": "*." + env.Domain, "ValidationMethod": "DNS",
		"DomainValidationOptions": []any{map[string]any{"DomainName": "*." + env.Domain, "HostedZoneId": "Z1"}},
	})
}
