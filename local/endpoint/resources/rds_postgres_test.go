package resources

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/postgres"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

// realPostgres is a PostgreSQL of the test's own, which runs once it is asked for, and its authority's certificate.
func realPostgres(t *testing.T) (server Database, caFile string) {
	t.Helper()
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	dir, port, started := filepath.Join(root, "postgres"), freeport.Port(t), false
	return Database{Host: "127.0.0.1", Port: port, AdminUser: database.AdminUser, Start: func(ctx context.Context) (string, error) {
		if !started {
			bin, err := postgres.Install(ctx, os.Stderr)
			if err != nil {
				return "", err
			}
			c, err := postgres.Prepare(ctx, bin, dir, port, database.TLS{Cert: cert, Key: key})
			if err != nil {
				return "", err
			}
			if err := spawn.Start(c); err != nil {
				return "", err
			}
			t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
			started = true
		}
		return database.AdminPassword(dir)
	}}, authority.CertFile()
}

// enter opens a database by an address as DATABASE_URL of a service has it.
func enter(t *testing.T, port int, user, password, name, query string) (*sql.DB, error) {
	t.Helper()
	address := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/" + name, RawQuery: query}
	db, err := sql.Open("postgres", address.String())
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, db.PingContext(t.Context())
}

func (s *stack) postgresInstance(id, user, password string) Properties {
	return s.instance(id, "db.t4g.micro", Properties{
		"DBInstanceIdentifier": "local-" + id, "Engine": "postgres", "EngineVersion": "17.9", "DBName": id, "MasterUsername": user, "MasterUserPassword": password,
		"EnableCloudwatchLogsExports": []any{"postgresql"},
	})
}

func TestPostgresInstanceIsADatabaseThatAnswers(t *testing.T) {
	s := newStack(t)
	server, caFile := realPostgres(t)
	s.services.Postgres = server
	s.databaseNetwork()
	group := Properties{"Family": "postgres17", "Description": "d", "Parameters": map[string]any{"rds.force_ssl": "1", "log_min_duration_statement": "2000"}}
	s.create("AWS::RDS::DBParameterGroup", "Parameters", group)
	secret := s.create("AWS::SecretsManager::Secret", "Secret", Properties{"Name": "/local/orders/database", "SecretString": `{"username":"ordersdb","password":"pass'word\\1"}`})
	old := s.postgresInstance("ordersdb", "ordersdb", `pass'word\1`)
	id := s.create("AWS::RDS::DBInstance", "Database", old)
	s.create("AWS::SecretsManager::SecretTargetAttachment", "Attachment", Properties{"SecretId": secret, "TargetId": id, "TargetType": "AWS::RDS::DBInstance"})
	fields := s.connection(secret)
	if fields.Engine != "postgres" || fields.Port != server.Port || fields.DBName != "ordersdb" || fields.Host != s.att("Database", "Endpoint.Address") {
		t.Errorf("secret: %+v", fields)
	}
	verify := "sslmode=verify-full&sslrootcert=" + caFile
	db, err := enter(t, server.Port, fields.Username, fields.Password, fields.DBName, verify)
	if err != nil {
		t.Fatalf("login with the secret: %v", err)
	}
	if _, err := db.ExecContext(t.Context(), "CREATE TABLE t (a INT)"); err != nil {
		t.Error(err)
	}

	// A second instance is a server of its own: its user is not let into the first one's database.
	other := s.postgresInstance("billingdb", "billingdb", "other")
	second := s.create("AWS::RDS::DBInstance", "Second", other)
	if _, err := enter(t, server.Port, "billingdb", "other", "billingdb", verify); err != nil {
		t.Error(err)
	}
	if _, err := enter(t, server.Port, "billingdb", "other", "ordersdb", verify); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Errorf("another instance's user: %v", err)
	}

	s.forceTLS(server.Port, group)
	s.changesPassword(server.Port, old, verify)

	// The connection that is open does not keep the database.
	typ, _ := Lookup("AWS::RDS::DBInstance")
	if err := typ.Delete(t.Context(), s.request("AWS::RDS::DBInstance", "Database"), id, old); err != nil {
		t.Fatal(err)
	}
	if _, err := enter(t, server.Port, "ordersdb", "changed", "ordersdb", verify); err == nil {
		t.Error("the user is there after the deletion")
	}
	if _, err := enter(t, server.Port, "billingdb", "other", "billingdb", verify); err != nil {
		t.Errorf("the other instance: %v", err)
	}
	if err := typ.Delete(t.Context(), s.request("AWS::RDS::DBInstance", "Second"), second, other); err != nil {
		t.Error(err)
	}
}

// forceTLS switches rds.force_ssl off and on.
func (s *stack) forceTLS(port int, on Properties) {
	s.t.Helper()
	plain := func() error {
		_, err := enter(s.t, port, "billingdb", "other", "billingdb", "sslmode=disable")
		return err
	}
	if err := plain(); err == nil || !strings.Contains(err.Error(), "no encryption") {
		s.t.Errorf("without TLS: %v", err)
	}
	off := Properties{"Family": "postgres17", "Description": "d", "Parameters": map[string]any{"rds.force_ssl": "0"}}
	if err := s.update("AWS::RDS::DBParameterGroup", "Parameters", on, off); err != nil {
		s.t.Fatal(err)
	}
	if err := plain(); err != nil {
		s.t.Errorf("without TLS, where it is not forced: %v", err)
	}
	if err := s.update("AWS::RDS::DBParameterGroup", "Parameters", off, on); err != nil {
		s.t.Fatal(err)
	}
	if err := plain(); err == nil {
		s.t.Error("without TLS, where it is forced again")
	}
}

func (s *stack) changesPassword(port int, old Properties, verify string) {
	s.t.Helper()
	updated := Properties{}
	for k, v := range old {
		updated[k] = v
	}
	updated["MasterUserPassword"] = "changed"
	if err := s.update("AWS::RDS::DBInstance", "Database", old, updated); err != nil {
		s.t.Fatal(err)
	}
	if _, err := enter(s.t, port, "ordersdb", "changed", "ordersdb", verify); err != nil {
		s.t.Errorf("login with the changed password: %v", err)
	}
}

// Nothing is made of an instance whose server cannot start, so that a rollback has nothing to remove.
func TestPostgresThatCannotStart(t *testing.T) {
	s := newStack(t)
	s.services.Postgres = Database{Host: "127.0.0.1", Port: 1, Start: func(context.Context) (string, error) { return "", fmt.Errorf("no room at %s", time.Now()) }}
	s.databaseNetwork()
	typ, _ := Lookup("AWS::RDS::DBInstance")
	result, err := typ.Create(t.Context(), s.request("AWS::RDS::DBInstance", "Database"), s.postgresInstance("ordersdb", "u", "p"))
	if err == nil || !strings.Contains(err.Error(), "no room") || result.ID != "" {
		t.Errorf("%+v, %v", result, err)
	}
}
