package resources

import (
	"database/sql"
	"encoding/json"
	"os"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"k8s-plus-aws-gitops/functions/database/rotation"
)

// The users that the function of a database makes go with the instance, and own what its snapshot brings back.
func TestUsersOfAnInstance(t *testing.T) {
	for _, engine := range []string{"mysql", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			const kind, user = "AWS::RDS::DBInstance", "ordersdb_app"
			s := newStack(t)
			s.services.SnapshotDir = t.TempDir()
			s.databaseNetwork()
			p, server, trust := s.instanceWithServer(engine)
			port := server.Port
			open := func(password string) (*sql.DB, error) {
				if engine == "mysql" {
					return login(server, user, password, "ordersdb", "skip-verify")
				}
				return enter(t, port, user, password, "ordersdb", "sslmode=require")
			}
			secret := func(name, user, password string) string {
				text, err := json.Marshal(map[string]any{"engine": engine, "host": "127.0.0.1", "port": port, "dbname": "ordersdb", "username": user, "password": password})
				if err != nil {
					t.Fatal(err)
				}
				return s.create("AWS::SecretsManager::Secret", name, Properties{"Name": "/local/" + engine + "/" + name, "SecretString": string(text)})
			}
			ensure := func(administrator, password string) {
				t.Helper()
				r := rotation.Rotator{Secrets: s.services.secrets(), Authorities: trust, Master: secret("m"+password, "ordersdb", administrator), Secret: secret("u"+password, user, password)}
				if err := r.Ensure(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			typ := s.find(kind, p)
			made, err := typ.Create(t.Context(), s.request(kind, "Database"), p)
			if err != nil {
				t.Fatal(err)
			}
			ensure("first", "one")
			run(t, open, "one", "CREATE TABLE orders (what VARCHAR(20))", "INSERT INTO orders VALUES ('a kettle')")
			if _, err := typ.Update(t.Context(), s.request(kind, "Database"), made.ID, p, p.with("MasterUserPassword", "changed")); err != nil {
				t.Fatal(err)
			}
			run(t, open, "one", "INSERT INTO orders VALUES ('a cup')") // the administrator's password is nothing to the user

			last := "users-" + engine
			if _, err := s.services.rds().CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{DBInstanceIdentifier: &made.ID, DBSnapshotIdentifier: aws.String(last)}); err != nil {
				t.Fatal(err)
			}
			if err := s.services.KeepSnapshot(t.Context(), made.ID, last); err != nil {
				t.Fatal(err)
			}
			if err := typ.Delete(t.Context(), s.request(kind, "Database"), made.ID, p); err != nil {
				t.Fatal(err)
			}
			if _, err := open("one"); err == nil {
				t.Error("the user is let in after the deletion")
			}

			back := p.without("DBName", "MasterUsername", "StorageEncrypted")
			back["MasterUserPassword"], back["DBSnapshotIdentifier"] = "second", last
			id := s.create(kind, "Database", back)
			ensure("second", "two")
			if got := run(t, open, "two", "INSERT INTO orders VALUES ('after')", "ALTER TABLE orders ADD COLUMN n INT", "SELECT COUNT(*) FROM orders"); got != "3" {
				t.Errorf("brought back: %s rows", got)
			}
			if err := s.services.ForgetSnapshot(t.Context(), last); err != nil {
				t.Error(err)
			}
			if err := typ.Delete(t.Context(), s.request(kind, "Database"), id, back); err != nil {
				t.Fatal(err)
			}
			if left, err := users(t, server, engine); err != nil || left != 0 {
				t.Errorf("after the deletion, and without a snapshot, there are %d users, %v", left, err)
			}
		})
	}
}

// instanceWithServer starts a server of the engine, and returns the properties of an instance, the server and the certificate of its
// authority.
func (s *stack) instanceWithServer(engine string) (Properties, Database, []byte) {
	s.t.Helper()
	var server Database
	var caFile string
	p := s.postgresInstance("ordersdb", "ordersdb", "first")
	if engine == "mysql" {
		server, caFile = realMariaDB(s.t)
		s.services.Database = server
		p = s.instance("", "db.t4g.micro", Properties{"DBInstanceIdentifier": "local-ordersdb", "DBName": "ordersdb", "MasterUsername": "ordersdb", "MasterUserPassword": "first"})
	} else {
		server, caFile = realPostgres(s.t)
		s.services.Postgres = server
	}
	trust, err := os.ReadFile(caFile)
	if err != nil {
		s.t.Fatal(err)
	}
	return p, server, trust
}

// users counts what is left of an instance's users and roles.
func users(t *testing.T, server Database, engine string) (count int, err error) {
	t.Helper()
	query := "SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'ordersdb%'"
	if engine == postgresEngine {
		query = "SELECT COUNT(*) FROM pg_roles WHERE rolname LIKE 'ordersdb%'"
		if server.AdminPassword, err = server.Start(t.Context()); err != nil {
			return 0, err
		}
	}
	db, err := server.open(engine)
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	return count, db.QueryRowContext(t.Context(), query).Scan(&count)
}
