package service

import (
	"github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2"

	"k8s-plus-aws-gitops/internal/services"
	"k8s-plus-aws-gitops/services/imports/externalsecretsio"
	"k8s-plus-aws-gitops/services/imports/k8s"
)

// database is what the service says of its database; nil without one.
func (p Props) database() *services.Database {
	if p.AWS == nil {
		return nil
	}
	return p.AWS.Database
}

func (p Props) databaseSecretName() string { return p.Name + "-database" }

// databaseSecret are the variables of the database. Pods wait until it is there.
func (p Props) databaseSecret() object {
	data := map[string]*string{}
	for variable, key := range services.DatabaseVariables {
		data[variable] = text("{{ ." + key + " }}")
	}
	of := services.Engines[p.database().Engine]
	data[services.DatabaseURL] = text(of.Scheme + "://{{ .username }}:{{ .password | urlquery }}@{{ .host }}:{{ .port }}/{{ .dbname }}" + of.Query)
	props := &externalsecretsio.ExternalSecretProps{
		Metadata: &cdk8s.ApiObjectMetadata{Name: text(p.databaseSecretName()), Namespace: text(p.Name), Labels: p.labels()},
		Spec: &externalsecretsio.ExternalSecretSpec{
			DataFrom: &[]*externalsecretsio.ExternalSecretSpecDataFrom{{
				Extract: &externalsecretsio.ExternalSecretSpecDataFromExtract{Key: text(p.DatabaseSecret(p.Cluster))},
			}},
			RefreshInterval: text("5m"),
			SecretStoreRef: &externalsecretsio.ExternalSecretSpecSecretStoreRef{
				Kind: externalsecretsio.ExternalSecretSpecSecretStoreRefKind_CLUSTER_SECRET_STORE, Name: text("aws"),
			},
			Target: &externalsecretsio.ExternalSecretSpecTarget{
				Name: text(p.databaseSecretName()),
				Template: &externalsecretsio.ExternalSecretSpecTargetTemplate{
					EngineVersion: externalsecretsio.ExternalSecretSpecTargetTemplateEngineVersion_V2, Data: &data,
				},
			},
		},
	}
	return object{"DatabaseSecret", "external-secrets.io/v1", "ExternalSecret", props, func(s *Service, id *string) {
		s.DatabaseSecret = externalsecretsio.NewExternalSecret(s.Construct, id, props)
	}}
}

// databaseVariables read the secret.
func (p Props) databaseVariables() []*k8s.EnvVar {
	if p.database() == nil {
		return nil
	}
	all := []*k8s.EnvVar{}
	for _, name := range append(sorted(services.DatabaseVariables), services.DatabaseURL) {
		all = append(all, &k8s.EnvVar{Name: text(name), ValueFrom: &k8s.EnvVarSource{
			SecretKeyRef: &k8s.SecretKeySelector{Name: text(p.databaseSecretName()), Key: text(name)},
		}})
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
	if d := p.database(); d != nil {
		// The port is in its secret, too, which a NetworkPolicy cannot read.
		rules = append(rules, egressTo(p.Cluster.VPCCIDR, services.Engines[d.Engine].Port))
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
