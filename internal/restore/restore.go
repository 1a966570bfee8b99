// Package restore makes an instance of RDS of a backup, proves what is in it, and removes it again.
//
// The instance is a temporary one: GitOps has no place for it. What lasts is a snapshot of it, which a service's file can name.
package restore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"

	"k8s-plus-aws-gitops/config"
)

// API is what it needs of the client of RDS.
type API interface {
	rds.DescribeDBInstancesAPIClient
	rds.DescribeDBSnapshotsAPIClient
	RestoreDBInstanceFromDBSnapshot(context.Context, *rds.RestoreDBInstanceFromDBSnapshotInput, ...func(*rds.Options)) (*rds.RestoreDBInstanceFromDBSnapshotOutput, error)
	RestoreDBInstanceToPointInTime(context.Context, *rds.RestoreDBInstanceToPointInTimeInput, ...func(*rds.Options)) (*rds.RestoreDBInstanceToPointInTimeOutput, error)
	ModifyDBInstance(context.Context, *rds.ModifyDBInstanceInput, ...func(*rds.Options)) (*rds.ModifyDBInstanceOutput, error)
	DeleteDBInstance(context.Context, *rds.DeleteDBInstanceInput, ...func(*rds.Options)) (*rds.DeleteDBInstanceOutput, error)
	CreateDBSnapshot(context.Context, *rds.CreateDBSnapshotInput, ...func(*rds.Options)) (*rds.CreateDBSnapshotOutput, error)
	CopyDBSnapshot(context.Context, *rds.CopyDBSnapshotInput, ...func(*rds.Options)) (*rds.CopyDBSnapshotOutput, error)
	DeleteDBSnapshot(context.Context, *rds.DeleteDBSnapshotInput, ...func(*rds.Options)) (*rds.DeleteDBSnapshotOutput, error)
}

// Restore is of one application's database.
type Restore struct {
	// API is RDS in the region of Into, and Source in that of From; nil: API.
	API, Source API
	// From is where the backup is of, and Into where the instance is made: both of one account.
	From, Into config.Environment
	// Name is the application's or the service's.
	Name string
	// At is the moment to go back to; zero: the latest there is.
	At time.Time
	// Snapshots leaves moments between two snapshots out.
	Snapshots bool
	// Snapshot is taken whatever At says, if it is named: by identifier or ARN.
	Snapshot string
	// Keep leaves a snapshot of what was proven.
	Keep bool
	// Look counts the rows of each table of a database that is signed in to.
	Look func(context.Context, Login) ([]Table, error)
	// Now counts them in the database that the backup is of; nil: it is not compared.
	Now func(context.Context) ([]Table, error)
	// Say is told how far it is.
	Say func(format string, args ...any)
	// Every is the pause between two looks; 10 s by default.
	Every time.Duration
}

// Login is how to reach a restored database.
type Login struct {
	Engine, Host             string
	Port                     int
	Database, User, Password string
}

// Table is a table with its rows.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Plan is what will be restored, and into what.
type Plan struct {
	// Instance will be made.
	Instance string `json:"instance"`
	// Point is what it is made of.
	Point Point  `json:"point"`
	Class string `json:"class"`

	twin     types.DBInstance
	leftover bool
}

// Plan chooses a backup. It changes nothing.
func (r *Restore) Plan(ctx context.Context) (Plan, error) {
	if r.From.Account != r.Into.Account {
		return Plan{}, fmt.Errorf("%s and %s must be of one account: RDS shares no snapshot that its own key encrypts; docs/guides/restore.md has what to do", r.From.Name, r.Into.Name)
	}
	p := Plan{Instance: r.Into.RestoredIdentifier(r.Name)}
	twin, there, err := r.instance(ctx, r.Into.DatabaseIdentifier(r.Name))
	if err != nil {
		return p, err
	}
	if !there {
		return p, fmt.Errorf("%s has no database %s, whose subnets, parameters and security group the restored one gets: deploy it first", r.Into.Name, r.Into.DatabaseIdentifier(r.Name))
	}
	p.twin, p.Class = twin, aws.ToString(twin.DBInstanceClass)
	old, there, err := r.instance(ctx, p.Instance)
	switch {
	case err != nil:
		return p, err
	case there && !r.own(old):
		return p, fmt.Errorf("%s is an instance that this command did not make: it has no tag %s", p.Instance, config.RestoredTag)
	}
	p.leftover = there
	if p.Point, err = r.choose(ctx); err == nil && p.Point.Region != "" {
		err = r.mayCopy(ctx, p)
	}
	if err == nil && p.Point.engine != "" && p.Point.engine != aws.ToString(twin.Engine) {
		err = fmt.Errorf("snapshot %s is of engine %s, and the database in %s of %s", p.Point.Snapshot, p.Point.engine, r.Into.Name, aws.ToString(twin.Engine))
	}
	return p, err
}

