package addons

import (
	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/policy"
)

// ExternalDNSChartVersion is the chart that the policy was made for.
//
// renovate: datasource=helm depName=external-dns registryUrl=https://kubernetes-sigs.github.io/external-dns/
const ExternalDNSChartVersion = "1.22.0"

// ExternalDNS writes the records of Ingresses into the environment's zone. Upstream's policy allows all zones and
// advises to list one's own; this one also holds it to the environment's domain, because environments may share a zone.
// https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/aws/#iam-policy
func ExternalDNS(env config.Environment, hostedZoneID string) Rights {
	zone := policy.List{env.ARN("route53", "hostedzone/"+hostedZoneID)}
	names := map[string]any{"ForAllValues:StringLike": map[string]any{
		"route53:ChangeResourceRecordSetsNormalizedRecordNames": []any{env.Domain, "*." + env.Domain},
	}}
	return Rights{
		Name:           "external-dns",
		Namespace:      "external-dns",
		ServiceAccount: "external-dns",
		ChartVersion:   ExternalDNSChartVersion,
		Policy: policy.Of(
			policy.Allow("ChangeRecordsOfTheDomain", zone, "route53:ChangeResourceRecordSets").If(names),
			policy.Allow("ReadTheZone", zone, "route53:ListResourceRecordSets", "route53:ListTagsForResources"),
			// Route 53 has no resource level for the list of zones.
			policy.Allow("FindTheZone", policy.List{"*"}, "route53:ListHostedZones"),
		),
	}
}
