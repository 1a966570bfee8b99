package restore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/config"
)

// fake is RDS with instances and snapshots that take some looks to become what they are asked to be.
type fake struct {
	instances map[string]*types.DBInstance
	snapshots []types.DBSnapshot
	// busy is how many looks an instance needs for each change.
	busy  int
	looks map[string]int
	calls []string
	// restored and asked are the last requests.
	restored *rds.RestoreDBInstanceFromDBSnapshotInput
	moment   *rds.RestoreDBInstanceToPointInTimeInput
	// broken is the status that a new instance ends with; available by default.
	broken string
	fails  map[string]error
	// lost is the error in the place of the answer to a restore that RDS does; hidden is how many looks do not show it yet.
	lost   error
	hidden int
	// outage says why a call is not answered.
	outage func() error
}

var now = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

// world is RDS with a database of dev's orders, backed up by itself, by hand and by AWS Backup.
func world() *fake {
	made := func(id, kind string, ago time.Duration) types.DBSnapshot {
		return types.DBSnapshot{
			DBSnapshotIdentifier: &id, DBInstanceIdentifier: aws.String("dev-orders"), SnapshotType: &kind, Status: aws.String("available"),
			SnapshotCreateTime: aws.Time(now.Add(-ago)), Engine: aws.String("postgres"), DBSnapshotArn: aws.String("arn:of:" + id),
		}
	}
	return &fake{busy: 2, looks: map[string]int{}, fails: map[string]error{}, outage: func() error { return nil }, instances: map[string]*types.DBInstance{
		"dev-orders": {
			DBInstanceIdentifier: aws.String("dev-orders"), DBInstanceStatus: aws.String("available"), Engine: aws.String("postgres"),
			DBInstanceClass: aws.String("db.t4g.small"), LatestRestorableTime: aws.Time(now.Add(-5 * time.Minute)), DBName: aws.String("ordersdb"), MasterUsername: aws.String("ordersdb"),
			KmsKeyId: aws.String("key"), DBSubnetGroup: &types.DBSubnetGroup{DBSubnetGroupName: aws.String("isolated")}, DBParameterGroups: []types.DBParameterGroupStatus{{DBParameterGroupName: aws.String("tls")}},
			VpcSecurityGroups: []types.VpcSecurityGroupMembership{{VpcSecurityGroupId: aws.String("sg-1")}},
		},
	}, snapshots: []types.DBSnapshot{
		made("rds:dev-orders-1", "automated", 2*24*time.Hour), made("mine", "manual", 30*24*time.Hour), made("awsbackup:job-1", "awsbackup", 7*time.Hour),
	}}
}

func (f *fake) call(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	f.calls = append(f.calls, text)
	name, _, _ := strings.Cut(text, " ")
	return f.fails[name]
}

func (f *fake) called(prefix string) bool {
	return slices.ContainsFunc(f.calls, func(c string) bool { return strings.HasPrefix(c, prefix) })
}

func (f *fake) DescribeDBInstances(ctx context.Context, in *rds.DescribeDBInstancesInput, _ ...func(*rds.Options)) (*rds.DescribeDBInstancesOutput, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err := f.outage(); err != nil {
		return nil, err
	}
	id := *in.DBInstanceIdentifier
	db := f.instances[id]
	if db == nil {
		return nil, &types.DBInstanceNotFoundFault{}
	}
	if f.hidden > 0 && len(db.TagList) > 0 {
		f.hidden--
		return nil, &types.DBInstanceNotFoundFault{}
	}
	if f.looks[id] > 0 {
		if f.looks[id]--; f.looks[id] == 0 {
			if *db.DBInstanceStatus == "deleting" {
				delete(f.instances, id)
				return nil, &types.DBInstanceNotFoundFault{}
			}
			db.DBInstanceStatus, db.PendingModifiedValues = aws.String("available"), nil
			if f.broken != "" {
				db.DBInstanceStatus = &f.broken
			}
		}
	}
	seen := *db
	return &rds.DescribeDBInstancesOutput{DBInstances: []types.DBInstance{seen}}, nil
}

