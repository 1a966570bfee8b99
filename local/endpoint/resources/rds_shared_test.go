package resources

import (
	"database/sql"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"k8s-plus-aws-gitops/functions/database/rotation"
)

// The administrator of an instance without a database makes those of several applications, and removes them, as in RDS.
func TestSharedInstance(t *testing.T) {
	for _, engine := range []string{"mysql", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			const kind, name, user = "AWS::RDS::DBInstance", "orders1a", "orders1a_app"
			s := newStack(t)
			s.services.SnapshotDir = t.TempDir()
			s.databaseNetwork()
			p, server, trust := s.instanceWithServer(engine)
			p = p.without("DBName")
			secret := func(thing string, fields map[string]any) string {
				text, err := json.Marshal(fields)
				if err != nil {
					t.Fatal(err)
				}
				return s.create("AWS::SecretsManager::Secret", thing, Properties{"Name": "/local/" + engine + "/" + thing, "SecretString": string(text)})
			}
			typ := s.find(kind, p)
			made, err := typ.Create(t.Context(), s.request(kind, "Database"), p)
			if err != nil {
				t.Fatal(err)
			}
			r := rotation.Rotator{
				Secrets: s.services.secrets(), Authorities: trust, Shared: name,
				Master: secret("master", map[string]any{"username": "ordersdb", "password": "first"}),
				Secret: secret("user", map[string]any{"engine": engine, "host": "127.0.0.1", "port": server.Port, "dbname": name, "username": user, "password": "one"}),
			}
			if err := r.Ensure(t.Context()); err != nil {
				t.Fatal(err)
			}
			open := func(password string) (*sql.DB, error) {
				if engine == "mysql" {
					return login(server, user, password, name, "skip-verify")
				}
				return enter(t, server.Port, user, password, name, "sslmode=require")
			}
			if got := run(t, open, "one", "CREATE TABLE orders (what VARCHAR(20))", "INSERT INTO orders VALUES ('a kettle')", "SELECT COUNT(*) FROM orders"); got != "1" {
				t.Errorf("%s rows", got)
			}
			if _, err := s.services.rds().CreateDBSnapshot(t.Context(), &rds.CreateDBSnapshotInput{DBInstanceIdentifier: &made.ID, DBSnapshotIdentifier: aws.String("shared-" + engine)}); err != nil {
				t.Fatal(err)
			}
			if err := s.services.KeepSnapshot(t.Context(), made.ID, "shared-"+engine); err == nil || !strings.Contains(err.Error(), "has no snapshot here") {
				t.Errorf("a snapshot: %v, must be refused, because it would hold nothing", err)
			}
			if err := r.Remove(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			if _, err := open("one"); err == nil {
				t.Error("the user is let in after the removal")
			}
			if err := typ.Delete(t.Context(), s.request(kind, "Database"), made.ID, p); err != nil {
				t.Fatal(err)
			}
		})
	}
}
