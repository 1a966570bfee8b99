package restore

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds/types"
	"github.com/aws/smithy-go"

	"k8s-plus-aws-gitops/config"
)

// of is a restore of dev's orders in a world, whose tables hold rows.
func of(f *fake) *Restore {
	return &Restore{
		API: f, From: environment("dev"), Into: environment("dev"), Name: "orders", Say: func(string, ...any) {}, Every: time.Millisecond,
		Look: func(context.Context, Login) ([]Table, error) { return []Table{{"orders", 3}, {"empty", 0}}, nil },
	}
}

// What is latest at or before a moment is taken: the moment where RDS keeps its log, else a snapshot of whatever made it.
func TestChoice(t *testing.T) {
	for name, c := range map[string]struct {
		change   func(*Restore, *fake)
		snapshot string
		ago      time.Duration
		fails    string
	}{
		"latest":                         {nil, "", 5 * time.Minute, ""},
		"latest snapshot":                {func(r *Restore, _ *fake) { r.Snapshots = true }, "awsbackup:job-1", 7 * time.Hour, ""},
		"a moment with a log":            {func(r *Restore, _ *fake) { r.At = now.Add(-time.Hour) }, "", time.Hour, ""},
		"a moment before the log":        {func(r *Restore, _ *fake) { r.At = now.Add(-3 * 24 * time.Hour) }, "mine", 30 * 24 * time.Hour, ""},
		"a moment before a snapshot":     {func(r *Restore, _ *fake) { r.At, r.Snapshots = now.Add(-8*time.Hour), true }, "rds:dev-orders-1", 2 * 24 * time.Hour, ""},
		"a moment to come":               {func(r *Restore, _ *fake) { r.At = now }, "", 0, "--at must be at or before 2026-11-30T11:55:00Z"},
		"before everything":              {func(r *Restore, _ *fake) { r.At = now.Add(-60 * 24 * time.Hour) }, "", 0, "the first one is of 2026-10-31T12:00:00Z"},
		"an unfinished snapshot":         {func(r *Restore, f *fake) { r.Snapshots, f.snapshots[2].Status = true, aws.String("pending") }, "rds:dev-orders-1", 2 * 24 * time.Hour, ""},
		"no snapshot":                    {func(r *Restore, f *fake) { r.Snapshots, f.snapshots = true, nil }, "", 0, "there is no snapshot of dev-orders"},
		"a snapshot by its name":         {func(r *Restore, _ *fake) { r.Snapshot = "mine" }, "mine", 30 * 24 * time.Hour, ""},
		"a snapshot that is none":        {func(r *Restore, _ *fake) { r.Snapshot = "other" }, "", 0, "there is no snapshot other"},
		"a snapshot of another engine":   {func(r *Restore, f *fake) { r.Snapshot, f.snapshots[1].Engine = "mine", aws.String("mysql") }, "", 0, "is of engine mysql"},
		"another account":                {func(r *Restore, _ *fake) { r.From.Account = "222222222222" }, "", 0, "must be of one account"},
		"no database to be beside":       {func(r *Restore, _ *fake) { r.Into = environment("staging") }, "", 0, "staging has no database staging-orders"},
		"an instance of somebody else's": {func(_ *Restore, f *fake) { _ = f.make("dev-orders-restored", nil) }, "", 0, "this command did not make"},
	} {
		t.Run(name, func(t *testing.T) {
			f := world()
			r := of(f)
			if c.change != nil {
				c.change(r, f)
			}
			p, err := r.Plan(t.Context())
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("got %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil || p.Point.Snapshot != c.snapshot || !p.Point.Time.Equal(now.Add(-c.ago)) {
				t.Errorf("got %s, %v", p.Point, err)
			}
			if len(f.calls) > 0 {
				t.Errorf("a plan changes nothing, got %v", f.calls)
			}
		})
	}
}

// A database that was there and is gone can be looked into in another environment.
func TestLostDatabase(t *testing.T) {
	f := world()
	f.instances["staging-orders"] = f.instances["dev-orders"]
	delete(f.instances, "dev-orders")
	r := of(f)
	r.Into = environment("staging")
	p, err := r.Plan(t.Context())
	if err != nil || p.Instance != "staging-orders-restored" || p.Point.Snapshot != "awsbackup:job-1" {
		t.Errorf("got %+v, %v", p, err)
	}
}