func (f *fake) DescribeDBSnapshots(_ context.Context, in *rds.DescribeDBSnapshotsInput, _ ...func(*rds.Options)) (*rds.DescribeDBSnapshotsOutput, error) {
	var found []types.DBSnapshot
	for i := range f.snapshots {
		s := f.snapshots[i]
		kind := aws.ToString(s.SnapshotType)
		switch {
		case in.DBSnapshotIdentifier != nil && *in.DBSnapshotIdentifier != *s.DBSnapshotIdentifier:
		case in.DBInstanceIdentifier != nil && *in.DBInstanceIdentifier != *s.DBInstanceIdentifier:
		case in.DBInstanceIdentifier != nil && in.SnapshotType == nil && kind == "awsbackup": // they are listed when they are asked for
		case in.SnapshotType != nil && *in.SnapshotType != kind:
		default:
			found = append(found, s)
			if *s.Status == "creating" {
				f.snapshots[i].Status = aws.String("available")
			}
		}
	}
	if in.DBSnapshotIdentifier != nil && len(found) == 0 {
		return nil, &types.DBSnapshotNotFoundFault{}
	}
	// A page holds one.
	from := 0
	if in.Marker != nil {
		_, _ = fmt.Sscan(*in.Marker, &from)
	}
	out := &rds.DescribeDBSnapshotsOutput{}
	if from < len(found) {
		out.DBSnapshots = found[from : from+1]
	}
	if from+1 < len(found) {
		out.Marker = aws.String(fmt.Sprint(from + 1))
	}
	return out, nil
}

func (f *fake) make(id string, tags []types.Tag) error {
	if f.instances[id] != nil {
		return &types.DBInstanceAlreadyExistsFault{}
	}
	f.instances[id] = &types.DBInstance{
		DBInstanceIdentifier: &id, DBInstanceStatus: aws.String("creating"), TagList: tags, Engine: aws.String("postgres"), DBName: aws.String("ordersdb"), MasterUsername: aws.String("ordersdb"),
		Endpoint: &types.Endpoint{Address: aws.String(id + ".example.com"), Port: aws.Int32(5432)},
	}
	f.looks[id] = f.busy
	return f.lost
}

func (f *fake) RestoreDBInstanceFromDBSnapshot(_ context.Context, in *rds.RestoreDBInstanceFromDBSnapshotInput, _ ...func(*rds.Options)) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error) {
	f.restored = in
	if err := f.call("restore %s of %s", *in.DBInstanceIdentifier, *in.DBSnapshotIdentifier); err != nil {
		return nil, err
	}
	return &rds.RestoreDBInstanceFromDBSnapshotOutput{}, f.make(*in.DBInstanceIdentifier, in.Tags)
}

func (f *fake) RestoreDBInstanceToPointInTime(_ context.Context, in *rds.RestoreDBInstanceToPointInTimeInput, _ ...func(*rds.Options)) (*rds.RestoreDBInstanceToPointInTimeOutput, error) {
	f.moment = in
	if err := f.call("rewind %s", *in.TargetDBInstanceIdentifier); err != nil {
		return nil, err
	}
	return &rds.RestoreDBInstanceToPointInTimeOutput{}, f.make(*in.TargetDBInstanceIdentifier, in.Tags)
}

func (f *fake) ModifyDBInstance(_ context.Context, in *rds.ModifyDBInstanceInput, _ ...func(*rds.Options)) (*rds.ModifyDBInstanceOutput, error) {
	id := *in.DBInstanceIdentifier
	if err := f.call("modify %s", id); err != nil {
		return nil, err
	}
	f.instances[id].PendingModifiedValues = &types.PendingModifiedValues{MasterUserPassword: aws.String("****")}
	f.looks[id] = f.busy
	return &rds.ModifyDBInstanceOutput{}, nil
}

