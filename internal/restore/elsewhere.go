package restore

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/config"
)

// elsewhere reports whether the backup is of another region than the one that it is restored in.
func (r *Restore) elsewhere() bool { return r.From.Region != r.Into.Region }

func (r *Restore) source() API {
	if r.Source != nil {
		return r.Source
	}
	return r.API
}

// copyOf is the identifier of the copy that an instance is made of.
func copyOf(p Plan) string { return p.Instance + "-copy" }

// mayCopy refuses a name that somebody else's snapshot has.
func (r *Restore) mayCopy(ctx context.Context, p Plan) error {
	s, there, err := r.snapshot(ctx, copyOf(p))
	if err != nil || !there {
		return err
	}
	for _, tag := range s.TagList {
		if aws.ToString(tag.Key) == config.RestoredTag && aws.ToString(tag.Value) == r.Into.Name {
			return nil
		}
	}
	return fmt.Errorf("%s is a snapshot that this command did not make: it has no tag %s", copyOf(p), config.RestoredTag)
}

// copied copies a snapshot from its region, encrypted by the key of the database that runs here, and waits until it is there. What
// a killed command left of one goes first. The function that removes the copy is never nil.
func (r *Restore) copied(ctx context.Context, p Plan) (id string, forget func() error, err error) {
	id = copyOf(p)
	forget = func() error {
		cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		if err := r.forget(cleaning, id); err != nil {
			return fmt.Errorf("%s: %w; remove it: aws rds delete-db-snapshot --region %s --db-snapshot-identifier %s", id, err, r.Into.Region, id)
		}
		return nil
	}
	if err := r.forget(ctx, id); err != nil {
		return id, forget, err
	}
	r.Say("%s is copied from %s", p.Point.Snapshot, p.Point.Region)
	// By SourceRegion the SDK signs the request to the other region, which RDS makes with it:
	// https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CopyDBSnapshot.html
	_, err = r.API.CopyDBSnapshot(ctx, &rds.CopyDBSnapshotInput{
		SourceDBSnapshotIdentifier: &p.Point.arn, SourceRegion: &p.Point.Region, TargetDBSnapshotIdentifier: &id, KmsKeyId: p.twin.KmsKeyId,
		Tags: []types.Tag{{Key: aws.String(config.RestoredTag), Value: &r.Into.Name}},
	})
	if err != nil {
		return id, forget, fmt.Errorf("copy %s from %s: %w", p.Point.Snapshot, p.Point.Region, err)
	}
	return id, forget, WaitForSnapshot(ctx, r.API, id, r.Every)
}

// forget removes a copy, if it is there. RDS ends a copy that is on its way.
func (r *Restore) forget(ctx context.Context, id string) error {
	return until(ctx, r.Every, func() (bool, error) {
		_, err := r.API.DeleteDBSnapshot(ctx, &rds.DeleteDBSnapshotInput{DBSnapshotIdentifier: &id})
		var busy *types.InvalidDBSnapshotStateFault
		switch {
		case gone(err):
			return true, nil
		case errors.As(err, &busy):
			return false, nil
		}
		return false, err
	})
}

// snapshot is one of the region that the instance is made in, by its identifier, if it is there.
func (r *Restore) snapshot(ctx context.Context, id string) (types.DBSnapshot, bool, error) {
	out, err := r.API.DescribeDBSnapshots(ctx, &rds.DescribeDBSnapshotsInput{DBSnapshotIdentifier: &id, IncludeShared: aws.Bool(true)})
	switch {
	case gone(err) || err == nil && len(out.DBSnapshots) == 0:
		return types.DBSnapshot{}, false, nil
	case err != nil:
		return types.DBSnapshot{}, false, err
	}
	return out.DBSnapshots[0], true, nil
}
