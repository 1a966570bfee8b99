package resources

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
)

func init() {
	Register(&Type{
		Name: "AWS::Route53::HostedZone", Properties: []string{"HostedZoneConfig", "HostedZoneTags", "Name"},
		Create: createZone, Update: updateZone, Delete: deleteZone,
	})
	Register(&Type{
		Name:       "AWS::Route53::RecordSet",
		Properties: []string{"AliasTarget", "HostedZoneId", "Name", "ResourceRecords", "SetIdentifier", "TTL", "Type", "Weight"},
		Immutable:  []string{"Type", "SetIdentifier"},
		Create:     createRecord,
		Update: func(ctx context.Context, r *Request, _ string, _, updated Properties) (Result, error) {
			return changeRecord(ctx, r, updated, r53types.ChangeActionUpsert)
		},
		Delete: func(ctx context.Context, r *Request, _ string, p Properties) error {
			_, err := changeRecord(ctx, r, p, r53types.ChangeActionDelete)
			if hasCode(err, "InvalidChangeBatch") { // gone already
				return nil
			}
			return gone(err)
		},
	})
}

func createZone(ctx context.Context, r *Request, p Properties) (Result, error) {
	in := &route53.CreateHostedZoneInput{Name: aws.String(p.String("Name")), CallerReference: aws.String(r.StackID + "/" + r.Name(64, false))}
	if err := decode(p.pick("HostedZoneConfig"), in); err != nil {
		return Result{}, err
	}
	id, err := findZone(ctx, r, *in.CallerReference)
	if err != nil {
		return Result{}, err
	}
	if id == "" {
		out, err := r.route53().CreateHostedZone(ctx, in)
		if err != nil {
			return Result{}, err
		}
		id = aws.ToString(out.HostedZone.Id)
	}
	id = strings.TrimPrefix(id, "/hostedzone/")
	if err := tagZone(ctx, r, id, nil, p); err != nil {
		return Result{ID: id}, err
	}
	return zoneResult(ctx, r, id)
}

// findZone finds the zone that a cut-off attempt made: Route 53 refuses its reference, moto makes a second zone.
func findZone(ctx context.Context, r *Request, reference string) (string, error) {
	if !r.Resumed {
		return "", nil
	}
	for pages := route53.NewListHostedZonesPaginator(r.route53(), &route53.ListHostedZonesInput{}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, zone := range page.HostedZones {
			if aws.ToString(zone.CallerReference) == reference {
				return aws.ToString(zone.Id), nil
			}
		}
	}
	return "", nil
}

func zoneResult(ctx context.Context, r *Request, id string) (Result, error) {
	out, err := r.route53().GetHostedZone(ctx, &route53.GetHostedZoneInput{Id: &id})
	if err != nil {
		return Result{ID: id}, err
	}
	var servers []any
	if out.DelegationSet != nil {
		for _, s := range out.DelegationSet.NameServers {
			servers = append(servers, s)
		}
	}
	return Result{ID: id, Attributes: map[string]any{"Id": id, "NameServers": servers}}, nil
}

// zoneTags are the stack's tags and the zone's own, under their own property name.
func zoneTags(r *Request, p Properties) map[string]string {
	return r.tags(p.rename("HostedZoneTags", "Tags"))
}

func tagZone(ctx context.Context, r *Request, id string, old, updated Properties) error {
	in := &route53.ChangeTagsForResourceInput{ResourceId: &id, ResourceType: r53types.TagResourceTypeHostedzone}
	in.AddTags = tagList(zoneTags(r, updated), func(k, v string) r53types.Tag { return r53types.Tag{Key: aws.String(k), Value: aws.String(v)} })
	if old != nil {
		in.RemoveTagKeys = removed(zoneTags(r, old), zoneTags(r, updated))
	}
	if len(in.AddTags)+len(in.RemoveTagKeys) == 0 {
		return nil
	}
	return done(r.route53().ChangeTagsForResource(ctx, in))
}

func updateZone(ctx context.Context, r *Request, id string, old, updated Properties) (Result, error) {
	if changed(old, updated, "HostedZoneConfig") {
		comment := updated.Object("HostedZoneConfig").String("Comment")
		if _, err := r.route53().UpdateHostedZoneComment(ctx, &route53.UpdateHostedZoneCommentInput{Id: &id, Comment: &comment}); err != nil {
			return Result{}, err
		}
	}
	if err := tagZone(ctx, r, id, old, updated); err != nil {
		return Result{}, err
	}
	return zoneResult(ctx, r, id)
}

// deleteZone fails for a zone with records, as on AWS.
func deleteZone(ctx context.Context, r *Request, id string, _ Properties) error {
	return deleted(r.route53().DeleteHostedZone(ctx, &route53.DeleteHostedZoneInput{Id: &id}))
}

// createRecord refuses a record that exists, as Route 53's CREATE does. It asks by itself: moto refuses one that existed once
// when the zone has any record behind it.
func createRecord(ctx context.Context, r *Request, p Properties) (Result, error) {
	name, kind := strings.TrimSuffix(p.String("Name"), ".")+".", r53types.RRType(p.String("Type"))
	found, err := r.route53().ListResourceRecordSets(ctx, &route53.ListResourceRecordSetsInput{
		HostedZoneId: aws.String(p.String("HostedZoneId")), StartRecordName: &name, StartRecordType: kind,
	})
	if err != nil {
		return Result{}, err
	}
	for _, set := range found.ResourceRecordSets {
		if !r.Resumed && aws.ToString(set.Name) == name && set.Type == kind && aws.ToString(set.SetIdentifier) == p.String("SetIdentifier") {
			return Result{}, fmt.Errorf("InvalidChangeBatch: tried to create resource record set [name='%s', type='%s'] but it already exists", name, kind)
		}
	}
	return changeRecord(ctx, r, p, r53types.ChangeActionUpsert)
}

func changeRecord(ctx context.Context, r *Request, p Properties, action r53types.ChangeAction) (Result, error) {
	var set r53types.ResourceRecordSet
	if err := decode(p.without("HostedZoneId", "ResourceRecords"), &set); err != nil {
		return Result{}, err
	}
	for _, v := range p.Strings("ResourceRecords") {
		set.ResourceRecords = append(set.ResourceRecords, r53types.ResourceRecord{Value: aws.String(v)})
	}
	_, err := r.route53().ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: aws.String(p.String("HostedZoneId")),
		ChangeBatch:  &r53types.ChangeBatch{Changes: []r53types.Change{{Action: action, ResourceRecordSet: &set}}},
	})
	if err != nil {
		return Result{}, err
	}
	return Result{ID: p.String("Name")}, nil
}