// own reports whether an instance is one that this command made.
func (r *Restore) own(db types.DBInstance) bool {
	for _, tag := range db.TagList {
		if aws.ToString(tag.Key) == config.RestoredTag && aws.ToString(tag.Value) == r.Into.Name {
			return true
		}
	}
	return false
}

// Run restores and proves. What it made it removes, also when ctx ends: removal then has until patience ends.
func (r *Restore) Run(ctx context.Context, p Plan) (result Result, err error) {
	began := time.Now()
	result = Result{Name: r.Name, From: r.From.Name, Into: r.Into.Name, Plan: p, Tables: []Row{}}
	if p.leftover {
		r.Say("%s is left from an earlier run, and goes first", p.Instance)
		if err := r.remove(ctx, p.Instance); err != nil {
			return result, err
		}
	}
	if p.Point.Region != "" {
		var forget func() error
		if p.Point.Snapshot, forget, err = r.copied(ctx, p); err != nil {
			return result, errors.Join(err, forget())
		}
		defer func() { err = errors.Join(err, forget()) }()
	}
	r.Say("%s is made of %s", p.Instance, p.Point)
	run := rand.Text()
	unmade := r.make(ctx, p, run)
	defer func() {
		removed, removal := r.clean(ctx, p.Instance, run, unmade)
		result.Removed, err = removed, errors.Join(err, removal)
	}()
	if unmade != nil {
		return result, unmade
	}
	login, err := r.open(ctx, p.Instance)
	if err != nil {
		return result, fmt.Errorf("%s: %w", p.Instance, err)
	}
	result.RestoredAfter = time.Since(began).Seconds()
	r.Say("%s is there after %.0f s; its tables are counted", p.Instance, result.RestoredAfter)
	if err := r.count(ctx, login, &result); err != nil {
		return result, fmt.Errorf("%s: %w", p.Instance, err)
	}
	result.ProvenAfter = time.Since(began).Seconds()
	if r.Keep && result.Doubt() == nil {
		result.Kept, err = r.keep(ctx, p)
	}
	return result, err
}

// runTag marks an instance with the run that made it: another one may be making it at the same time.
const runTag = "gitops-restored-by"

// lateLooks are as many as RDS may need to show what it has made without an answer: a minute.
const lateLooks = 6

// patience is how long a removal may take, which RDS refuses while an instance is being made.
const patience = 30 * time.Minute

// clean removes the instance. After an error of make it does so only if the instance is this run's: RDS may have made it, and its
// answer was lost.
func (r *Restore) clean(ctx context.Context, id, run string, unmade error) (bool, error) {
	looks := 1
	if unmade != nil && (passes(unmade) || ctx.Err() != nil) {
		looks = lateLooks
	}
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), patience, fmt.Errorf("not done after %s", patience))
	defer cancel()
	if unmade != nil {
		if mine, err := r.mine(ctx, id, run, looks); err != nil || !mine {
			return false, r.byHand(id, err)
		}
	}
	r.Say("%s is removed", id)
	err := r.remove(ctx, id)
	return err == nil, err
}

