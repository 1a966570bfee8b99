package client

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func target(kind string, change func(*Target)) Target {
	t := Target{Kind: kind, Host: "orders.rds.amazonaws.com", Port: 5432, User: "ordersdb", Password: `pa\ss#'word`, Database: "ordersdb", CA: []byte("PEM")}
	if kind == Cache {
		t.User, t.Database = "", ""
	}
	if change != nil {
		change(&t)
	}
	return t
}

func through(t *Target) { t.Through = 40001 }

// prepare makes a session, and returns what the client sees: environment, arguments and its option file.
func prepare(t *testing.T, of Target, words ...string) (*Session, string) {
	t.Helper()
	s, err := New("/usr/bin/client", of, words, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(s.dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("files are left: %v", err)
		}
	})
	seen := append(slices.Clone(s.Env), strings.Join(s.Args, " "))
	for _, name := range []string{"my.cnf", "ca.pem"} {
		file := filepath.Join(s.dir, name)
		raw, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		seen = append(seen, string(raw))
	}
	return s, strings.ReplaceAll(strings.Join(seen, "\n"), s.dir, "DIR")
}

func TestNew(t *testing.T) {
	for name, c := range map[string]struct {
		target Target
		words  []string
		has    []string
		not    []string
	}{
		"postgres": {target(Postgres, nil), nil,
			[]string{"PGHOST=orders.rds.amazonaws.com\n", "PGPORT=5432\n", "PGUSER=ordersdb\n", `PGPASSWORD=pa\ss#'word` + "\n", "PGSSLMODE=verify-full\n", "PGSSLROOTCERT=DIR/ca.pem"},
			[]string{"PGHOSTADDR", " -c", "ON_ERROR_STOP"}},
		"postgres through a tunnel": {target(Postgres, through), []string{"SELECT", "1"},
			[]string{"PGHOST=orders.rds.amazonaws.com\n", "PGHOSTADDR=127.0.0.1\n", "PGPORT=40001\n", "PGSSLMODE=verify-full\n", "-v ON_ERROR_STOP=1 -c SELECT 1"}, nil},
		"mysql": {target(MySQL, nil), []string{"SELECT 1"},
			[]string{"--defaults-extra-file=DIR/my.cnf -e SELECT 1 ordersdb", `password="pa\\ss#'word"`, "host=orders.rds.amazonaws.com\n", "loose-ssl-mode=VERIFY_IDENTITY", "loose-ssl-verify-server-cert", "ssl-ca=DIR/ca.pem"}, nil},
		"mysql through a tunnel": {target(MySQL, through), nil,
			[]string{"host=127.0.0.1\n", "port=40001\n", "loose-ssl-mode=VERIFY_CA", "loose-skip-ssl-verify-server-cert"}, []string{"loose-ssl-verify-server-cert", " -e"}},
		"cache": {target(Cache, nil), nil, []string{"-h orders.rds.amazonaws.com -p 5432 --tls --cacert DIR/ca.pem", `REDISCLI_AUTH=pa\ss#'word`}, []string{"--sni"}},
		"cache through a tunnel": {target(Cache, func(t *Target) { t.CA = nil; through(t) }), []string{"GET", "a"},
			[]string{"-h 127.0.0.1 -p 40001 --tls --sni orders.rds.amazonaws.com -e GET a"}, []string{"cacert"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, seen := prepare(t, c.target, c.words...)
			for _, want := range c.has {
				if !strings.Contains(seen, want) {
					t.Errorf("has no %q:\n%s", want, seen)
				}
			}
			for _, no := range c.not {
				if strings.Contains(seen, no) {
					t.Errorf("has %q:\n%s", no, seen)
				}
			}
			if shown := s.Shown("pass show x"); strings.Contains(shown+strings.Join(s.Args, " "), c.target.Password) || c.target.Kind != MySQL && !strings.Contains(shown, `="$(pass show x)"`) {
				t.Errorf("shown: %s", shown)
			}
		})
	}
}

func TestPasswordThatNoOptionFileHolds(t *testing.T) {
	if _, err := New("mysql", target(MySQL, func(t *Target) { t.Password = "a\"b" }), nil, false); err == nil || !strings.Contains(err.Error(), "option file") {
		t.Error(err)
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if _, err := Find(MySQL); err == nil || !strings.Contains(err.Error(), "no mysql and no mariadb on PATH") {
		t.Error(err)
	}
	file := filepath.Join(dir, "redis-cli")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if path, err := Find(Cache); err != nil || path != file {
		t.Error(path, err)
	}
}

func TestQuote(t *testing.T) {
	for word, want := range map[string]string{"a-b=/c": "a-b=/c", "it's": `'it'\''s'`, "": "''", "a b": "'a b'"} {
		if got := quote(word); got != want {
			t.Errorf("quote(%q) = %s, want %s", word, got, want)
		}
	}
}