// The instance is where the database of the environment is, marked, and never backed up; its administrator has a password of
// its own, and in the end it is gone.
func TestRun(t *testing.T) {
	for _, snapshots := range []bool{true, false} {
		f := world()
		r := of(f)
		r.Snapshots = snapshots
		var login Login
		r.Look = func(_ context.Context, l Login) ([]Table, error) {
			if login = l; len(f.calls) == 2 {
				_ = f.call("looked")
				return nil, &SignInError{errors.New("password is not known yet")}
			}
			return []Table{{"orders", 3}}, nil
		}
		r.Now = func(context.Context) ([]Table, error) { return []Table{{"orders", 4}, {"fresh", 0}}, nil }
		p, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Run(t.Context(), p)
		if err != nil || !result.Removed || result.Doubt() != nil {
			t.Fatalf("%+v, %v", result, err)
		}
		if _, there := f.instances[p.Instance]; there || f.instances["dev-orders"] == nil {
			t.Errorf("instances %v", f.instances)
		}
		if len(login.Password) < 32 || login.Host != p.Instance+".example.com" || login.Port != 5432 || login.Database != "ordersdb" {
			t.Errorf("login %+v", login)
		}
		var groups []string
		var tags []types.Tag
		var private *bool
		var subnets, parameters *string
		if snapshots {
			in := f.restored
			groups, tags, private, subnets, parameters = in.VpcSecurityGroupIds, in.Tags, in.PubliclyAccessible, in.DBSubnetGroupName, in.DBParameterGroupName
		} else {
			in := f.moment
			groups, tags, private, subnets, parameters = in.VpcSecurityGroupIds, in.Tags, in.PubliclyAccessible, in.DBSubnetGroupName, in.DBParameterGroupName
			if !aws.ToBool(in.UseLatestRestorableTime) || in.RestoreTime != nil {
				t.Errorf("%+v", in)
			}
		}
		if !slices.Equal(groups, []string{"sg-1"}) || private == nil || *private || aws.ToString(subnets) != "isolated" || aws.ToString(parameters) != "tls" {
			t.Errorf("groups %v, public %v, subnets %v, parameters %v", groups, private, subnets, parameters)
		}
		if !r.own(types.DBInstance{TagList: tags}) || slices.ContainsFunc(tags, func(t types.Tag) bool { return *t.Key == config.BackupTag }) {
			t.Errorf("tags %v", tags)
		}
		var out bytes.Buffer
		if err := result.Print(&out); err != nil || !strings.Contains(out.String(), "orders  3         4\n") || !strings.Contains(out.String(), "fresh   -         0\n") {
			t.Errorf("%s, %v", out.String(), err)
		}
	}
}

// Whatever happens, nothing is left, and what a killed command left goes first.
func TestNothingIsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Restore, *fake, context.CancelFunc)
		fails  string
	}{
		"RDS cannot make it": {func(_ *Restore, f *fake, _ context.CancelFunc) { f.broken = "incompatible-restore" }, "its status is incompatible-restore"},
		"no password":        {func(_ *Restore, f *fake, _ context.CancelFunc) { f.fails["modify"] = errors.New("denied") }, "denied"},
		"the tables are not told": {func(r *Restore, _ *fake, _ context.CancelFunc) {
			r.Look = func(context.Context, Login) ([]Table, error) { return nil, errors.New("disk") }
		}, "disk"},
		"interrupted": {func(r *Restore, _ *fake, stop context.CancelFunc) {
			r.Look = func(ctx context.Context, _ Login) ([]Table, error) { stop(); return nil, &SignInError{ctx.Err()} }
		}, "context canceled"},
		"interrupted while it is made": {func(r *Restore, _ *fake, stop context.CancelFunc) {
			r.Say = func(format string, args ...any) {
				if strings.Contains(format, "is made of") {
					time.AfterFunc(3*time.Millisecond, stop)
				}
			}
		}, "context canceled"},
		"left from a killed one": {func(_ *Restore, f *fake, _ context.CancelFunc) {
			_ = f.make("dev-orders-restored", []types.Tag{{Key: aws.String(config.RestoredTag), Value: aws.String("dev")}})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := world()
			r := of(f)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			if c.change(r, f, stop); name == "interrupted while it is made" {
				f.busy = 1000
			}
			p, err := r.Plan(ctx)
			if err != nil {
				t.Fatal(err)
			}
			result, err := r.Run(ctx, p)
			if (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
				t.Errorf("got %v, want %q", err, c.fails)
			}
			if _, there := f.instances["dev-orders-restored"]; there || !result.Removed || f.called("delete dev-orders ") {
				t.Errorf("removed %v, calls %v", result.Removed, f.calls)
			}
		})
	}
}

// What cannot be removed is told with the command that removes it, beside what failed before.
func TestRemovalFails(t *testing.T) {
	f := world()
	f.fails["delete"] = errors.New("denied by a policy")
	r := of(f)
	p, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if result, err := r.Run(t.Context(), p); err == nil || !strings.Contains(err.Error(), "dev-orders-restored: denied by a policy; remove it: aws rds delete-db-instance --region eu-west-1 --skip-final-snapshot --db-instance-identifier dev-orders-restored") || result.Removed || len(result.Tables) == 0 {
		t.Errorf("%+v, %v", result, err)
	}
}