// mine reports whether there is an instance that this run made, by as many looks.
func (r *Restore) mine(ctx context.Context, id, run string, looks int) (bool, error) {
	mine := false
	err := until(ctx, r.Every, func() (bool, error) {
		db, there, err := r.instance(ctx, id)
		mine = there && slices.ContainsFunc(db.TagList, func(t types.Tag) bool {
			return aws.ToString(t.Key) == runTag && aws.ToString(t.Value) == run
		})
		looks--
		return there || looks <= 0, err
	})
	return mine, err
}

// byHand adds the command that removes an instance to what kept this one from it.
func (r *Restore) byHand(id string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w; remove it: aws rds delete-db-instance --region %s --skip-final-snapshot --db-instance-identifier %s", id, err, r.Into.Region, id)
}

// make asks RDS for the instance: with the network and the parameters of the environment's own, reached by pods and nobody else,
// and without the tags of the one that it is of, so that AWS Backup does not back it up.
func (r *Restore) make(ctx context.Context, p Plan, run string) error {
	var groups []string
	for _, g := range p.twin.VpcSecurityGroups {
		groups = append(groups, aws.ToString(g.VpcSecurityGroupId))
	}
	var subnets, parameters *string
	if g := p.twin.DBSubnetGroup; g != nil {
		subnets = g.DBSubnetGroupName
	}
	if len(p.twin.DBParameterGroups) > 0 {
		parameters = p.twin.DBParameterGroups[0].DBParameterGroupName
	}
	tags := []types.Tag{
		{Key: aws.String(config.RestoredTag), Value: &r.Into.Name}, {Key: aws.String("environment"), Value: &r.Into.Name}, {Key: aws.String(runTag), Value: &run},
	}
	no := aws.Bool(false)
	if p.Point.Snapshot != "" {
		_, err := r.API.RestoreDBInstanceFromDBSnapshot(ctx, &rds.RestoreDBInstanceFromDBSnapshotInput{
			DBInstanceIdentifier: &p.Instance, DBSnapshotIdentifier: &p.Point.Snapshot, DBInstanceClass: &p.Class, DBSubnetGroupName: subnets,
			VpcSecurityGroupIds: groups, DBParameterGroupName: parameters, Tags: tags,
			PubliclyAccessible: no, MultiAZ: no, DeletionProtection: no, CopyTagsToSnapshot: no, AutoMinorVersionUpgrade: no,
		})
		return err
	}
	in := &rds.RestoreDBInstanceToPointInTimeInput{
		TargetDBInstanceIdentifier: &p.Instance, SourceDBInstanceIdentifier: &p.Point.source, DBInstanceClass: &p.Class, DBSubnetGroupName: subnets,
		VpcSecurityGroupIds: groups, DBParameterGroupName: parameters, Tags: tags,
		PubliclyAccessible: no, MultiAZ: no, DeletionProtection: no, CopyTagsToSnapshot: no, AutoMinorVersionUpgrade: no,
	}
	if r.At.IsZero() {
		in.UseLatestRestorableTime = aws.Bool(true)
	} else {
		in.RestoreTime = &r.At
	}
	_, err := r.API.RestoreDBInstanceToPointInTime(ctx, in)
	return err
}

// open waits for the instance and gives its administrator a password that nobody else has: the one in the backup is of its time.
func (r *Restore) open(ctx context.Context, id string) (Login, error) {
	if _, err := r.available(ctx, id); err != nil {
		return Login{}, err
	}
	random := make([]byte, 20)
	if _, err := rand.Read(random); err != nil {
		return Login{}, err
	}
	password := hex.EncodeToString(random)
	if _, err := r.API.ModifyDBInstance(ctx, &rds.ModifyDBInstanceInput{DBInstanceIdentifier: &id, MasterUserPassword: &password, ApplyImmediately: aws.Bool(true)}); err != nil {
		return Login{}, fmt.Errorf("a password for its administrator: %w", err)
	}
	db, err := r.available(ctx, id)
	if err != nil {
		return Login{}, err
	}
	if db.Endpoint == nil {
		return Login{}, errors.New("RDS tells no address of it")
	}
	return Login{
		Engine: aws.ToString(db.Engine), Host: aws.ToString(db.Endpoint.Address), Port: int(aws.ToInt32(db.Endpoint.Port)),
		Database: aws.ToString(db.DBName), User: aws.ToString(db.MasterUsername), Password: password,
	}, nil
}

