package service

import (
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/imports/externalsecretsio"
	"k8s-plus-aws-gitops/services/imports/k8s"
)

// connectionSecret are the variables of a database or a cache. Pods wait until it is there.
func (p Props) connectionSecret(of services.Connection) object {
	data := map[string]*string{of.URL: text(of.Address)}
	for variable, key := range of.Variables {
		data[variable] = text("{{ ." + key + " }}")
	}
	var from []*externalsecretsio.ExternalSecretSpecDataFrom
	for _, path := range p.SecretPaths(p.Cluster, of) {
		from = append(from, &externalsecretsio.ExternalSecretSpecDataFrom{
			Extract: &externalsecretsio.ExternalSecretSpecDataFromExtract{Key: text(path)},
		})
	}
	name := text(of.SecretName(p.Name))
	props := &externalsecretsio.ExternalSecretProps{
		Metadata: &cdk8s.ApiObjectMetadata{Name: name, Namespace: text(p.Name), Labels: p.labels()},
		Spec: &externalsecretsio.ExternalSecretSpec{
			DataFrom:        &from,
			RefreshInterval: text("5m0s"), // as external-secrets writes it back
			SecretStoreRef: &externalsecretsio.ExternalSecretSpecSecretStoreRef{
				Kind: externalsecretsio.ExternalSecretSpecSecretStoreRefKind_CLUSTER_SECRET_STORE, Name: text("aws"),
			},
			Target: &externalsecretsio.ExternalSecretSpecTarget{
				Name: name,
				Template: &externalsecretsio.ExternalSecretSpecTargetTemplate{
					EngineVersion: externalsecretsio.ExternalSecretSpecTargetTemplateEngineVersion_V2, Data: &data,
				},
			},
		},
	}
	id := map[string]string{services.DatabaseThing: "DatabaseSecret", services.CacheThing: "CacheSecret"}[of.Name]
	return object{id, "external-secrets.io/v1", "ExternalSecret", props, func(s *Service, id *string) {
		made := externalsecretsio.NewExternalSecret(s.Construct, id, props)
		if of.Name == services.DatabaseThing {
			s.DatabaseSecret = made
		} else {
			s.CacheSecret = made
		}
	}}
}

// connectionVariables read the secrets.
func (p Props) connectionVariables() []*k8s.EnvVar {
	all := []*k8s.EnvVar{}
	for _, of := range p.Connections() {
		for _, name := range append(sorted(of.Variables), of.URL) {
			all = append(all, &k8s.EnvVar{Name: text(name), ValueFrom: &k8s.EnvVarSource{
				SecretKeyRef: &k8s.SecretKeySelector{Name: text(of.SecretName(p.Name)), Key: text(name)},
			}})
		}
	}
	return all
}

// awsEgress opens the way to what the service has in AWS: its database, whose address is in the VPC, and the APIs, whose
// addresses are public where the VPC has no endpoints for them.
func (p Props) awsEgress() []*k8s.NetworkPolicyEgressRule {
	var rules []*k8s.NetworkPolicyEgressRule
	if p.AWS == nil {
		return nil
	}
	for _, of := range p.Connections() {
		// The port is in its secret, too, which a NetworkPolicy cannot read.
		rules = append(rules, egressTo(p.Cluster.VPCCIDR, of.Port))
	}
	if p.AWS.CallsAPIs() && !deref(p.Internet, false) {
		rules = append(rules, egressTo("0.0.0.0/0", 443))
	}
	return rules
}

// egressTo opens a TCP port of a block of addresses.
func egressTo(block string, port int) *k8s.NetworkPolicyEgressRule {
	return &k8s.NetworkPolicyEgressRule{To: &[]*k8s.NetworkPolicyPeer{{IpBlock: &k8s.IpBlock{Cidr: text(block)}}}, Ports: ports("TCP", port)}
}
