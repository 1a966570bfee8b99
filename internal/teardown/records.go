package teardown

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
)

// changes is how many records go in one request. Route 53 takes 1000, or 32,000 characters of values.
const changes = 100

// records lists those that go: all of the zone that goes with its stack, else those that external-dns owns in the
// environment's zone.
func (t *Teardown) records(ctx context.Context, own string) ([]r53types.ResourceRecordSet, error) {
	if own != "" {
		all, err := t.list(ctx, own)
		return mortal(all), err
	}
	if t.Env.HostedZone == nil {
		return nil, nil
	}
	all, err := t.list(ctx, t.Env.HostedZone.ID)
	return owned(all, t.Env.ClusterName(), t.Env.Domain), err
}

// list reads a zone.
func (t *Teardown) list(ctx context.Context, zone string) ([]r53types.ResourceRecordSet, error) {
	var all []r53types.ResourceRecordSet
	pages := route53.NewListResourceRecordSetsPaginator(route53.NewFromConfig(t.AWS), &route53.ListResourceRecordSetsInput{HostedZoneId: &zone})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			if missing(err) {
				return nil, nil
			}
			return nil, fmt.Errorf("hosted zone %s: %w", zone, err)
		}
		all = append(all, page.ResourceRecordSets...)
	}
	return all, nil
}

// mortal are the records without which a zone can be deleted: all but its SOA and the name servers at its apex.
func mortal(all []r53types.ResourceRecordSet) []r53types.ResourceRecordSet {
	apex := ""
	for _, r := range all {
		if r.Type == r53types.RRTypeSoa {
			apex = aws.ToString(r.Name)
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r r53types.ResourceRecordSet) bool {
		return r.Type == r53types.RRTypeSoa || r.Type == r53types.RRTypeNs && aws.ToString(r.Name) == apex
	})
}

// owned are the records of a domain that external-dns made for a cluster, and the TXT records in which it says so: each
// has the name of the record that it owns, with the type before it (a-ghost.example.com), or without in old versions.
// https://kubernetes-sigs.github.io/external-dns/latest/docs/registry/txt/
func owned(all []r53types.ResourceRecordSet, owner, domain string) []r53types.ResourceRecordSet {
	type key struct {
		name string
		kind r53types.RRType
	}
	names := map[key]bool{}
	for _, r := range all {
		if r.Type != r53types.RRTypeTxt || !claims(r, owner) {
			continue
		}
		name := strings.TrimSuffix(aws.ToString(r.Name), ".")
		kinds := []r53types.RRType{r53types.RRTypeA, r53types.RRTypeAaaa, r53types.RRTypeCname}
		target := name
		if prefix, rest, ok := strings.Cut(name, "-"); ok && slices.Contains(r53types.RRType("").Values(), r53types.RRType(strings.ToUpper(prefix))) {
			target = rest
			if kind := r53types.RRType(strings.ToUpper(prefix)); kind != r53types.RRTypeCname { // an alias to a load balancer is an A
				kinds = []r53types.RRType{kind}
			}
		}
		if target != domain && !strings.HasSuffix(target, "."+domain) {
			continue
		}
		names[key{name, r53types.RRTypeTxt}] = true
		for _, kind := range kinds {
			names[key{target, kind}] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(r r53types.ResourceRecordSet) bool {
		return !names[key{strings.TrimSuffix(aws.ToString(r.Name), "."), r.Type}]
	})
}

// claims reports whether a TXT record is external-dns's for an owner.
func claims(r r53types.ResourceRecordSet, owner string) bool {
	for _, v := range r.ResourceRecords {
		parts := strings.Split(strings.Trim(aws.ToString(v.Value), `"`), ",")
		if slices.Contains(parts, "heritage=external-dns") && slices.Contains(parts, "external-dns/owner="+owner) {
			return true
		}
	}
	return false
}

// emptyZone removes the records of a zone that goes: ACM's validation records, which CloudFormation makes and leaves,
// those of external-dns, and whatever else is in it.
func (t *Teardown) emptyZone(ctx context.Context, zone string, r *Report) error {
	records, err := t.records(ctx, zone)
	if err != nil {
		return err
	}
	return t.drop(ctx, zone, records, r)
}

// releaseRecords removes what external-dns left in a zone that stays.
func (t *Teardown) releaseRecords(ctx context.Context, r *Report) error {
	records, err := t.records(ctx, "")
	if err != nil || len(records) == 0 {
		return err
	}
	return t.drop(ctx, t.Env.HostedZone.ID, records, r)
}

func (t *Teardown) drop(ctx context.Context, zone string, records []r53types.ResourceRecordSet, r *Report) error {
	client := route53.NewFromConfig(t.AWS)
	for part := range slices.Chunk(records, changes) {
		batch := make([]r53types.Change, len(part))
		for i := range part {
			t.Say("removing record %s %s", aws.ToString(part[i].Name), part[i].Type)
			batch[i] = r53types.Change{Action: r53types.ChangeActionDelete, ResourceRecordSet: &part[i]}
		}
		_, err := client.ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
			HostedZoneId: &zone, ChangeBatch: &r53types.ChangeBatch{Changes: batch, Comment: aws.String("gitops teardown " + t.Env.Name)},
		})
		if err != nil {
			return fmt.Errorf("hosted zone %s: %w", zone, err)
		}
	}
	for _, record := range records {
		r.add(Removed, "record "+aws.ToString(record.Name)+" "+string(record.Type), "")
	}
	return nil
}