// available waits until an instance is, with nothing to be changed in it.
func (r *Restore) available(ctx context.Context, id string) (types.DBInstance, error) {
	var db types.DBInstance
	said := ""
	err := until(ctx, r.Every, func() (bool, error) {
		found, there, err := r.instance(ctx, id)
		if err != nil {
			return false, err
		}
		if !there {
			return false, errors.New("it is gone")
		}
		db = found
		status := aws.ToString(db.DBInstanceStatus)
		if strings.HasPrefix(status, "incompatible-") || status == "failed" || status == "storage-full" {
			return false, fmt.Errorf("RDS cannot make it: its status is %s", status)
		}
		if status != said {
			r.Say("%s: %s", id, status)
			said = status
		}
		pending := db.PendingModifiedValues
		return status == "available" && (pending == nil || pending.MasterUserPassword == nil), nil
	})
	return db, err
}

// keep makes a snapshot of the instance, which a service's file can name.
func (r *Restore) keep(ctx context.Context, p Plan) (string, error) {
	id := r.Into.DatabaseIdentifier(r.Name) + "-of-" + p.Point.Time.UTC().Format("20060102-150405")
	r.Say("%s is kept as snapshot %s", p.Instance, id)
	_, err := r.API.CreateDBSnapshot(ctx, &rds.CreateDBSnapshotInput{
		DBInstanceIdentifier: &p.Instance, DBSnapshotIdentifier: &id, Tags: []types.Tag{{Key: aws.String(config.RestoredTag), Value: &r.Into.Name}},
	})
	var there *types.DBSnapshotAlreadyExistsFault
	if err != nil && !errors.As(err, &there) {
		return "", err
	}
	return id, WaitForSnapshot(ctx, r.API, id, r.Every)
}

// remove deletes an instance and waits until it is gone. Its error has the command that does it.
func (r *Restore) remove(ctx context.Context, id string) error {
	asked := false
	return r.byHand(id, until(ctx, r.Every, func() (bool, error) {
		var missing *types.DBInstanceNotFoundFault
		var busy *types.InvalidDBInstanceStateFault
		if !asked {
			_, err := r.API.DeleteDBInstance(ctx, &rds.DeleteDBInstanceInput{DBInstanceIdentifier: &id, SkipFinalSnapshot: aws.Bool(true), DeleteAutomatedBackups: aws.Bool(true)})
			switch {
			case errors.As(err, &missing):
				return true, nil
			case errors.As(err, &busy): // it is being made, changed or removed
			case err != nil:
				return false, err
			default:
				asked = true
			}
		}
		_, there, err := r.instance(ctx, id)
		return !there, err
	}))
}

// instance is one by its identifier, if it is there.
func (r *Restore) instance(ctx context.Context, id string) (types.DBInstance, bool, error) {
	out, err := r.API.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
	var missing *types.DBInstanceNotFoundFault
	switch {
	case errors.As(err, &missing):
		return types.DBInstance{}, false, nil
	case err != nil:
		return types.DBInstance{}, false, err
	case len(out.DBInstances) == 0:
		return types.DBInstance{}, false, nil
	}
	return out.DBInstances[0], true, nil
}

// passes reports whether AWS may answer otherwise soon: it was throttled, out of order or not reached.
func passes(err error) bool {
	return retry.IsErrorRetryables(retry.DefaultRetryables).IsErrorRetryable(err).Bool()
}

// until looks again and again until it is done, or an error that does not pass, or ctx ends: every 10 s where nothing else is said.
func until(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	for {
		ok, err := done()
		switch {
		case err == nil && ok:
			return nil
		case err != nil && !passes(err) && ctx.Err() == nil:
			return err
		}
		select {
		case <-ctx.Done():
			if err != nil && !errors.Is(err, ctx.Err()) {
				return fmt.Errorf("%w; the last answer was: %w", context.Cause(ctx), err)
			}
			return context.Cause(ctx)
		case <-time.After(cmp.Or(every, 10*time.Second)):
		}
	}
}
