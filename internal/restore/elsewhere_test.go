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

// between is a restore of dev's orders, whose region there is, into another environment and region.
func between() (r *Restore, there, here *fake) {
	there, here = world(), world()
	here.snapshots, here.instances["staging-orders"] = nil, here.instances["dev-orders"]
	delete(here.instances, "dev-orders")
	r = of(here)
	r.Source, r.From.Region, r.Into = there, "eu-central-1", environment("staging")
	return r, there, here
}

// A snapshot of another region is copied with the key of the database here, and the copy goes with the instance.
func TestBetweenRegions(t *testing.T) {
	r, there, here := between()
	here.snapshots = []types.DBSnapshot{{ // left by a killed command
		DBSnapshotIdentifier: aws.String("staging-orders-restored-copy"), DBInstanceIdentifier: aws.String("dev-orders"), Status: aws.String("available"),
		TagList: []types.Tag{{Key: aws.String(config.RestoredTag), Value: aws.String("staging")}},
	}}
	p, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := "snapshot awsbackup:job-1 of 2026-11-30T05:00:00Z, copied from eu-central-1"; p.Point.String() != want {
		t.Errorf("got %s, want %s", p.Point, want)
	}
	result, err := r.Run(t.Context(), p)
	if err != nil || !result.Removed || len(result.Tables) == 0 {
		t.Errorf("got %+v, %v", result, err)
	}
	for _, call := range []string{"copy arn:of:awsbackup:job-1 from eu-central-1 to staging-orders-restored-copy by key", "restore staging-orders-restored of staging-orders-restored-copy"} {
		if !here.called(call) {
			t.Errorf("no %q in %v", call, here.calls)
		}
	}
	if len(here.snapshots) != 0 || len(there.calls) != 0 {
		t.Errorf("left: %v; changed in the other region: %v", here.snapshots, there.calls)
	}
}

func TestBetweenRegionsFails(t *testing.T) {
	t.Run("a moment is none of this region", func(t *testing.T) {
		r, _, _ := between()
		r.At = now.Add(-time.Hour)
		if p, err := r.Plan(t.Context()); err != nil || p.Point.Snapshot != "awsbackup:job-1" {
			t.Errorf("got %s, %v", p.Point, err)
		}
	})
	t.Run("the copy's name is somebody else's", func(t *testing.T) {
		r, _, here := between()
		here.snapshots = []types.DBSnapshot{{DBSnapshotIdentifier: aws.String("staging-orders-restored-copy"), Status: aws.String("available")}}
		if _, err := r.Plan(t.Context()); err == nil || !strings.Contains(err.Error(), "this command did not make") {
			t.Errorf("got %v", err)
		}
	})
	for _, call := range []string{"copy", "restore"} {
		t.Run("no "+call, func(t *testing.T) {
			r, _, here := between()
			p, err := r.Plan(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			here.fails[call] = errors.New("refused")
			if _, err := r.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "refused") {
				t.Errorf("got %v", err)
			}
			if len(here.snapshots) != 0 || here.instances["staging-orders-restored"] != nil {
				t.Errorf("left: %v", here.snapshots)
			}
		})
	}
}
