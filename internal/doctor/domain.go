package doctor

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
)

// found is a hosted zone: its name without the last dot, and its servers.
type found struct {
	name    string
	servers []string
}

// hostedZone reads the environment's: the one that cdk.json names, or the one that the network stack makes for the domain.
// It returns nil where there is none.
func (d *Doctor) hostedZone(ctx context.Context) (*found, error) {
	client, id := route53.NewFromConfig(d.AWS), ""
	if d.Env.HostedZone != nil {
		id = d.Env.HostedZone.ID
	} else {
		listed, err := client.ListHostedZonesByName(ctx, &route53.ListHostedZonesByNameInput{DNSName: &d.Env.Domain})
		if err != nil {
			return nil, err
		}
		// In alphabetical order from the name that was asked for.
		for _, z := range listed.HostedZones {
			if dns(aws.ToString(z.Name)) == d.Env.Domain && (z.Config == nil || !z.Config.PrivateZone) {
				id = aws.ToString(z.Id)
			}
		}
		if id == "" {
			return nil, nil
		}
	}
	out, err := client.GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &id})
	switch {
	case code(err) == "NoSuchHostedZone":
		return nil, nil
	case err != nil:
		return nil, err
	}
	f := &found{name: dns(aws.ToString(out.HostedZone.Name))}
	if out.DelegationSet != nil { // a private zone has none
		f.servers = names(out.DelegationSet.NameServers)
	}
	return f, nil
}

// dns is a name as it is compared.
func dns(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// names are names in alphabetical order, as they are compared.
func names(all []string) []string {
	var out []string
	for _, n := range all {
		out = append(out, dns(n))
	}
	slices.Sort(out)
	return out
}

// zone looks for the hosted zone.
func (d *Doctor) zone(ctx context.Context) Line {
	z, err := d.hostedZone(ctx)
	switch want := d.Env.HostedZone; {
	case err != nil:
		return unread(err)
	case z == nil && want == nil:
		return missing(d.deploy(), "the network stack makes it for %s", d.Env.Domain)
	case z == nil:
		return missing("aws route53 create-hosted-zone --name "+want.Name+" --caller-reference "+d.Env.Name+", then put its id into cdk.json", "there is no zone %s", want.ID)
	case want != nil && z.name != want.Name:
		return missing("correct environments."+d.Env.Name+".hostedZone in cdk.json", "%s is of %s, and cdk.json says %s", want.ID, z.name, want.Name)
	case len(z.servers) == 0:
		return missing("put the id of a public zone into cdk.json", "%s is private", z.name)
	}
	return ok("%s, %d name servers", z.name, len(z.servers))
}

// delegation compares the servers that the DNS names for the zone with those of the zone.
func (d *Doctor) delegation(ctx context.Context) Line {
	z, err := d.hostedZone(ctx)
	switch {
	case err != nil:
		return unread(err)
	case z == nil:
		return unknown("the zone is gone")
	}
	fix := "at the parent zone of " + z.name + ", enter NS: " + strings.Join(z.servers, " ")
	answer, err := d.Resolver.LookupNS(ctx, z.name)
	var dnsError *net.DNSError
	switch {
	case errors.As(err, &dnsError) && dnsError.IsNotFound:
		return missing(fix, "the DNS knows no name servers of %s", z.name)
	case err != nil:
		return unknown("%s", line(err.Error()))
	}
	var got []string
	for _, ns := range answer {
		got = append(got, ns.Host)
	}
	if got = names(got); !slices.Equal(got, z.servers) {
		return missing(fix, "the DNS names others: %s", strings.Join(got, " "))
	}
	return ok("%s answers with the zone's servers", z.name)
}

// certificate looks for the one that the network stack makes: *.<domain>.
func (d *Doctor) certificate(ctx context.Context) Line {
	want, best := "*."+d.Env.Domain, acmtypes.CertificateStatus("")
	pages := acm.NewListCertificatesPaginator(acm.NewFromConfig(d.AWS), &acm.ListCertificatesInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unread(err)
		}
		for _, c := range page.CertificateSummaryList {
			if aws.ToString(c.DomainName) == want && best != acmtypes.CertificateStatusIssued {
				best = c.Status
			}
		}
	}
	switch best {
	case acmtypes.CertificateStatusIssued:
		return ok("%s is issued", want)
	case "":
		return missing(d.deploy(), "there is none for %s", want)
	case acmtypes.CertificateStatusPendingValidation:
		return missing("delegate "+d.Env.Domain+" (see above), then wait: ACM looks by itself", "%s waits for its record in the DNS", want)
	}
	return missing(d.deploy(), "%s is %s", want, best)
}
