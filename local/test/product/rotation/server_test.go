package rotation

import (
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/database/postgres"
	"k8s-plus-aws-gitops/local/internal/freeport"
)

// server is a database server with its administrator, who has the rights of rdsadmin.
type server struct {
	engine string
	port   int
	trust  []byte // its authority, in PEM
	admin  *sql.DB
	// password of the administrator, database.AdminUser.
	password string
}

// instance are the statements that give an instance its database, and its administrator the rights of RDS.
func (s server) instance(master login) []string {
	if s.engine == "postgres" {
		return []string{
			fmt.Sprintf("CREATE ROLE %s LOGIN CREATEROLE CREATEDB PASSWORD '%s'", master.Username, master.Password),
			fmt.Sprintf("CREATE DATABASE %s OWNER %s", master.DBName, master.Username),
		}
	}
	return []string{
		"CREATE DATABASE " + master.DBName,
		fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY '%s' REQUIRE SSL", master.Username, master.Password),
		fmt.Sprintf("GRANT ALL PRIVILEGES ON %s.* TO '%s'@'%%' WITH GRANT OPTION", master.DBName, master.Username),
		fmt.Sprintf("GRANT CREATE USER ON *.* TO '%s'@'%%'", master.Username),
	}
}

// each runs a test on a server of each engine.
func each(t *testing.T, test func(*testing.T, server)) {
	t.Helper()
	t.Run("mysql", func(t *testing.T) { test(t, mariaDB(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, postgreSQL(t)) })
}

// authority makes a certificate of a new authority.
func authority(t *testing.T) (trust []byte, cert, key string) {
	t.Helper()
	made, err := ca.Ensure(filepath.Join(t.TempDir(), "ca"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if cert, key, err = made.Issue("database", "127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if trust, err = os.ReadFile(made.CertFile()); err != nil {
		t.Fatal(err)
	}
	return trust, cert, key
}

// foreign is an authority that signed no server's certificate.
func foreign(t *testing.T) []byte {
	t.Helper()
	trust, _, _ := authority(t)
	return trust
}

// run runs a server until the test ends, as the supervisor does: again when it ends.
func run(t *testing.T, prepared *exec.Cmd) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			c := exec.CommandContext(ctx, prepared.Args[0], prepared.Args[1:]...)
			c.Dir = prepared.Dir
			if err := c.Run(); ctx.Err() == nil {
				t.Logf("%s ended: %v", filepath.Base(prepared.Args[0]), err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
}

// answers waits until the administrator may sign in.
func answers(t *testing.T, db *sql.DB) {
	t.Helper()
	t.Cleanup(func() { _ = db.Close() })
	var err error
	for range 1200 {
		if err = db.PingContext(t.Context()); err == nil {
			return
		}
		time.Sleep(250 * time.Millisecond)
	}
	t.Fatal(err)
}

func mariaDB(t *testing.T) server {
	t.Helper()
	if err := database.Installed(); err != nil {
		t.Skip(err)
	}
	s := server{engine: "mysql", port: freeport.Port(t)}
	trust, cert, key := authority(t)
	dir := filepath.Join(t.TempDir(), "data")
	command, err := database.Prepare(t.Context(), dir, s.port, database.TLS{Cert: cert, Key: key, Required: true})
	if err != nil {
		t.Fatal(err)
	}
	run(t, command)
	password, err := database.AdminPassword(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd = "tcp", net.JoinHostPort("127.0.0.1", fmt.Sprint(s.port)), database.AdminUser, password
	c.TLS = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // the administrator of this test, on loopback
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	s.trust, s.admin, s.password = trust, sql.OpenDB(connector), password
	answers(t, s.admin)
	return s
}

func postgreSQL(t *testing.T) server {
	t.Helper()
	bin, err := postgres.Install(t.Context(), t.Output())
	if err != nil {
		t.Skip(err)
	}
	s := server{engine: "postgres", port: freeport.Port(t)}
	trust, cert, key := authority(t)
	dir := filepath.Join(t.TempDir(), "data")
	command, err := postgres.Prepare(t.Context(), bin, dir, s.port, database.TLS{Cert: cert, Key: key, Required: true})
	if err != nil {
		t.Fatal(err)
	}
	run(t, command)
	password, err := database.AdminPassword(dir)
	if err != nil {
		t.Fatal(err)
	}
	address := url.URL{Scheme: "postgres", Host: net.JoinHostPort("127.0.0.1", fmt.Sprint(s.port)), Path: "/postgres", User: url.UserPassword(database.AdminUser, password), RawQuery: "sslmode=require"}
	if s.admin, err = sql.Open("postgres", address.String()); err != nil {
		t.Fatal(err)
	}
	s.trust = trust
	answers(t, s.admin)
	return s
}
