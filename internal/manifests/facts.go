package manifests

import (
	"fmt"
	"path/filepath"
	"strings"

	"k8s-plus-aws-gitops/config"
)

// rootOverlay returns what the root Kustomization of an environment adds to its folder, as far as the checkout has it: Flux
// ignores what is missing there.
func rootOverlay(root string, e config.Environment) overlay {
	var added overlay
	for _, component := range e.RootComponents() {
		if folder(filepath.Join(root, "k8s/clusters", e.Name, component)) == nil {
			added.Components = append(added.Components, component)
		}
	}
	return added
}

// factsOf returns the variables that Flux substitutes in an environment, by the ConfigMap of namespace
// flux-system that holds them. What only a deployment knows is one of config.Placeholders.
func factsOf(c config.Config, environment string) (map[string]map[string]string, error) {
	e, known := c.Environments[environment]
	if !known {
		return nil, fmt.Errorf("cdk.json: context.gitops.environments has no %q (it has %s); add it, or remove k8s/clusters/%s",
			environment, strings.Join(c.Names(), ", "), environment)
	}
	facts := map[string]map[string]string{config.ClusterFactsName: e.ClusterFacts(config.Placeholders)}
	if environment == config.LocalEnvironment {
		facts[config.LocalFactsName] = config.LocalFacts(config.Machine{
			Port: 8443, Registry: "registry.localhost", CA: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
		})
	}
	return facts, nil
}
