package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/internal/fixture"
)

// rdsQuery answers RDS as its query protocol has it, for Ghost's database in dev and production with one snapshot, and notes what is
// asked. What changes something is refused.
func rdsQuery(t *testing.T) *[]string {
	t.Helper()
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		action, id := r.FormValue("Action"), r.FormValue("DBInstanceIdentifier")
		asked = append(asked, strings.TrimSpace(action+" "+id))
		w.Header().Set("Content-Type", "text/xml")
		switch {
		case action == "DescribeDBInstances" && !strings.HasSuffix(id, "-restored"):
			fmt.Fprintf(w, `<DescribeDBInstancesResponse><DescribeDBInstancesResult><DBInstances><DBInstance><DBInstanceIdentifier>%s</DBInstanceIdentifier><Engine>mysql</Engine><DBInstanceClass>db.m7g.large</DBInstanceClass><DBInstanceStatus>available</DBInstanceStatus></DBInstance></DBInstances></DescribeDBInstancesResult></DescribeDBInstancesResponse>`, id)
		case action == "DescribeDBInstances":
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>DBInstanceNotFound</Code><Message>no such instance</Message></Error></ErrorResponse>`)
		case action == "DescribeDBSnapshots" && r.FormValue("SnapshotType") == "":
			fmt.Fprintf(w, `<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots><DBSnapshot><DBSnapshotIdentifier>rds:%s-1</DBSnapshotIdentifier><SnapshotCreateTime>2026-11-30T05:00:00Z</SnapshotCreateTime><Engine>mysql</Engine><Status>available</Status><SnapshotType>automated</SnapshotType></DBSnapshot></DBSnapshots></DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>`, id)
		case action == "DescribeDBSnapshots":
			fmt.Fprint(w, `<DescribeDBSnapshotsResponse><DescribeDBSnapshotsResult><DBSnapshots/></DescribeDBSnapshotsResult></DescribeDBSnapshotsResponse>`)
		default:
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>not authorized</Message></Error></ErrorResponse>`)
		}
	}))
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	return &asked
}

// A dry run says what would be taken and changes nothing; what protects its data asks for its name; and a refusal of AWS is told.
func TestRestore(t *testing.T) {
	dir := t.TempDir()
	fixture.Write(t, dir)
	t.Chdir(dir)
	asked := rdsQuery(t)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"ghost", "--env", "production", "--dry-run"}, 0, "production-ghost-restored, db.m7g.large, would be made of snapshot rds:production-ghost-1 of 2026-11-30T05:00:00Z"},
		{[]string{"ghost", "--env", "dev", "--at", "2026-11-29T00:00:00Z", "--dry-run"}, 1, "there is no backup of dev-ghost at or before 2026-11-29T00:00:00Z; the first one is of 2026-11-30T05:00:00Z"},
		{[]string{"ghost", "--env", "dev", "--into", "production"}, 1, "dev and production must be of one account:"},
		{[]string{"ghost", "--env", "dev"}, 1, "AccessDenied"},
		{[]string{"ghost", "--at", "yesterday"}, 2, "--at must be like 2026-11-30T09:30:00Z"},
		{[]string{"ghost", "--output", "yaml"}, 2, `--output "yaml": it is json`},
		{[]string{"ghost", "--at", "2026-11-30T09:30:00Z", "--snapshot", "mine"}, 2, "--at and --snapshot both choose the backup"},
		{[]string{"ghost", "--env", "staging"}, 2, `there is no environment "staging"`},
		{nil, 2, "accepts 1 arg(s)"},
	} {
		if said := gitops(t, c.code, append([]string{"restore"}, c.args...)...); !strings.Contains(said, c.says) {
			t.Errorf("%v: %s", c.args, said)
		}
	}
	var plan struct {
		Instance string
		Point    struct{ Snapshot string }
	}
	if err := json.Unmarshal([]byte(gitops(t, 0, "restore", "ghost", "--env", "dev", "--dry-run", "-o", "json")), &plan); err != nil || plan.Instance != "dev-ghost-restored" || plan.Point.Snapshot != "rds:dev-ghost-1" {
		t.Errorf("%+v, %v", plan, err)
	}
	if slices.ContainsFunc(*asked, func(a string) bool { return strings.HasPrefix(a, "Modify") || strings.HasPrefix(a, "Delete") }) {
		t.Errorf("asked %v", *asked)
	}
}

// The lines of Git are those that the environment reads.
func TestAdopt(t *testing.T) {
	env := config.Environment{Name: "production"}
	for name, want := range map[string]string{
		"orders": "k8s/services/orders.yaml:\n  environments:\n    production: {aws: {database: {snapshot: s}}}",
		"ghost":  "cdk.json, environments.production.ghost:\n  \"snapshot\": \"s\"",
	} {
		if got := adopt(env, name, "s"); !strings.Contains(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Without a service there is nothing to keep, and a snapshot that AWS refuses stops the release.
func TestSnapshot(t *testing.T) {
	dir, _, _ := fleetCheckout(t)
	gitIn(t, dir, "add", "-A")
	gitIn(t, dir, "commit", "-qm", "one")
	asked := rdsQuery(t)
	if said := gitops(t, 0, "snapshot", "production"); said != "" || len(*asked) > 0 {
		t.Errorf("%s, asked %v", said, *asked)
	}
	if said := gitops(t, 1, "snapshot", "production", "orders"); !strings.Contains(said, "snapshot production-orders-before-") || !strings.Contains(said, "AccessDenied") {
		t.Error(said)
	}
}
