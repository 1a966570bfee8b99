package rotation

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"k8s-plus-aws-gitops/functions/database/rotation"
)

// shared is an instance without a database, as services share one, and its administrator's secret.
func (s server) shared(t *testing.T, client *secretsmanager.Client) (world, login) {
	t.Helper()
	master := login{Engine: s.engine, Host: "127.0.0.1", Port: s.port, Username: "sharedadmin", Password: "first"}
	statements := []string{
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s' REQUIRE SSL", master.Username, master.Password),
		fmt.Sprintf("GRANT ALL PRIVILEGES ON *.* TO '%s'@'%%' WITH GRANT OPTION", master.Username),
	}
	if s.engine == "postgres" {
		statements = []string{
			fmt.Sprintf("CREATE ROLE %s LOGIN CREATEROLE CREATEDB PASSWORD '%s'", master.Username, master.Password),
			"GRANT pg_signal_backend TO " + master.Username,
			// As in RDS.
			"ALTER DATABASE postgres OWNER TO " + master.Username, "ALTER DATABASE template1 OWNER TO " + master.Username,
		}
	}
	for _, statement := range statements {
		if _, err := s.admin.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	w := world{t: t, client: client, trust: s.trust}
	w.Rotator = &rotation.Rotator{Secrets: client, Authorities: s.trust, Master: w.secret("/test/"+s.engine+"/shared/database", master)}
	return w, master
}

// joins gives an application its database on the shared instance, as CloudFormation does. Its secret names another one, as an
// attachment may write it.
func (w world) joins(master login, name string) *world {
	w.t.Helper()
	user := master
	user.DBName, user.Username, user.Password = "postgres", name+"_app", "generated"
	of := w
	of.Rotator = &rotation.Rotator{Secrets: w.client, Authorities: w.trust, Master: w.Master, Shared: name, Announce: func(context.Context, string) error { return nil }}
	of.Secret = w.secret("/test/"+master.Engine+"/"+name+"/database-user", user)
	for range 2 { // it may be repeated
		if err := of.Ensure(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	if now := of.current(); now.DBName != name {
		w.t.Errorf("the secret names the database %s, want %s", now.DBName, name)
	}
	return &of
}

// elsewhere tries a login at another database.
func (w *world) elsewhere(l login, database string) {
	w.t.Helper()
	l.DBName = database
	if err := w.do(l, "SELECT 1"); err == nil {
		w.t.Errorf("%s is let into %s", l.Username, database)
	}
}

// Each application reaches its own database on a shared instance, with either user, and no other's; one that goes takes nothing of
// the others' with it.
func TestShared(t *testing.T) {
	client := newClient(t)
	each(t, func(t *testing.T, s server) {
		instance, master := s.shared(t, client)
		orders, ledger := instance.joins(master, "orders1a"), instance.joins(master, "ledger2b")
		apart := func() {
			t.Helper()
			orders.elsewhere(orders.current(), "ledger2b")
			ledger.elsewhere(ledger.current(), "orders1a")
			if s.engine == "postgres" {
				orders.elsewhere(orders.current(), "postgres")
				orders.elsewhere(orders.current(), "template1")
			} else if err := orders.do(orders.current(), "INSERT INTO ledger2b.posts VALUES (1)"); err == nil {
				t.Error("orders may write into the table of ledger")
			}
		}
		for _, w := range []*world{orders, ledger} {
			if err := w.do(w.current(), "CREATE TABLE posts (id INT)"); err != nil {
				t.Fatal(err)
			}
		}
		apart()
		first := orders.current()
		for range 2 {
			before := orders.current()
			if err := orders.rotate(orders.next()); err != nil {
				t.Fatal(err)
			}
			orders.works("the new password", orders.current())
			orders.works("the former password", before)
			if err := orders.do(orders.current(), "ALTER TABLE posts ADD COLUMN "+before.Username+" INT DEFAULT 0"); err != nil {
				t.Errorf("the table of the other user: %v", err)
			}
			if err := orders.do(orders.current(), "ALTER TABLE posts DROP COLUMN "+before.Username); err != nil {
				t.Error(err)
			}
			apart()
		}
		orders.refused("the first password", first)

		last := orders.current()
		for range 2 {
			if err := orders.Remove(t.Context(), false); err != nil {
				t.Fatal(err)
			}
		}
		if err := orders.do(last, "SELECT 1"); err == nil {
			t.Error("a user that was locked out is let in")
		}
		if err := orders.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
		orders.works("brought back, with its data", orders.current())

		for range 2 {
			if err := orders.Remove(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		ledger.works("the other's database", ledger.current())
		if left := s.left(t, "orders1a"); left > 0 {
			t.Errorf("%d databases and users of orders are left", left)
		}
	})
}

// left counts the databases, users and roles of an application.
func (s server) left(t *testing.T, name string) (count int) {
	t.Helper()
	query := "SELECT (SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = ?) + (SELECT COUNT(*) FROM mysql.global_priv WHERE User LIKE CONCAT(?, '%'))"
	if s.engine == "postgres" {
		query = "SELECT (SELECT COUNT(*) FROM pg_database WHERE datname = $1::text) + (SELECT COUNT(*) FROM pg_roles WHERE rolname LIKE $2::text || '%')"
	}
	if err := s.admin.QueryRowContext(t.Context(), query, name, name).Scan(&count); err != nil {
		t.Fatal(err)
	}
	return count
}