// throttled is an answer that passes.
var throttled = &smithy.GenericAPIError{Code: "Throttling", Message: "rate exceeded"}

// An account that is throttled, or AWS out of order, ends neither the wait nor the removal.
func TestAnOutagePasses(t *testing.T) {
	f := world()
	r := of(f)
	p, err := r.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	f.outage = func() error {
		if calls++; calls%3 != 0 {
			return throttled
		}
		return nil
	}
	result, err := r.Run(t.Context(), p)
	if err != nil || !result.Removed || f.instances[p.Instance] != nil || calls < 6 {
		t.Errorf("%+v, %v after %d calls", result, err, calls)
	}
}

// The end of the time tells what kept AWS from answering.
func TestAnOutageThatStays(t *testing.T) {
	ctx, stop := context.WithTimeoutCause(t.Context(), 5*time.Millisecond, errors.New("not done after 5ms"))
	defer stop()
	err := until(ctx, time.Millisecond, func() (bool, error) { return false, throttled })
	if err == nil || !strings.HasPrefix(err.Error(), "not done after 5ms; the last answer was: ") || !strings.Contains(err.Error(), "rate exceeded") {
		t.Errorf("got %v", err)
	}
}

// RDS may have made the instance of which the answer was lost; what another run is making stays.
func TestALostAnswer(t *testing.T) {
	somebodys := []types.Tag{{Key: aws.String(config.RestoredTag), Value: aws.String("dev")}, {Key: aws.String(runTag), Value: aws.String("another")}}
	for name, c := range map[string]struct {
		change  func(*Restore, *fake, context.CancelFunc)
		removed bool
	}{
		"throttled":   {func(_ *Restore, f *fake, _ context.CancelFunc) { f.lost = throttled }, true},
		"asked twice": {func(_ *Restore, f *fake, _ context.CancelFunc) { f.lost = &types.DBInstanceAlreadyExistsFault{} }, true},
		"shown later": {func(_ *Restore, f *fake, _ context.CancelFunc) { f.lost, f.hidden = throttled, 3 }, true},
		"interrupted": {func(_ *Restore, f *fake, stop context.CancelFunc) { f.lost, f.hidden = context.Canceled, 3; stop() }, true},
		"refused":     {func(_ *Restore, f *fake, _ context.CancelFunc) { f.fails["rewind"] = errors.New("denied") }, false},
		"another run is quicker": {func(r *Restore, f *fake, _ context.CancelFunc) {
			r.Say = func(string, ...any) { _ = f.make("dev-orders-restored", somebodys) }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := world()
			r := of(f)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			p, err := r.Plan(ctx)
			if err != nil {
				t.Fatal(err)
			}
			c.change(r, f, stop)
			result, err := r.Run(ctx, p)
			if err == nil || result.Removed != c.removed || f.called("delete") != c.removed {
				t.Errorf("removed %v, %v, calls %v", result.Removed, err, f.calls)
			}
			if there := f.instances["dev-orders-restored"] != nil; there != (name == "another run is quicker") {
				t.Errorf("it is there: %v", there)
			}
		})
	}
}

// What was proven is kept as a snapshot, and what was not is not.
func TestKeep(t *testing.T) {
	for rows, kept := range map[int64]string{3: "dev-orders-of-20261130-050000", 0: ""} {
		f := world()
		r := of(f)
		r.Keep, r.Snapshots = true, true
		r.Look = func(context.Context, Login) ([]Table, error) { return []Table{{"orders", rows}}, nil }
		p, err := r.Plan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		result, err := r.Run(t.Context(), p)
		if err != nil || result.Kept != kept || f.called("snapshot") != (kept != "") || !result.Removed {
			t.Errorf("%d rows: kept %q, %v, calls %v", rows, result.Kept, err, f.calls)
		}
	}
}

func TestDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		restored, now []Table
		says          string
	}{
		"rows":                   {[]Table{{"a", 1}}, nil, ""},
		"fewer rows":             {[]Table{{"a", 1}}, []Table{{"a", 9}}, ""},
		"no tables":              {nil, nil, "no table of the backup has a row"},
		"no rows":                {[]Table{{"a", 0}}, []Table{{"a", 0}}, "no table of the backup has a row"},
		"a table is missing":     {[]Table{{"a", 1}}, []Table{{"a", 1}, {"b", 1}}, "no row of b"},
		"a table is empty":       {[]Table{{"a", 1}, {"b", 0}}, []Table{{"a", 1}, {"b", 2}}, "no row of b"},
		"a new table is empty":   {[]Table{{"a", 1}}, []Table{{"a", 1}, {"b", 0}}, ""},
		"a table was taken away": {[]Table{{"a", 1}, {"b", 1}}, []Table{{"a", 1}}, ""},
	} {
		err := Result{Tables: rows(c.restored, c.now)}.Doubt()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}
