package drift

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secrettypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"k8s-plus-aws-gitops/internal/stacks"
)

const (
	// renewal is how long before its end a certificate is reported. ACM begins to renew 60 days before the end, or 45 for those
	// that live shorter, so one that is this close was not renewed:
	// https://docs.aws.amazon.com/acm/latest/userguide/managed-renewal.html
	renewal = 30 * 24 * time.Hour
	// support is how long before its end a version is reported: an upgrade is planned, tried and done for each environment.
	support = 90 * 24 * time.Hour
)

// ended adds a finding when an end is near or over.
func ended(found *Found, f Finding, end, now time.Time, near time.Duration) {
	if f.Half = AWS; end.After(now.Add(near)) {
		return
	}
	f.State = Soon
	word := "ends"
	if !end.After(now) {
		f.State, word = Expired, "ended"
	}
	f.Detail += fmt.Sprintf(" %s on %s", word, end.UTC().Format(time.DateOnly))
	found.add(f)
}

// Certificates reports certificates of the environment's stacks that are not valid, not renewed, or end soon.
func Certificates(stackClient interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
}, client interface {
	DescribeCertificate(ctx context.Context, in *acm.DescribeCertificateInput, options ...func(*acm.Options)) (*acm.DescribeCertificateOutput, error)
}, environment string, now func() time.Time,
) Check {
	return Check{"certificates", func(ctx context.Context, found *Found) error {
		arns, err := resources(ctx, stackClient, environment, "AWS::CertificateManager::Certificate")
		if err != nil {
			return err
		}
		for _, arn := range arns {
			out, err := client.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
			if err != nil {
				return err
			}
			certificate(found, out.Certificate, now())
		}
		return nil
	}}
}

func certificate(found *Found, c *acmtypes.CertificateDetail, now time.Time) {
	f := Finding{
		State: Failing, Half: AWS, Object: "certificate " + aws.ToString(c.DomainName),
		Do: "see that the validation record is in the domain's zone, then ACM renews by itself: docs/guides/drift.md#what-ends",
	}
	switch c.Status {
	case acmtypes.CertificateStatusIssued:
	case acmtypes.CertificateStatusExpired, acmtypes.CertificateStatusRevoked:
		f.State, f.Detail = Expired, "is "+string(c.Status)
		found.add(f)
		return
	default:
		f.Detail = strings.TrimSuffix("is "+string(c.Status)+": "+string(c.FailureReason), ": ")
		found.add(f)
		return
	}
	if c.NotAfter != nil && !c.NotAfter.After(now.Add(renewal)) {
		f.Detail = "its validity"
		ended(found, f, *c.NotAfter, now, renewal)
		return
	}
	if r := c.RenewalSummary; r != nil && (r.RenewalStatus == acmtypes.RenewalStatusFailed || r.RenewalStatus == acmtypes.RenewalStatusPendingValidation) {
		f.Detail = strings.TrimSuffix("its renewal is "+string(r.RenewalStatus)+": "+string(r.RenewalStatusReason), ": ")
		found.add(f)
	}
}

// resources are the physical ids of the resources of a type in the environment's stacks.
func resources(ctx context.Context, client interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
}, environment, kind string,
) ([]string, error) {
	all, err := stacks.Of(ctx, client, environment)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range all {
		pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: s.StackName})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, r := range page.StackResourceSummaries {
				if aws.ToString(r.ResourceType) == kind && aws.ToString(r.PhysicalResourceId) != "" && !strings.HasPrefix(string(r.ResourceStatus), "DELETE_") {
					ids = append(ids, *r.PhysicalResourceId)
				}
			}
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// Secrets reports secrets of the environment that are about to be deleted, or whose rotation is late. When a token inside of
// one ends, AWS does not know.
func Secrets(client secretsmanager.ListSecretsAPIClient, environment string, now func() time.Time) Check {
	return Check{"secrets", func(ctx context.Context, found *Found) error {
		prefix := "/" + environment + "/"
		pages := secretsmanager.NewListSecretsPaginator(client, &secretsmanager.ListSecretsInput{
			IncludePlannedDeletion: aws.Bool(true),
			Filters:                []secrettypes.Filter{{Key: secrettypes.FilterNameStringTypeName, Values: []string{prefix}}},
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return err
			}
			for _, s := range page.SecretList {
				if strings.HasPrefix(aws.ToString(s.Name), prefix) {
					secretOf(found, s, now())
				}
			}
		}
		return nil
	}}
}

