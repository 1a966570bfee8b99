package restore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/config"
)

// Snapshotter is what Before needs of the client of RDS.
type Snapshotter interface {
	rds.DescribeDBSnapshotsAPIClient
	CreateDBSnapshot(context.Context, *rds.CreateDBSnapshotInput, ...func(*rds.Options)) (*rds.CreateDBSnapshotOutput, error)
	DeleteDBSnapshot(context.Context, *rds.DeleteDBSnapshotInput, ...func(*rds.Options)) (*rds.DeleteDBSnapshotOutput, error)
}

// Before is the snapshot of a database before a commit migrates its schema.
type Before struct {
	API  Snapshotter
	Env  config.Environment
	Name string
	// Commit is the whole id of the commit that migrates.
	Commit string
	// Keep is how many of the database's snapshots of this kind are left, this one included.
	Keep int
	// Say is told how far it is.
	Say func(format string, args ...any)
	// Every is the pause between two looks; 10 s by default.
	Every time.Duration
}

// Make makes the snapshot, waits until it is available, and removes the oldest of its kind. One that is there is not made again,
// unless it has failed: a stage may be tried once more.
func (b Before) Make(ctx context.Context) (string, error) {
	instance := b.Env.DatabaseIdentifier(b.Name)
	id := fmt.Sprintf("%s%s%.12s", instance, config.BeforeInfix, b.Commit)
	b.Say("%s: snapshot %s", b.Name, id)
	err := until(ctx, b.Every, func() (bool, error) {
		_, err := b.API.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
			DBInstanceIdentifier: &instance, DBSnapshotIdentifier: &id, Tags: []types.Tag{
				{Key: aws.String(config.BeforeTag), Value: &instance}, {Key: aws.String("environment"), Value: &b.Env.Name},
			},
		})
		var there *types.DBSnapshotAlreadyExistsFault
		var busy *types.InvalidDBInstanceStateFault
		switch {
		case errors.As(err, &there):
			removed, err := b.discard(ctx, instance, id)
			return !removed, err
		case errors.As(err, &busy): // a change of the same commit may still be under way
			return false, nil
		}
		return err == nil, err
	})
	if err == nil {
		err = WaitForSnapshot(ctx, b.API, id, b.Every)
	}
	if err != nil {
		return "", fmt.Errorf("snapshot %s: %w", id, err)
	}
	return id, b.forget(ctx, instance)
}

// discard removes the snapshot if it has failed, which RDS keeps under its name; it reports whether none is left.
func (b Before) discard(ctx context.Context, instance, id string) (bool, error) {
	out, err := b.API.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
	if gone(err) {
		return true, nil
	}
	if err != nil || len(out.DBSnapshots) == 0 || aws.ToString(out.DBSnapshots[0].Status) != "failed" {
		return false, err
	}
	if !marked(out.DBSnapshots[0], instance) {
		return false, fmt.Errorf("it has failed, and has no tag %s of %s; remove it: aws rds delete-db-snapshot --db-snapshot-identifier %s", config.BeforeTag, instance, id)
	}
	b.Say("%s: snapshot %s has failed, and is made anew", b.Name, id)
	return true, b.remove(ctx, out.DBSnapshots[0])
}

// marked reports whether Before made a snapshot of an instance.
func marked(s types.DBSnapshot, instance string) bool {
	return slices.ContainsFunc(s.TagList, func(t types.Tag) bool {
		return aws.ToString(t.Key) == config.BeforeTag && aws.ToString(t.Value) == instance
	})
}

// remove removes a snapshot that may be gone.
func (b Before) remove(ctx context.Context, s types.DBSnapshot) error {
	_, err := b.API.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: s.DBSnapshotIdentifier})
	if gone(err) {
		return nil
	}
	return err
}

// gone reports whether RDS has no such snapshot.
func gone(err error) bool {
	var missing *types.DBSnapshotNotFoundFault
	return errors.As(err, &missing)
}

// forget removes all but the newest of the snapshots of this kind.
func (b Before) forget(ctx context.Context, instance string) error {
	var mine []types.DBSnapshot
	pages := rds.NewDescribeDBSnapshotsPaginator(b.API, &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: &instance, SnapshotType: aws.String("manual")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, s := range page.DBSnapshots {
			if marked(s, instance) {
				mine = append(mine, s)
			}
		}
	}
	slices.SortFunc(mine, func(a, b types.DBSnapshot) int {
		return aws.ToTime(b.SnapshotCreateTime).Compare(aws.ToTime(a.SnapshotCreateTime))
	})
	for _, s := range mine[min(max(b.Keep, 1), len(mine)):] {
		b.Say("%s: snapshot %s is one too many", b.Name, aws.ToString(s.DBSnapshotIdentifier))
		if err := b.remove(ctx, s); err != nil {
			return fmt.Errorf("snapshot %s: %w", aws.ToString(s.DBSnapshotIdentifier), err)
		}
	}
	return nil
}
