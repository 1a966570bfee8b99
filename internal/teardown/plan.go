package teardown

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// Plan is what a removal takes and what it leaves.
type Plan struct {
	Environment, Account, Region string
	// Stacks in the order of their removal.
	Stacks []Stack
	// Records that go beside the stacks: all of a zone that goes, else those that external-dns owns.
	Records []string
	// Kept is what stays, with the reason.
	Kept []Item
}

// Empty reports whether nothing of the environment is there to remove.
func (p Plan) Empty() bool { return len(p.Stacks)+len(p.Records) == 0 }

// vpc is the environment's VPC; empty once it is gone.
func (p Plan) vpc() string { return p.physical("AWS::EC2::VPC") }

// zone is the hosted zone that goes with its stack; empty if the environment uses one that was there before.
func (p Plan) zone() string { return p.physical("AWS::Route53::HostedZone") }

// physical is the id of the only resource of a type that goes.
func (p Plan) physical(kind string) string {
	for _, s := range p.Stacks {
		for _, r := range s.of(kind) {
			return r.ID
		}
	}
	return ""
}

// Plan reads what is there. It changes nothing.
func (t *Teardown) Plan(ctx context.Context) (Plan, error) {
	p := Plan{Environment: t.Env.Name, Account: t.Env.Account, Region: t.Env.Region}
	var err error
	if p.Stacks, err = t.stacks(ctx); err != nil {
		return p, err
	}
	for i, s := range p.Stacks {
		if s.Protected {
			return p, fmt.Errorf("stack %s has termination protection, so deletionProtection: false is not deployed yet: make deploy ENV=%s", s.Name, t.Env.Name)
		}
		if err := t.countBuckets(ctx, &p.Stacks[i]); err != nil {
			return p, err
		}
	}
	records, err := t.records(ctx, p.zone())
	if err != nil {
		return p, err
	}
	for _, r := range records {
		p.Records = append(p.Records, aws.ToString(r.Name)+" "+string(r.Type))
	}
	p.Kept, err = t.kept(ctx, p, "/"+t.Env.Name+"/")
	return p, err
}

// countBuckets counts what is in the buckets that go with a stack.
func (t *Teardown) countBuckets(ctx context.Context, s *Stack) error {
	for _, b := range s.of("AWS::S3::Bucket") {
		counted, err := t.count(ctx, b.ID)
		if err != nil {
			return err
		}
		s.Buckets = append(s.Buckets, counted)
	}
	return nil
}

// kept lists what outlives the stacks, and the secrets below a prefix that they did not make.
func (t *Teardown) kept(ctx context.Context, p Plan, prefix string) ([]Item, error) {
	var kept []Item
	add := func(what, why string) { kept = append(kept, Item{Result: Kept, What: what, Why: why}) }
	ours := map[string]bool{}
	for _, s := range p.Stacks {
		for _, r := range s.Resources {
			ours[r.ID] = true
			switch {
			case r.Policy == "Snapshot":
				add("a last snapshot of "+r.Type+" "+r.ID, "its DeletionPolicy is Snapshot")
			case r.properties["OnDelete"] == "keep":
				add(fmt.Sprintf("database %v on %v", r.properties["Database"], r.properties["Instance"]), "several services share the instance, and its OnDelete is keep; its users are locked out")
			case r.keeps():
				add(r.Type+" "+r.ID, "its DeletionPolicy is "+r.Policy)
			case r.Type == "AWS::KMS::Key":
				add("KMS key "+r.ID, fmt.Sprintf("disabled; KMS deletes it after %g days", r.waits()))
			case r.Type == "AWS::CertificateManager::Certificate" && p.zone() == "":
				names, err := t.validation(ctx, r.ID)
				if err != nil {
					return nil, err
				}
				for _, name := range names {
					add("record "+name+" CNAME", "ACM's proof of the domain, which other certificates share; remove it by hand if there are none")
				}
			}
		}
		for _, db := range s.of("AWS::RDS::DBInstance") {
			names, err := t.snapshots(ctx, db.ID)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				add("snapshot "+name, "made by hand")
			}
		}
	}
	secrets, err := t.secrets(ctx, prefix)
	for arn, name := range secrets {
		if !ours[arn] {
			add("secret "+name, "made by hand")
		}
	}
	return kept, err
}

// validation names the records by which ACM validates a certificate.
func (t *Teardown) validation(ctx context.Context, arn string) ([]string, error) {
	out, err := acm.NewFromConfig(t.AWS).DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: &arn})
	if err != nil {
		return nil, gone(err)
	}
	var names []string
	for _, o := range out.Certificate.DomainValidationOptions {
		if o.ResourceRecord != nil {
			names = append(names, aws.ToString(o.ResourceRecord.Name))
		}
	}
	return names, nil
}

// snapshots names the snapshots of a database that somebody made: the automated ones go with it.
func (t *Teardown) snapshots(ctx context.Context, database string) ([]string, error) {
	var names []string
	pages := rds.NewDescribeDBSnapshotsPaginator(rds.NewFromConfig(t.AWS), &rds.DescribeDBSnapshotsInput{
		DBInstanceIdentifier: &database, SnapshotType: aws.String("manual"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, gone(err)
		}
		for _, s := range page.DBSnapshots {
			names = append(names, aws.ToString(s.DBSnapshotIdentifier))
		}
	}
	return names, nil
}

// secrets are those below a prefix, by ARN.
func (t *Teardown) secrets(ctx context.Context, prefix string) (map[string]string, error) {
	found := map[string]string{}
	pages := secretsmanager.NewListSecretsPaginator(secretsmanager.NewFromConfig(t.AWS), &secretsmanager.ListSecretsInput{
		Filters: []smtypes.Filter{{Key: smtypes.FilterNameStringTypeName, Values: []string{prefix}}},
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, s := range page.SecretList {
			if name := aws.ToString(s.Name); strings.HasPrefix(name, prefix) {
				found[aws.ToString(s.ARN)] = name
			}
		}
	}
	return found, nil
}
