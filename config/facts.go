package config

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strconv"

	"k8s-plus-aws-gitops/internal/rdsca"
)

// Names of the ConfigMaps in namespace flux-system whose values Flux puts in the place of ${NAME} in manifests. The bootstrap
// writes the first in every environment, `gitops local up` the second, on one machine.
const (
	ClusterFactsName = "cluster-facts"
	LocalFactsName   = "local-facts"
)

// LocalEnvironment is the environment of one machine, which no deployment reads.
const LocalEnvironment = "local"

// DatabaseCAFact is the variable with the certificates by which pods know their database's server, as base64 of PEM. An
// environment may set it in its facts.
const DatabaseCAFact = "DATABASE_CA"

// Deployed is what is known of an environment once AWS has made it.
type Deployed struct {
	// VPCID is the id of the VPC.
	VPCID string
	// HostedZoneID is the id of the zone that the network stack makes. It is not used if the file names a zone.
	HostedZoneID string
	// AlertsAddress is the URL of the function that publishes the errors of Flux; empty where alerts.sns is false.
	AlertsAddress string
}

// Placeholders have the shape of what a deployment knows, for manifests that are built without one.
var Placeholders = Deployed{VPCID: "vpc-0123456789abcdef0", HostedZoneID: "Z0123456789ABCDEFGHIJ", AlertsAddress: "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-west-1.on.aws/"}

// ClusterFacts are the variables for manifests: those of the bootstrap, and the environment's own.
func (e Environment) ClusterFacts(d Deployed) map[string]string {
	facts := e.bootstrapFacts(d)
	maps.Copy(facts, e.Alerts.facts())
	maps.Copy(facts, e.Facts)
	facts[DatabaseCAFact] = e.DatabaseCA()
	return facts
}

// DatabaseCA is the value of DatabaseCAFact: the environment's own, or the root certificates of Amazon RDS in its region.
// Empty: the region is not among those that internal/rdsca has, and its databases cannot be checked.
func (e Environment) DatabaseCA() string {
	if own := e.Facts[DatabaseCAFact]; own != "" {
		return own
	}
	return base64.StdEncoding.EncodeToString(rdsca.Bundle(e.Region))
}

// isDatabaseCA reports whether a text is base64 of PEM with certificates alone.
func isDatabaseCA(text string) bool {
	rest, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return false
	}
	found := false
	for block, rest := pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if _, err := x509.ParseCertificate(block.Bytes); err != nil || block.Type != "CERTIFICATE" {
			return false
		}
		found = true
	}
	return found
}

// bootstrapFacts are the variables that every environment has. No environment can set them itself.
func (e Environment) bootstrapFacts(d Deployed) map[string]string {
	zone := d.HostedZoneID
	if e.HostedZone != nil {
		zone = e.HostedZone.ID
	}
	return map[string]string{
		"ENVIRONMENT":    e.Name,
		"DOMAIN":         e.Domain,
		"CLUSTER_NAME":   e.ClusterName(),
		"AWS_REGION":     e.Region,
		"AWS_ACCOUNT_ID": e.Account,
		"AWS_PARTITION":  e.Partition(),
		"VPC_ID":         d.VPCID,
		"VPC_CIDR":       e.Network.CIDR,
		"HOSTED_ZONE_ID": zone,
		"GIT_URL":        e.RepositoryURL,
		"GIT_BRANCH":     e.Branch,
		"FLUX_BRANCH":    e.FluxBranch(),
		"IMAGE_REGISTRY": e.Registry(),
		// Where Flux tells of errors: the choice is in Alerts.facts.
		"ALERTS_SNS_ADDRESS": d.AlertsAddress,
		// Where and how Flux writes image tags.
		"IMAGE_UPDATE_BRANCH":  e.ImageUpdateBranch(),
		"IMAGE_UPDATE_COMMITS": e.imageUpdateCommits(),
		"GIT_PROVIDER":         e.GitProvider(),
		// How Ghost sends mail: the component in k8s/apps/ghost/mail, and what is in it.
		"GHOST_MAIL":      string(e.Ghost.Mail.Transport),
		"GHOST_MAIL_FROM": e.Ghost.Mail.From,
		"GHOST_MAIL_PORT": strconv.Itoa(e.Ghost.Mail.Port),
	}
}

// RootComponents are the kustomize components that the root Kustomization adds to k8s/clusters/<environment>, relative to
// that folder. Without a gate the layers do not wait for each other's revision: docs/design/20261120.flux-feature-gates.md
func (e Environment) RootComponents() []string {
	if e.Gated() {
		return nil
	}
	return []string{"../base/ungated"}
}

// isClusterFact reports whether the bootstrap sets the variable.
func isClusterFact(name string) bool {
	_, set := Environment{}.bootstrapFacts(Deployed{})[name]
	_, alerts := Alerts{}.facts()[name]
	return set || alerts
}

// imageUpdateCommits names the component in k8s/platform/image-automation/commits: Flux signs what nobody merges, where a
// signature is asked for.
func (e Environment) imageUpdateCommits() string {
	if e.Repository.Verifies() && e.Delivery.ImageUpdates == ImageUpdatesCommit {
		return "signed"
	}
	return "unsigned"
}

// GitProvider is how Flux treats the credentials of Git: those of a GitHub App are exchanged for a token.
func (e Environment) GitProvider() string {
	if e.GitCredentials == CredentialsGitHubApp {
		return "github"
	}
	return "generic"
}

// Machine is what is known of the machine that runs environment local.
type Machine struct {
	// Port at which hosts of the environment answer by HTTPS.
	Port int
	// Registry is the host of the image registry, and CA the certificate that signs the database's, as PEM.
	Registry, CA string
}

// LocalFacts are the variables that environment local has beside ClusterFacts; on AWS the manifests have defaults for them.
func LocalFacts(m Machine) map[string]string {
	ssl, _ := json.Marshal(map[string]string{"ca": m.CA}) // strings always have a JSON text
	return map[string]string{
		"PUBLIC_PORT": fmt.Sprintf(":%d", m.Port),
		// One line: the value stands in an environment variable of a manifest.
		"DATABASE_SSL": string(ssl),
		DatabaseCAFact: base64.StdEncoding.EncodeToString([]byte(m.CA)),
		// ECR's name and login are AWS's own; the same images are here.
		"IMAGE_REGISTRY":          m.Registry,
		"IMAGE_REGISTRY_PROVIDER": "generic",
		"IMAGE_REGISTRY_INSECURE": "true",
	}
}
