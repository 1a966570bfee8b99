package restore

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
)

// Point is what an instance is restored of: a snapshot, or a moment of an instance that is there.
type Point struct {
	Time time.Time `json:"time"`
	// Snapshot is empty for a moment.
	Snapshot string `json:"snapshot,omitempty"`
	// Region is where the snapshot has to be copied from; empty: it is where the instance is made.
	Region string `json:"region,omitempty"`

	source, engine, arn string
}

// String names it for people.
func (p Point) String() string {
	at := p.Time.UTC().Format(time.RFC3339)
	switch {
	case p.Region != "":
		return "snapshot " + p.Snapshot + " of " + at + ", copied from " + p.Region
	case p.Snapshot != "":
		return "snapshot " + p.Snapshot + " of " + at
	}
	return p.source + " as it was at " + at
}

// choose finds what is latest at or before the moment that is asked for: the moment itself where RDS keeps the log of it, else a
// snapshot, of whatever made it.
func (r *Restore) choose(ctx context.Context) (Point, error) {
	if r.Snapshot != "" {
		return r.named(ctx)
	}
	source := r.From.DatabaseIdentifier(r.Name)
	snapshots, err := r.snapshots(ctx, source)
	if err != nil {
		return Point{}, err
	}
	if moment, ok, err := r.moment(ctx, source, snapshots); ok || err != nil {
		return moment, err
	}
	var best types.DBSnapshot
	var oldest time.Time
	for _, s := range snapshots {
		made := aws.ToTime(s.SnapshotCreateTime)
		if oldest.IsZero() || made.Before(oldest) {
			oldest = made
		}
		if (r.At.IsZero() || !made.After(r.At)) && made.After(aws.ToTime(best.SnapshotCreateTime)) {
			best = s
		}
	}
	switch {
	case len(snapshots) == 0:
		return Point{}, fmt.Errorf("there is no snapshot of %s in %s", source, r.From.Region)
	case best.DBSnapshotIdentifier == nil:
		return Point{}, fmt.Errorf("there is no backup of %s at or before %s; the first one is of %s", source, r.At.UTC().Format(time.RFC3339), oldest.UTC().Format(time.RFC3339))
	}
	p := pointOf(best)
	if r.elsewhere() {
		p.Region = r.From.Region
	}
	return p, nil
}

func pointOf(s types.DBSnapshot) Point {
	return Point{
		Time: aws.ToTime(s.SnapshotCreateTime), Snapshot: aws.ToString(s.DBSnapshotIdentifier),
		engine: aws.ToString(s.Engine), arn: aws.ToString(s.DBSnapshotArn),
	}
}

// moment is a point in time, if RDS can restore the one that is asked for. It keeps logs from the oldest automatic snapshot on, for
// its own region.
func (r *Restore) moment(ctx context.Context, source string, snapshots []types.DBSnapshot) (Point, bool, error) {
	if r.Snapshots || r.elsewhere() {
		return Point{}, false, nil
	}
	db, there, err := r.instance(ctx, source)
	if err != nil || !there || db.LatestRestorableTime == nil {
		return Point{}, false, err
	}
	latest := *db.LatestRestorableTime
	p := Point{Time: latest, source: source, engine: aws.ToString(db.Engine)}
	if r.At.IsZero() {
		return p, true, nil
	}
	if r.At.After(latest) {
		return Point{}, false, fmt.Errorf("--at must be at or before %s, the latest that can be restored of %s; without it that is taken", latest.UTC().Format(time.RFC3339), source)
	}
	for _, s := range snapshots {
		if aws.ToString(s.SnapshotType) == "automated" && !aws.ToTime(s.SnapshotCreateTime).After(r.At) {
			p.Time = r.At
			return p, true, nil
		}
	}
	return Point{}, false, nil
}

// snapshots are those of an instance that can be used: automatic ones, those that somebody made, and AWS Backup's, which are not
// listed with the others. An instance that is gone has them, too.
func (r *Restore) snapshots(ctx context.Context, instance string) ([]types.DBSnapshot, error) {
	var all []types.DBSnapshot
	for _, kind := range []*string{nil, aws.String("awsbackup")} {
		pages := rds.NewDescribeDBSnapshotsPaginator(r.source(), &rds.DescribeDBSnapshotsInput{DBInstanceIdentifier: &instance, SnapshotType: kind})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, err
			}
			for _, s := range page.DBSnapshots {
				if aws.ToString(s.Status) == "available" {
					all = append(all, s)
				}
			}
		}
	}
	return all, nil
}

// named is the snapshot that was asked for, where the instance is made.
func (r *Restore) named(ctx context.Context) (Point, error) {
	// One that another account shares is listed by its ARN, and only if it is asked for.
	s, there, err := r.snapshot(ctx, r.Snapshot)
	switch {
	case err != nil:
		return Point{}, err
	case !there:
		return Point{}, fmt.Errorf("there is no snapshot %s in this account and %s", r.Snapshot, r.Into.Region)
	}
	if status := aws.ToString(s.Status); status != "available" {
		return Point{}, fmt.Errorf("snapshot %s must be available, and is %s", r.Snapshot, status)
	}
	p := pointOf(s)
	p.Snapshot = r.Snapshot
	return p, nil
}

// WaitForSnapshot waits until a snapshot is available.
func WaitForSnapshot(ctx context.Context, api rds.DescribeDBSnapshotsAPIClient, id string, every time.Duration) error {
	return until(ctx, every, func() (bool, error) {
		out, err := api.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id})
		if err != nil {
			return false, err
		}
		if len(out.DBSnapshots) == 0 {
			return false, fmt.Errorf("snapshot %s is gone", id)
		}
		status := aws.ToString(out.DBSnapshots[0].Status)
		if status == "failed" {
			return false, fmt.Errorf("snapshot %s has failed", id)
		}
		return status == "available", nil
	})
}
