package resources

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

// realMariaDB is a server of the test's own, with its dumps, and its authority's certificate.
func realMariaDB(t *testing.T) (server Database, caFile string) {
	t.Helper()
	if err := database.Installed(); err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	dir, port := filepath.Join(root, "database"), freeport.Port(t)
	var c *exec.Cmd
	if c, err = database.Prepare(t.Context(), dir, port, database.TLS{Cert: cert, Key: key, Required: true}); err != nil {
		t.Fatal(err)
	}
	if err := spawn.Start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	password, err := database.AdminPassword(dir)
	if err != nil {
		t.Fatal(err)
	}
	dumps := database.Dumps{Dir: dir, Port: port}
	return Database{Host: "127.0.0.1", Port: port, AdminUser: database.AdminUser, AdminPassword: password, Dump: dumps.Dump, Load: dumps.Load, Forget: dumps.Forget}, authority.CertFile()
}

// A database that was deleted comes back from its snapshot with what was in it, for the user that it had and by a new password.
func TestBringBack(t *testing.T) {
	for _, engine := range []string{"mysql", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			s := newStack(t)
			s.services.SnapshotDir = t.TempDir()
			s.databaseNetwork()
			var open func(password string) (*sql.DB, error)
			p := s.instance("", "db.t4g.micro", Properties{"DBInstanceIdentifier": "local-" + engine, "DBName": "ordersdb", "MasterUsername": "ordersdb", "MasterUserPassword": "first"})
			if engine == "mysql" {
				s.services.Database, _ = realMariaDB(t)
				open = func(password string) (*sql.DB, error) {
					return login(s.services.Database, "ordersdb", password, "ordersdb", "skip-verify")
				}
			} else {
				server, caFile := realPostgres(t)
				s.services.Postgres = server
				p = s.postgresInstance("ordersdb", "ordersdb", "first")
				open = func(password string) (*sql.DB, error) {
					return enter(t, server.Port, "ordersdb", password, "ordersdb", "sslmode=verify-full&sslrootcert="+caFile)
				}
			}
			const kind = "AWS::RDS::DBInstance"
			typ := s.find(kind, p)
			made, err := typ.Create(t.Context(), s.request(kind, "Database"), p)
			if err != nil {
				t.Fatal(err)
			}
			run(t, open, "first", "CREATE TABLE orders (what VARCHAR(20))", "INSERT INTO orders VALUES ('a kettle')")
			last := "last-" + engine
			if _, err := s.services.rds().CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{DBInstanceIdentifier: &made.ID, DBSnapshotIdentifier: &last}); err != nil {
				t.Fatal(err)
			}
			if err := s.services.KeepSnapshot(t.Context(), made.ID, last); err != nil {
				t.Fatal(err)
			}
			run(t, open, "first", "INSERT INTO orders VALUES ('later')") // it is used as before, and the snapshot is of its time
			s.lookInto(t, engine, last)
			if got := run(t, open, "first", "SELECT COUNT(*) FROM orders"); got != "2" {
				t.Errorf("after a restore beside it there are %s rows", got)
			}
			if err := typ.Delete(t.Context(), s.request(kind, "Database"), made.ID, p); err != nil {
				t.Fatal(err)
			}
			if _, err := open("first"); err == nil {
				t.Error("the user is let in after the deletion")
			}

			back := p.without("DBName", "MasterUsername", "StorageEncrypted")
			back["MasterUserPassword"], back["DBSnapshotIdentifier"] = "second", "arn:aws:rds:eu-west-1:000000000000:snapshot:"+last
			if _, err := typ.Create(t.Context(), s.request(kind, "Database"), p.with("DBSnapshotIdentifier", last)); err == nil || !strings.Contains(err.Error(), "must be left out") {
				t.Errorf("with a user: %v", err)
			}
			if _, err := typ.Create(t.Context(), s.request(kind, "Database"), back.with("DBSnapshotIdentifier", "none")); err == nil || !strings.Contains(err.Error(), "DBSnapshotNotFound") {
				t.Errorf("of no snapshot: %v", err)
			}
			id := s.create(kind, "Database", back)
			if got := run(t, open, "second", "SELECT what FROM orders"); got != "a kettle" {
				t.Errorf("brought back: %q", got)
			}
			run(t, open, "second", "INSERT INTO orders VALUES ('after')", "ALTER TABLE orders ADD COLUMN n INT") // they are its user's
			if err := s.update(kind, "Database", back, back.with("MasterUserPassword", "third")); err != nil {
				t.Fatal(err)
			}
			if got := run(t, open, "third", "SELECT COUNT(*) FROM orders"); got != "2" {
				t.Errorf("after a change there are %s rows", got)
			}
			out, err := s.services.rds().DescribeDBInstances(t.Context(), &rds.DescribeDBInstancesInput{DBInstanceIdentifier: &id})
			if err != nil || aws.ToString(out.DBInstances[0].MasterUsername) != "ordersdb" || !aws.ToBool(out.DBInstances[0].StorageEncrypted) {
				t.Errorf("%+v, %v", out, err)
			}
			if err := s.services.ForgetSnapshot(t.Context(), last); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(s.services.SnapshotDir); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// lookInto restores a snapshot of one order beside the database that it is of, reads it as the administrator of the new instance,
// and removes it.
func (s *stack) lookInto(t *testing.T, engine, id string) {
	t.Helper()
	const instance = "local-restored"
	if err := s.services.RestoreInstance(t.Context(), instance, id); err != nil {
		t.Fatal(err)
	}
	if err := s.services.SetPassword(t.Context(), instance, "its own"); err != nil {
		t.Fatal(err)
	}
	host, port, name, restored, err := s.services.Instance(instance, engine)
	if err != nil || !restored || host != "127.0.0.1" || port == 0 {
		t.Fatal(host, port, name, restored, err)
	}
	open := func(password string) (*sql.DB, error) {
		if engine == "mysql" {
			return login(s.services.Database, name, password, name, "skip-verify")
		}
		return enter(t, port, name, password, name, "sslmode=require")
	}
	if got := run(t, open, "its own", "SELECT COUNT(*) FROM orders"); got != "1" {
		t.Errorf("restored: %s rows", got)
	}
	if err := s.services.RemoveInstance(t.Context(), instance); err != nil {
		t.Fatal(err)
	}
	if db, err := open("its own"); err == nil {
		_ = db.Close()
		t.Error("the restored database lets its administrator in after its removal")
	}
	if _, _, _, restored, err := s.services.Instance(instance, engine); restored || err != nil {
		t.Error(restored, err)
	}
	// Those that were not restored are CloudFormation's.
	if err := s.services.SetPassword(t.Context(), "local-"+engine, "another"); err != nil {
		t.Error(err)
	}
	if err := s.services.RemoveInstance(t.Context(), "local-"+engine); err != nil {
		t.Error(err)
	}
}

// with is a copy with one property more.
func (p Properties) with(key string, value any) Properties {
	more := p.without()
	more[key] = value
	return more
}

// run runs statements, and returns the first value of the last one's first row, if it has some.
func run(t *testing.T, open func(string) (*sql.DB, error), password string, statements ...string) string {
	t.Helper()
	db, err := open(password)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var value string
	for _, text := range statements {
		if strings.HasPrefix(text, "SELECT") {
			err = db.QueryRowContext(t.Context(), text).Scan(&value)
		} else {
			_, err = db.ExecContext(t.Context(), text)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", text, err))
		}
	}
	return value
}
