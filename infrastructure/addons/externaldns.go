package addons

import "k8s-plus-aws-gitops/config"

// ExternalDNSChartVersion is the chart that the policy was made for.
const ExternalDNSChartVersion = "1.21.1"

// ExternalDNS writes the records of Ingresses into the environment's zone. Upstream's policy allows all zones and
// advises to list one's own; this one also holds it to the environment's domain, because environments may share a zone.
// https://kubernetes-sigs.github.io/external-dns/latest/docs/tutorials/aws/#iam-policy
func ExternalDNS(env config.Environment, hostedZoneID string) Controller {
	zone := "arn:" + env.Partition() + ":route53:::hostedzone/" + hostedZoneID
	names := map[string]any{"ForAllValues:StringLike": map[string]any{
		"route53:ChangeResourceRecordSetsNormalizedRecordNames": []any{env.Domain, "*." + env.Domain},
	}}
	return Controller{
		Name:           "external-dns",
		Namespace:      "external-dns",
		ServiceAccount: "external-dns",
		ChartVersion:   ExternalDNSChartVersion,
		Policy: document(
			statement("ChangeRecordsOfTheDomain", []string{"route53:ChangeResourceRecordSets"}, zone, names),
			statement("ReadTheZone", []string{"route53:ListResourceRecordSets", "route53:ListTagsForResources"}, zone, nil),
			// Route 53 has no resource level for the list of zones.
			statement("FindTheZone", []string{"route53:ListHostedZones"}, "*", nil),
		),
	}
}
