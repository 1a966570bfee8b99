package data

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/config"
	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// server is a database server with an application's database, which has one row.
func server(t *testing.T) (Filler, *sql.DB) {
	t.Helper()
	if err := database.Installed(); err != nil {
		t.Skip(err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	certs := database.TLS{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Required: true}
	if _, err := ca.Ensure(dir); err != nil {
		t.Fatal(err)
	}
	f := Filler{Repo: t.TempDir(), Server: database.Dumps{Dir: filepath.Join(dir, "database"), Port: freeport.Port(t)}}
	c, err := database.Prepare(t.Context(), f.Server.Dir, f.Server.Port, certs)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := database.Wait(ctx, f.Server.Port); err != nil {
		t.Fatal(err)
	}
	db, err := f.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for _, statement := range []string{
		"CREATE DATABASE my_orders", "CREATE DATABASE ghost", "CREATE TABLE ghost.posts (title VARCHAR(191))",
		"CREATE TABLE my_orders.orders (id INT AUTO_INCREMENT PRIMARY KEY, mail VARCHAR(191))", "INSERT INTO my_orders.orders (mail) VALUES ('base@example.com')",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return f, db
}

func script(t *testing.T, f Filler, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.Repo, name), []byte(text), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
}

func mails(t *testing.T, db *sql.DB) string {
	t.Helper()
	all, err := column(t.Context(), db, "SELECT mail FROM my_orders.orders ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

const dumped = "DROP TABLE IF EXISTS orders;\nCREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, mail VARCHAR(191));\n" +
	"INSERT INTO orders (mail) VALUES ('alice@example.com'), ('bob@example.com');\n"

// A database is filled, and neither a user nor a database, nor a file of it is left.
func TestFill(t *testing.T) {
	f, db := server(t)
	script(t, f, "generate", "#!/bin/sh\nset -e\ntest \"$MYSQL_DATABASE\" = my_orders\ncase $DATABASE_URL in mysql://rehearsal:?*@127.0.0.1:*/my_orders) ;; *) exit 3 ;; esac\n"+
		"for i in $(seq $1); do echo \"INSERT INTO orders (mail) VALUES ('$i@example.com');\"; done | mariadb my_orders\n")
	script(t, f, "dump.sql", dumped)
	script(t, f, "anonymize.sql", "UPDATE orders SET mail = CONCAT('user', id, '@example.com');\n")
	script(t, f, "anonymize", "#!/bin/sh\necho \"DELETE FROM orders WHERE id = 2; UPDATE orders SET mail = 'nobody'\" | mariadb $MYSQL_DATABASE\n")
	for _, c := range []struct {
		data config.RehearsalData
		rows int64
		want string
	}{
		{config.RehearsalData{Generate: []string{"./generate", "2"}}, 2, "base@example.com 1@example.com 2@example.com"},
		{config.RehearsalData{Dump: []string{"cat", "dump.sql"}, Anonymize: []string{"anonymize.sql"}}, 2, "user1@example.com user2@example.com"},
		{config.RehearsalData{Dump: []string{"cat", "dump.sql"}, Anonymize: []string{"./anonymize"}}, 1, "nobody"},
	} {
		c.data.Database = "my_orders"
		got, err := f.Fill(t.Context(), c.data)
		if err != nil {
			t.Fatal(err)
		}
		if got.Rows != c.rows || got.Bytes < 1 || mails(t, db) != c.want {
			t.Errorf("%v: got %+v, %q, want %d rows, %q", c.data, got, mails(t, db), c.rows, c.want)
		}
		clean(t, f, db)
	}
}

func clean(t *testing.T, f Filler, db *sql.DB) {
	t.Helper()
	for _, query := range []string{"SELECT User FROM mysql.global_priv WHERE User = 'rehearsal'", "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'rehearsal%'"} {
		if left, err := column(t.Context(), db, query); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	dumps, _ := filepath.Glob(filepath.Join(f.Server.Dir, "dumps", "*"))
	temporary, _ := filepath.Glob(filepath.Join(os.TempDir(), "data-*"))
	if len(dumps)+len(temporary) > 0 {
		t.Errorf("left: %v %v", dumps, temporary)
	}
}

// What fails says so in one line without the password, and the application's database is as it was.
func TestFillRefuses(t *testing.T) {
	f, db := server(t)
	script(t, f, "dump.sql", dumped)
	script(t, f, "bad.sql", "UPDATE nosuch SET mail = 1;\n")
	script(t, f, "elsewhere.sql", "USE ghost;\nDROP TABLE posts;\n")
	script(t, f, "says", "#!/bin/sh\necho \"cannot use $DATABASE_URL\" >&2\nexit 4\n")
	script(t, f, "endless", "#!/bin/sh\necho 'SELECT nosuch;'\nexec yes 'SELECT 1;'\n")
	anonymous := []string{"bad.sql"}
	for name, c := range map[string]struct {
		data config.RehearsalData
		says string
	}{
		"no database":             {config.RehearsalData{Database: "nosuch", Generate: []string{"true"}}, "it has ghost, my_orders"},
		"no program":              {config.RehearsalData{Generate: []string{"./nosuch"}}, "nosuch"},
		"a program that fails":    {config.RehearsalData{Generate: []string{"./says"}}, "exit status 4: cannot use mysql://rehearsal:…@127.0.0.1"},
		"a dump that fails":       {config.RehearsalData{Dump: []string{"./says"}, Anonymize: anonymous}, "exit status 4"},
		"an empty dump":           {config.RehearsalData{Dump: []string{"true"}, Anonymize: anonymous}, "true wrote no dump"},
		"a dump of no SQL":        {config.RehearsalData{Dump: []string{"./endless"}, Anonymize: anonymous}, "nosuch"},
		"a dump of all databases": {config.RehearsalData{Dump: []string{"cat", "elsewhere.sql"}, Anonymize: anonymous}, "Access denied"},
		"not made anonymous":      {config.RehearsalData{Dump: []string{"cat", "dump.sql"}, Anonymize: anonymous}, "nosuch"},
		"no file":                 {config.RehearsalData{Dump: []string{"cat", "dump.sql"}, Anonymize: []string{"nosuch.sql"}}, "nosuch.sql"},
	} {
		if c.data.Database == "" {
			c.data.Database = "my_orders"
		}
		_, err := f.Fill(t.Context(), c.data)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "rehearsal.data of ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
		if got := mails(t, db); got != "base@example.com" {
			t.Errorf("%s: the database has %q", name, got)
		}
		clean(t, f, db)
	}
}
