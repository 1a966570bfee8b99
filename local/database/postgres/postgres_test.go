package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

// start runs the server as the supervisor does, again when it ends, and returns its command and how to kill it, so that another one runs.
func start(t *testing.T, dir string, port int, tls database.TLS) (command []string, kill func()) {
	t.Helper()
	bin, err := Install(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := Prepare(t.Context(), bin, dir, port, tls)
	if err != nil {
		t.Fatal(err)
	}
	running, done := make(chan *exec.Cmd), make(chan struct{})
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			c := exec.Command(prepared.Args[0], prepared.Args[1:]...) //nolint:gosec // of this test
			c.Dir, c.Stdout, c.Stderr = prepared.Dir, os.Stderr, os.Stderr
			if err := spawn.Start(c); err != nil {
				t.Error(err)
				return
			}
			ended := make(chan struct{})
			go func() { _ = c.Wait(); close(ended) }()
			for alive := true; alive; {
				select {
				case running <- c:
				case <-ctx.Done():
					_ = c.Process.Kill()
					<-ended
					alive = false
				case <-ended: // processes of the one before still have its memory
					alive = false
					time.Sleep(100 * time.Millisecond)
				}
			}
		}
	}()
	t.Cleanup(func() { stop(); <-done })
	return prepared.Args, func() {
		c := <-running
		if err := c.Process.Kill(); err != nil {
			t.Error(err)
		}
		for <-running == c {
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// open connects as an application does, by the address that pods get, and waits for a server that starts.
func open(t *testing.T, user, password, name string, port int, query string) *sql.DB {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: fmt.Sprintf("127.0.0.1:%d", port), Path: "/" + name, RawQuery: query}
	db, err := sql.Open("postgres", u.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func wait(t *testing.T, db *sql.DB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestServer(t *testing.T) {
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("database", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ca.Ensure(filepath.Join(root, "other"))
	if err != nil {
		t.Fatal(err)
	}
	dir, port, tls := filepath.Join(root, "postgres"), freeport.Port(t), database.TLS{Cert: cert, Key: key}
	if Made(dir) {
		t.Error("a directory that is not there is made")
	}
	command, kill := start(t, dir, port, tls)
	password, err := database.AdminPassword(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !Made(dir) || strings.Contains(strings.Join(command, " "), password) {
		t.Errorf("made %v; or the password is on the command line: %s", Made(dir), command)
	}
	verify := "sslmode=verify-full&sslrootcert="
	db := open(t, database.AdminUser, password, "postgres", port, verify+authority.CertFile())
	wait(t, db)
	var version string
	if err := db.QueryRowContext(t.Context(), "SHOW server_version").Scan(&version); err != nil || !strings.HasPrefix(version, "17.") {
		t.Errorf("version %s, %v; RDS runs 17", version, err)
	}
	if err := open(t, database.AdminUser, password, "postgres", port, verify+other.CertFile()).PingContext(t.Context()); err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("a server of another authority: %v", err)
	}
	for _, q := range []string{
		"CREATE ROLE orders LOGIN PASSWORD 'x'", "CREATE DATABASE orders OWNER orders",
		"CREATE ROLE " + Plain, "CREATE ROLE plain LOGIN PASSWORD 'x' IN ROLE " + Plain, "CREATE DATABASE plain OWNER plain",
	} {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	for user, ok := range map[string]bool{"orders": false, "plain": true} {
		if err := open(t, user, "x", user, port, "sslmode=disable").PingContext(t.Context()); (err == nil) != ok {
			t.Errorf("%s without TLS: %v", user, err)
		}
	}
	own := open(t, "orders", "x", "orders", port, verify+authority.CertFile())
	for _, q := range []string{"CREATE EXTENSION pgcrypto", "CREATE TABLE posts (title TEXT)", "INSERT INTO posts VALUES ('ünïcödé'), ('Z'), ('a')"} {
		if _, err := own.ExecContext(t.Context(), q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}

	// kill -9, another start with the same directory: what was committed is there, in the order of a language.
	kill()
	wait(t, own)
	var first string
	if err := own.QueryRowContext(t.Context(), "SELECT string_agg(title, ' ' ORDER BY title) FROM posts").Scan(&first); err != nil || first != "a ünïcödé Z" {
		t.Errorf("after kill -9: %q, %v", first, err)
	}
}

func TestFirstError(t *testing.T) {
	for out, want := range map[string]string{
		"a\ninitdb: error: no room\nb": "initdb: error: no room", "a\nb\n": "b", "": "no output",
	} {
		if got := firstError(out); got != want {
			t.Errorf("firstError(%q) = %q, want %q", out, got, want)
		}
	}
}
