package infrastructure

import (
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/cdktest"
)

// A network has the environment's names unless it gets its own, and makes the zone that the configuration does not name.
func TestNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		name, alias string
		zone        *config.HostedZone
		zones       int
	}{
		"the environment's": {"", "alias/dev/data", nil, 1},
		"a second one":      {"side", "alias/side/data", &config.HostedZone{ID: "Z1", Name: "example.com"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			env := cdktest.Environment(t)
			env.HostedZone = c.zone
			stack := cdktest.Stack(t, env)
			made := NewNetwork(stack, "Network", &NetworkProps{Env: env, Name: c.name})
			if (made.NameServers != nil) != (c.zones == 1) {
				t.Errorf("name servers %v, %d zones", made.NameServers, c.zones)
			}
			template := cdktest.Synthesize(t, stack)
			template.Has("AWS::KMS::Alias", map[string]any{"AliasName": c.alias})
			template.Count("AWS::Route53::HostedZone", c.zones)
		})
	}
}
