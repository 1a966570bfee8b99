package database

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"database/sql"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"k8s-plus-aws-gitops/local/internal/freeport"
)

// certificate writes a self-signed certificate for 127.0.0.1.
func certificate(t *testing.T) (TLS, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out := TLS{Cert: filepath.Join(dir, "tls.crt"), Key: filepath.Join(dir, "tls.key"), Required: true}
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(out.Cert, crt, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(crt)
	return out, pool
}

// start runs the server and returns its process once it answers.
func start(t *testing.T, dir string, port int, certs TLS) *exec.Cmd {
	t.Helper()
	c, err := Prepare(t.Context(), dir, port, certs)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(t.TempDir(), "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	if err := Wait(ctx, port); err != nil {
		b, _ := os.ReadFile(log.Name())
		t.Fatalf("%v\n%s", err, b)
	}
	return c
}

func open(t *testing.T, dir string, port int, pool *x509.CertPool) *sql.DB {
	t.Helper()
	password, err := AdminPassword(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr = AdminUser, password, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if pool != nil {
		c.TLS = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12}
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(connector)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestServer(t *testing.T) {
	if err := Installed(); err != nil {
		t.Skip(err)
	}
	dir, port := filepath.Join(t.TempDir(), "database"), freeport.Port(t)
	certs, pool := certificate(t)
	server := start(t, dir, port, certs)

	for _, arg := range server.Args {
		if password, _ := AdminPassword(dir); strings.Contains(arg, password) {
			t.Errorf("the password is on the command line: %s", arg)
		}
	}
	for _, f := range []string{PasswordFile(dir), initFile(dir)} {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v, want 0600", f, info.Mode(), err)
		}
	}
	if err := open(t, dir, port, nil).PingContext(t.Context()); err == nil {
		t.Error("a connection without TLS was taken")
	}
	db := open(t, dir, port, pool)
	for _, q := range []string{
		"CREATE DATABASE ghost", "CREATE USER 'ghost'@'%' IDENTIFIED BY 'x'", "GRANT ALL ON ghost.* TO 'ghost'@'%'",
		"CREATE TABLE ghost.posts (title VARCHAR(191))", "INSERT INTO ghost.posts VALUES ('ünïcödé \U0001F47B')",
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}

	// kill -9, another start with the same directory: what was committed is there.
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	start(t, dir, port, certs)
	var title string
	if err := open(t, dir, port, pool).QueryRowContext(t.Context(), "SELECT title FROM ghost.posts").Scan(&title); err != nil || title != "ünïcödé \U0001F47B" {
		t.Errorf("after kill -9: %q, %v", title, err)
	}
	var anonymous int
	if err := open(t, dir, port, pool).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM mysql.global_priv WHERE User = ''").Scan(&anonymous); err != nil || anonymous != 0 {
		t.Errorf("%d anonymous accounts, %v", anonymous, err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	certs, _ := certificate(t)
	for name, c := range map[string]struct {
		port int
		tls  TLS
		path string
		want string
	}{
		"no port":        {0, certs, "", "port is 0"},
		"no certificate": {3306, TLS{Cert: "/nonexistent", Key: certs.Key}, "", "TLS certificate"},
		"no key":         {3306, TLS{Cert: certs.Cert, Key: "/nonexistent"}, "", "TLS key"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "database")
			if _, err := Prepare(t.Context(), dir, c.port, c.tls); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("something was written")
			}
		})
	}
}

func TestMissingServerNamesTheCommand(t *testing.T) {
	saved := directories
	directories = nil
	t.Cleanup(func() { directories = saved })
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	if err := Installed(); err == nil || !strings.Contains(err.Error(), "install") || !strings.Contains(err.Error(), "mariadb") {
		t.Errorf("Installed = %v, want the command", err)
	}
}

func TestWaitNamesTheCause(t *testing.T) {
	port := freeport.Port(t)
	// A refusal takes a moment, on a busy machine a longer one: the limit grows until there was one.
	var err error
	for limit := time.Second; limit < 5*time.Minute; limit *= 3 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		err = Wait(ctx, port)
		cancel()
		if err == nil || strings.Contains(err.Error(), "refused") {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Wait without a server: %v", err)
	}
}

func TestFirstError(t *testing.T) {
	for out, want := range map[string]string{
		"a\n2026 [ERROR] mariadbd: disk full\nb": "2026 [ERROR] mariadbd: disk full",
		"FATAL ERROR: no resolveip\n":            "FATAL ERROR: no resolveip",
		"a\nb\n\n":                               "b",
		"":                                       "no output",
	} {
		if got := firstError(out); got != want {
			t.Errorf("firstError(%q) = %q, want %q", out, got, want)
		}
	}
}