func (f *fake) DeleteDBInstance(_ context.Context, in *rds.DeleteDBInstanceInput, _ ...func(*rds.Options)) (*rds.DeleteDBInstanceOutput, error) {
	id := *in.DBInstanceIdentifier
	if err := f.call("delete %s", id); err != nil {
		return nil, err
	}
	if err := f.outage(); err != nil {
		return nil, err
	}
	db := f.instances[id]
	switch {
	case db == nil:
		return nil, &types.DBInstanceNotFoundFault{}
	case *db.DBInstanceStatus == "creating" || !aws.ToBool(in.SkipFinalSnapshot):
		return nil, &types.InvalidDBInstanceStateFault{}
	}
	db.DBInstanceStatus, f.looks[id] = aws.String("deleting"), f.busy
	return &rds.DeleteDBInstanceOutput{}, nil
}

func (f *fake) CreateDBSnapshot(_ context.Context, in *rds.CreateDBSnapshotInput, _ ...func(*rds.Options)) (*rds.CreateDBSnapshotOutput, error) {
	id := *in.DBSnapshotIdentifier
	if err := f.call("snapshot %s of %s", id, *in.DBInstanceIdentifier); err != nil {
		return nil, err
	}
	for _, s := range f.snapshots {
		if *s.DBSnapshotIdentifier == id {
			return nil, &types.DBSnapshotAlreadyExistsFault{}
		}
	}
	if db := f.instances[*in.DBInstanceIdentifier]; db == nil || *db.DBInstanceStatus != "available" {
		if db != nil {
			db.DBInstanceStatus = aws.String("available")
		}
		return nil, &types.InvalidDBInstanceStateFault{}
	}
	f.snapshots = append(f.snapshots, types.DBSnapshot{
		DBSnapshotIdentifier: &id, DBInstanceIdentifier: in.DBInstanceIdentifier, SnapshotType: aws.String("manual"), Status: aws.String("creating"),
		SnapshotCreateTime: aws.Time(now.Add(time.Duration(len(f.snapshots)) * time.Minute)), TagList: in.Tags,
	})
	return &rds.CreateDBSnapshotOutput{}, nil
}

func (f *fake) DeleteDBSnapshot(_ context.Context, in *rds.DeleteDBSnapshotInput, _ ...func(*rds.Options)) (*rds.DeleteDBSnapshotOutput, error) {
	id := *in.DBSnapshotIdentifier
	if err := f.call("forget %s", id); err != nil {
		return nil, err
	}
	left := len(f.snapshots)
	f.snapshots = slices.DeleteFunc(f.snapshots, func(s types.DBSnapshot) bool { return *s.DBSnapshotIdentifier == id })
	if len(f.snapshots) == left {
		return nil, &types.DBSnapshotNotFoundFault{}
	}
	return &rds.DeleteDBSnapshotOutput{}, nil
}

func (f *fake) CopyDBSnapshot(_ context.Context, in *rds.CopyDBSnapshotInput, _ ...func(*rds.Options)) (*rds.CopyDBSnapshotOutput, error) {
	id := *in.TargetDBSnapshotIdentifier
	if err := f.call("copy %s from %s to %s by %s", *in.SourceDBSnapshotIdentifier, *in.SourceRegion, id, aws.ToString(in.KmsKeyId)); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(f.snapshots, func(s types.DBSnapshot) bool { return *s.DBSnapshotIdentifier == id }) {
		return nil, &types.DBSnapshotAlreadyExistsFault{}
	}
	f.snapshots = append(f.snapshots, types.DBSnapshot{
		DBSnapshotIdentifier: &id, DBInstanceIdentifier: aws.String("dev-orders"), SnapshotType: aws.String("manual"), Status: aws.String("creating"),
		SnapshotCreateTime: &now, TagList: in.Tags,
	})
	return &rds.CopyDBSnapshotOutput{}, nil
}

// environment is one of an account.
func environment(name string) config.Environment {
	return config.Environment{Name: name, Account: "111111111111", Region: "eu-west-1"}
}
