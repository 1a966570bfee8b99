package drift

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	rdstypes "github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	secrettypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// today is the day of these tests.
func today() time.Time { return time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC) }

func days(n int) *time.Time { return aws.Time(today().AddDate(0, 0, n)) }

// one is the state and the detail of the only finding; empty when there is none.
func one(t *testing.T, r *Report) (state State, detail string) {
	t.Helper()
	if len(r.Unseen) > 0 || len(r.Findings) > 1 {
		t.Fatalf("want at most one finding: %+v", r)
	}
	if len(r.Findings) == 0 {
		return "", ""
	}
	f := r.Findings[0]
	if f.Do == "" || f.Half != AWS {
		t.Errorf("%+v says not what to do", f)
	}
	return f.State, f.Object + ": " + f.Detail
}

type certificateOf acmtypes.CertificateDetail

func (c certificateOf) DescribeCertificate(_ context.Context, in *acm.DescribeCertificateInput, _ ...func(*acm.Options)) (*acm.DescribeCertificateOutput, error) {
	d := acmtypes.CertificateDetail(c)
	d.DomainName = in.CertificateArn
	return &acm.DescribeCertificateOutput{Certificate: &d}, nil
}

// stackWith is an account whose only stack has one resource.
func stackWith(kind string) *account {
	return &account{stacks: map[string]string{"dev-a": "CREATE_COMPLETE"}, answers: map[string][]string{
		"ListStackResources dev-a": {"<StackResourceSummaries>" + listed("Other", "AWS::SNS::Topic", "IN_SYNC") + listed("R", kind, "IN_SYNC") + "</StackResourceSummaries>"},
	}}
}

func TestCertificates(t *testing.T) {
	for name, c := range map[string]struct {
		is     certificateOf
		state  State
		detail string
	}{
		"valid":             {certificateOf{Status: acmtypes.CertificateStatusIssued, NotAfter: days(31)}, "", ""},
		"not renewed":       {certificateOf{Status: acmtypes.CertificateStatusIssued, NotAfter: days(30)}, Soon, "certificate R-1: its validity ends on 2026-12-30"},
		"over":              {certificateOf{Status: acmtypes.CertificateStatusIssued, NotAfter: days(-1)}, Expired, "certificate R-1: its validity ended on 2026-11-29"},
		"expired":           {certificateOf{Status: acmtypes.CertificateStatusExpired}, Expired, "certificate R-1: is EXPIRED"},
		"not validated":     {certificateOf{Status: acmtypes.CertificateStatusFailed, FailureReason: acmtypes.FailureReasonCaaError}, Failing, "certificate R-1: is FAILED: CAA_ERROR"},
		"the record is not": {certificateOf{Status: acmtypes.CertificateStatusIssued, NotAfter: days(59), RenewalSummary: &acmtypes.RenewalSummary{RenewalStatus: acmtypes.RenewalStatusPendingValidation}}, Failing, "certificate R-1: its renewal is PENDING_VALIDATION"},
		"being renewed":     {certificateOf{Status: acmtypes.CertificateStatusIssued, NotAfter: days(59), RenewalSummary: &acmtypes.RenewalSummary{RenewalStatus: acmtypes.RenewalStatusPendingAutoRenewal}}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			state, detail := one(t, look(t, Certificates(stackWith("AWS::CertificateManager::Certificate").client(t), c.is, "dev", today)))
			if state != c.state || detail != c.detail {
				t.Errorf("%s %q, want %s %q", state, detail, c.state, c.detail)
			}
		})
	}
}

type secretPages []secrettypes.SecretListEntry

// ListSecrets gives a page for each secret. AWS matches the beginnings of words, so others come, too.
func (all secretPages) ListSecrets(_ context.Context, in *secretsmanager.ListSecretsInput, _ ...func(*secretsmanager.Options)) (*secretsmanager.ListSecretsOutput, error) {
	at := len(aws.ToString(in.NextToken))
	out := &secretsmanager.ListSecretsOutput{SecretList: all[at : at+1]}
	if at+1 < len(all) {
		out.NextToken = aws.String(strings.Repeat("x", at+1))
	}
	return out, nil
}

