package manifests

import (
	"fmt"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// factsOf returns the variables that Flux substitutes in an environment, by the ConfigMap of namespace
// flux-system that holds them. What only a deployment knows is one of config.Placeholders.
func factsOf(c config.Config, environment string) (map[string]map[string]string, error) {
	e, known := c.Environments[environment]
	if !known {
		return nil, fmt.Errorf("cdk.json: context.gitops.environments has no %q (it has %s); add it, or remove k8s/clusters/%s",
			environment, strings.Join(c.Names(), ", "), environment)
	}
	facts := map[string]map[string]string{config.ClusterFactsName: e.ClusterFacts(config.Placeholders)}
	if environment == "local" {
		facts[config.LocalFactsName] = config.LocalFacts(config.Machine{
			Port: 8443, Registry: "registry.localhost", CA: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		})
	}
	return facts, nil
}
