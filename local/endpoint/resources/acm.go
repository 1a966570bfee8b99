package resources

import (
	"context"
	"errors"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53types "github.com/aws/aws-sdk-go-v2/service/route53/types"
)

func acmTag(k, v string) acmtypes.Tag { return acmtypes.Tag{Key: aws.String(k), Value: aws.String(v)} }

func init() {
	Register(&Type{
		Name: "AWS::CertificateManager::Certificate",
		Properties: []string{"CertificateTransparencyLoggingPreference", "DomainName", "DomainValidationOptions", "KeyAlgorithm",
			"SubjectAlternativeNames", "Tags", "ValidationMethod"},
		Create: createCertificate, Update: updateCertificate, Delete: deleteCertificate,
	})
}

func createCertificate(ctx context.Context, r *Request, p Properties) (Result, error) {
	var in acm.RequestCertificateInput
	if err := decode(p.pick("DomainName", "KeyAlgorithm", "SubjectAlternativeNames", "ValidationMethod"), &in); err != nil {
		return Result{}, err
	}
	token := acmToken(r.Name(32, false))
	in.IdempotencyToken, in.Tags = &token, tagList(r.tags(p), acmTag)
	out, err := r.acm().RequestCertificate(ctx, &in)
	if err != nil {
		return Result{}, err
	}
	arn := aws.ToString(out.CertificateArn)
	result := Result{ID: arn, Attributes: map[string]any{"Id": arn}}
	if err := validate(ctx, r, arn, p); err != nil {
		return result, err
	}
	return result, waitIssued(ctx, r, arn)
}

// acmToken is a name without the characters that a token may not have.
func acmToken(name string) string {
	out := make([]rune, 0, len(name))
	for _, c := range name {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_' {
			out = append(out, c)
		}
	}
	return string(out)
}

// validate writes the CNAME records that prove the control of the domains into
// the hosted zones that the template names, as CloudFormation does.
func validate(ctx context.Context, r *Request, arn string, p Properties) error {
	zones := map[string]string{}
	for _, o := range p.Objects("DomainValidationOptions") {
		zones[o.String("DomainName")] = o.String("HostedZoneId")
	}
	out, err := r.acm().DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		return err
	}
	for _, o := range out.Certificate.DomainValidationOptions {
		zone := zones[aws.ToString(o.DomainName)]
		if zone == "" || o.ResourceRecord == nil {
			continue
		}
		_, err := r.route53().ChangeResourceRecordSets(ctx, &route53.ChangeResourceRecordSetsInput{
			HostedZoneId: &zone,
			ChangeBatch: &r53types.ChangeBatch{Changes: []r53types.Change{{Action: r53types.ChangeActionUpsert, ResourceRecordSet: &r53types.ResourceRecordSet{
				Name: o.ResourceRecord.Name, Type: r53types.RRTypeCname, TTL: aws.Int64(300),
				ResourceRecords: []r53types.ResourceRecord{{Value: o.ResourceRecord.Value}},
			}}}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func waitIssued(ctx context.Context, r *Request, arn string) error {
	for range 60 {
		out, err := r.acm().DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
		if err != nil {
			return err
		}
		if out.Certificate.Status == acmtypes.CertificateStatusIssued {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
	return errors.New("certificate " + arn + " was not issued within 30 s")
}

func updateCertificate(ctx context.Context, r *Request, arn string, old, updated Properties) (Result, error) {
	err := r.retag(old, updated, func(keys []string) error {
		var drop []acmtypes.Tag
		for _, k := range keys {
			drop = append(drop, acmtypes.Tag{Key: aws.String(k)})
		}
		return done(r.acm().RemoveTagsFromCertificate(ctx, &acm.RemoveTagsFromCertificateInput{CertificateArn: &arn, Tags: drop}))
	}, func(tags map[string]string) error {
		return done(r.acm().AddTagsToCertificate(ctx, &acm.AddTagsToCertificateInput{CertificateArn: &arn, Tags: tagList(tags, acmTag)}))
	})
	return Result{ID: arn, Attributes: map[string]any{"Id": arn}}, err
}

// deleteCertificate leaves the validation records in their zone, as CloudFormation does.
func deleteCertificate(ctx context.Context, r *Request, arn string, _ Properties) error {
	return deleted(r.acm().DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: &arn}))
}
