package restore

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/config"
)

// A commit has one snapshot however often it is tried, the newest are left, and what others made is not touched.
func TestBefore(t *testing.T) {
	f := world()
	f.instances["dev-orders"].DBInstanceStatus = aws.String("modifying")
	b := Before{API: f, Env: environment("dev"), Name: "orders", Keep: 2, Say: func(string, ...any) {}, Every: time.Millisecond}
	for _, commit := range []string{"aaaaaaaaaaaabbbb", "bbbbbbbbbbbbcccc", "bbbbbbbbbbbbcccc", "ccccccccccccdddd"} {
		b.Commit = commit
		id, err := b.Make(t.Context())
		if err != nil || id != "dev-orders-before-"+commit[:12] {
			t.Fatalf("%s, %v", id, err)
		}
	}
	var left []string
	for _, s := range f.snapshots {
		left = append(left, *s.DBSnapshotIdentifier+" "+*s.Status)
	}
	if got := strings.Join(left, ", "); got != "rds:dev-orders-1 available, mine available, awsbackup:job-1 available, dev-orders-before-bbbbbbbbbbbb available, dev-orders-before-cccccccccccc available" {
		t.Errorf("left: %s", got)
	}
}

// A stage that is tried once more makes a snapshot that has failed anew, but removes none that it did not make.
func TestBeforeMakesAFailedOneAnew(t *testing.T) {
	for name, c := range map[string]struct {
		tag, says string
	}{"its own": {"dev-orders", ""}, "another's": {"dev-other", "it has failed, and has no tag gitops-before-migration of dev-orders; remove it: aws rds delete-db-snapshot --db-snapshot-identifier dev-orders-before-aaaaaaaaaaaa"}} {
		t.Run(name, func(t *testing.T) {
			f := world()
			f.snapshots = append(f.snapshots, types.DBSnapshot{
				DBSnapshotIdentifier: aws.String("dev-orders-before-aaaaaaaaaaaa"), DBInstanceIdentifier: aws.String("dev-orders"), SnapshotType: aws.String("manual"),
				Status: aws.String("failed"), SnapshotCreateTime: &now, TagList: []types.Tag{{Key: aws.String(config.BeforeTag), Value: &c.tag}},
			})
			b := Before{API: f, Env: environment("dev"), Name: "orders", Commit: "aaaaaaaaaaaabbbb", Keep: 5, Say: func(string, ...any) {}, Every: time.Millisecond}
			id, err := b.Make(t.Context())
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || f.called("forget") {
					t.Errorf("%v, %v", err, f.calls)
				}
				return
			}
			if last := f.snapshots[len(f.snapshots)-1]; err != nil || id != *last.DBSnapshotIdentifier || *last.Status != "available" {
				t.Errorf("%s, %v, %v", id, err, f.calls)
			}
		})
	}
}

// A release stops where its snapshot is not made.
func TestBeforeFails(t *testing.T) {
	f := world()
	b := Before{API: f, Env: environment("dev"), Name: "shop", Commit: "aaaaaaaaaaaabbbb", Keep: 5, Say: func(string, ...any) {}, Every: time.Millisecond}
	f.fails["snapshot"] = &types.DBInstanceNotFoundFault{Message: aws.String("dev-shop not found")}
	var missing *types.DBInstanceNotFoundFault
	if _, err := b.Make(t.Context()); !errors.As(err, &missing) || !strings.Contains(err.Error(), "snapshot dev-shop-before-aaaaaaaaaaaa: ") {
		t.Error(err)
	}
}