func secretOf(found *Found, s secrettypes.SecretListEntry, now time.Time) {
	f := Finding{State: Expired, Half: AWS, Object: "secret " + aws.ToString(s.Name)}
	switch {
	case s.DeletedDate != nil:
		f.Detail = "is deleted; it can be restored until the end of its recovery window"
		f.Do = "aws secretsmanager restore-secret --secret-id " + aws.ToString(s.Name)
	case aws.ToBool(s.RotationEnabled) && s.NextRotationDate != nil && s.NextRotationDate.Before(now):
		f.State, f.Detail = Failing, "was to be rotated by "+s.NextRotationDate.UTC().Format(time.DateOnly)
		f.Do = "see the log of the function that rotates it, then: aws secretsmanager rotate-secret --secret-id " + aws.ToString(s.Name)
	default:
		return
	}
	found.add(f)
}

// ClusterVersion reports when support of the cluster's Kubernetes version ends soon.
func ClusterVersion(client interface {
	DescribeCluster(ctx context.Context, in *eks.DescribeClusterInput, options ...func(*eks.Options)) (*eks.DescribeClusterOutput, error)
	DescribeClusterVersions(ctx context.Context, in *eks.DescribeClusterVersionsInput, options ...func(*eks.Options)) (*eks.DescribeClusterVersionsOutput, error)
}, cluster string, now func() time.Time,
) Check {
	return Check{"Kubernetes version", func(ctx context.Context, found *Found) error {
		out, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: &cluster})
		if err != nil {
			return err
		}
		version := aws.ToString(out.Cluster.Version)
		all, err := client.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{ClusterVersions: []string{version}})
		if err != nil {
			return err
		}
		for _, v := range all.ClusterVersions {
			if aws.ToString(v.ClusterVersion) == version && v.EndOfStandardSupportDate != nil {
				ended(found, Finding{
					Object: "cluster " + cluster, Detail: "Kubernetes " + version + ": standard support",
					Do: "upgrade: docs/guides/upgrade.md; after that day EKS upgrades by itself, or extended support costs more",
				}, *v.EndOfStandardSupportDate, now(), support)
				return nil
			}
		}
		return fmt.Errorf("EKS names no end of support of Kubernetes %s", version)
	}}
}

// Databases reports when support of the major versions of the environment's databases ends soon.
func Databases(stackClient interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
}, client interface {
	rds.DescribeDBInstancesAPIClient
	rds.DescribeDBMajorEngineVersionsAPIClient
}, environment string, now func() time.Time,
) Check {
	return Check{"database versions", func(ctx context.Context, found *Found) error {
		ids, err := resources(ctx, stackClient, environment, "AWS::RDS::DBInstance")
		if err != nil {
			return err
		}
		for _, id := range ids {
			out, err := client.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
			if err != nil {
				return err
			}
			for _, db := range out.DBInstances {
				if err := database(ctx, client, found, db, now()); err != nil {
					return err
				}
			}
		}
		return nil
	}}
}

func database(ctx context.Context, client rds.DescribeDBMajorEngineVersionsAPIClient, found *Found, db rdstypes.DBInstance, now time.Time) error {
	engine, version := aws.ToString(db.Engine), aws.ToString(db.EngineVersion)
	pages := rds.NewDescribeDBMajorEngineVersionsPaginator(client, &rds.DescribeDBMajorEngineVersionsInput{Engine: &engine})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, major := range page.DBMajorEngineVersions {
			if number := aws.ToString(major.MajorEngineVersion); version != number && !strings.HasPrefix(version, number+".") {
				continue
			}
			for _, life := range major.SupportedEngineLifecycles {
				if life.LifecycleSupportName == rdstypes.LifecycleSupportNameOpenSourceRdsStandardSupport && life.LifecycleSupportEndDate != nil {
					ended(found, Finding{
						Object: "database " + aws.ToString(db.DBInstanceIdentifier), Detail: engine + " " + version + ": standard support",
						Do: "plan a new major version; after that day extended support costs more",
					}, *life.LifecycleSupportEndDate, now, support)
					return nil
				}
			}
		}
	}
	return fmt.Errorf("RDS names no end of support of %s %s", engine, version)
}