func TestSecrets(t *testing.T) {
	named := func(name string, s secrettypes.SecretListEntry) secrettypes.SecretListEntry {
		s.Name = aws.String(name)
		return s
	}
	r := look(t, Secrets(secretPages{
		named("/dev/well", secrettypes.SecretListEntry{RotationEnabled: aws.Bool(true), NextRotationDate: days(1)}),
		named("/dev/late", secrettypes.SecretListEntry{RotationEnabled: aws.Bool(true), NextRotationDate: days(-2)}),
		named("/development/gone", secrettypes.SecretListEntry{DeletedDate: days(-1)}),
		named("/dev/gone", secrettypes.SecretListEntry{DeletedDate: days(-1)}),
	}, "dev", today))
	var got []string
	for _, f := range r.Findings {
		got = append(got, string(f.State)+" "+f.Object)
	}
	if want := []string{"expired secret /dev/gone", "failing secret /dev/late"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

type clusterAt struct {
	version string
	end     *time.Time
}

func (c clusterAt) DescribeCluster(context.Context, *eks.DescribeClusterInput, ...func(*eks.Options)) (*eks.DescribeClusterOutput, error) {
	return &eks.DescribeClusterOutput{Cluster: &ekstypes.Cluster{Version: &c.version}}, nil
}

func (c clusterAt) DescribeClusterVersions(_ context.Context, in *eks.DescribeClusterVersionsInput, _ ...func(*eks.Options)) (*eks.DescribeClusterVersionsOutput, error) {
	if !slices.Equal(in.ClusterVersions, []string{c.version}) || c.end == nil {
		return &eks.DescribeClusterVersionsOutput{}, nil
	}
	return &eks.DescribeClusterVersionsOutput{ClusterVersions: []ekstypes.ClusterVersionInformation{{ClusterVersion: &c.version, EndOfStandardSupportDate: c.end}}}, nil
}

func TestClusterVersion(t *testing.T) {
	for end, want := range map[*time.Time]string{days(91): "", days(90): "cluster dev: Kubernetes 1.34: standard support ends on 2027-02-28", days(-1): "cluster dev: Kubernetes 1.34: standard support ended on 2026-11-29"} {
		if _, detail := one(t, look(t, ClusterVersion(clusterAt{"1.34", end}, "dev", today))); detail != want {
			t.Errorf("%q, want %q", detail, want)
		}
	}
	if r := look(t, ClusterVersion(clusterAt{"1.99", nil}, "dev", today)); r.Code() != 2 || r.Unseen[0].Why != "EKS names no end of support of Kubernetes 1.99" {
		t.Errorf("a version that EKS does not know: %+v", r)
	}
}

type databaseAt struct {
	version string
	end     *time.Time
}

func (d databaseAt) DescribeDBInstances(_ context.Context, in *rds.DescribeDBInstancesInput, _ ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error) {
	return &rds.DescribeDBInstancesOutput{DBInstances: []rdstypes.DBInstance{{DBInstanceIdentifier: in.DBInstanceIdentifier, Engine: aws.String("mysql"), EngineVersion: &d.version}}}, nil
}

// DescribeDBMajorEngineVersions has 8.4 on its second page.
func (d databaseAt) DescribeDBMajorEngineVersions(_ context.Context, in *rds.DescribeDBMajorEngineVersionsInput, _ ...func(*rds.Options)) (*rds.DescribeDBMajorEngineVersionsOutput, error) {
	lives := func(version string, standard *time.Time) []rdstypes.DBMajorEngineVersion {
		return []rdstypes.DBMajorEngineVersion{{Engine: in.Engine, MajorEngineVersion: &version, SupportedEngineLifecycles: []rdstypes.SupportedEngineLifecycle{
			{LifecycleSupportName: rdstypes.LifecycleSupportNameOpenSourceRdsExtendedSupport, LifecycleSupportEndDate: days(0)},
			{LifecycleSupportName: rdstypes.LifecycleSupportNameOpenSourceRdsStandardSupport, LifecycleSupportEndDate: standard},
		}}}
	}
	if in.Marker == nil {
		return &rds.DescribeDBMajorEngineVersionsOutput{DBMajorEngineVersions: lives("8.0", days(0)), Marker: aws.String("next")}, nil
	}
	return &rds.DescribeDBMajorEngineVersionsOutput{DBMajorEngineVersions: lives("8.4", d.end)}, nil
}

func TestDatabases(t *testing.T) {
	for _, c := range []struct {
		version string
		end     *time.Time
		want    string
	}{
		{"8.4.7", days(400), ""},
		{"8.4.7", days(30), "database R-1: mysql 8.4.7: standard support ends on 2026-12-30"},
	} {
		_, detail := one(t, look(t, Databases(stackWith("AWS::RDS::DBInstance").client(t), databaseAt{c.version, c.end}, "dev", today)))
		if detail != c.want {
			t.Errorf("%s: %q, want %q", c.version, detail, c.want)
		}
	}
	if r := look(t, Databases(stackWith("AWS::RDS::DBInstance").client(t), databaseAt{"9.7.1", days(1)}, "dev", today)); r.Code() != 2 {
		t.Errorf("a version that RDS does not know: %+v", r)
	}
}
