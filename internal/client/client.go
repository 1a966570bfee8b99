// Package client runs the programs by which people speak with a database or a cache: mysql or mariadb, psql, valkey-cli or
// redis-cli. Passwords reach them by the environment or by a file that only the user can read, never by the command line,
// which every user of the machine can see.
package client

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// The kinds of servers.
const (
	MySQL    = "mysql"
	Postgres = "postgres"
	Cache    = "cache"
)

// Target is a server, as the pods of a service know it.
type Target struct {
	Kind string
	// Host and Port are what the server is known by, Host also in its certificate.
	Host string
	Port int
	// Through is a port of 127.0.0.1 that leads to the server; 0: it is reached by Host and Port.
	Through int
	// User and Database are empty for a cache.
	User, Password, Database string
	// CA are the authorities of the server's certificate, as PEM; empty: those of the system.
	CA []byte
}

// programs are the clients by kind, the better one first, and the package that brings one.
var programs = map[string]struct {
	names []string
	brew  string
	apt   string
}{
	MySQL:    {[]string{"mysql", "mariadb"}, "mysql-client", "mariadb-client"},
	Postgres: {[]string{"psql"}, "libpq", "postgresql-client"},
	Cache:    {[]string{"valkey-cli", "redis-cli"}, "valkey", "redis-tools"},
}

// Find is the path of the client for a kind of server.
func Find(kind string) (string, error) {
	of := programs[kind]
	for _, name := range of.names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	remedy := "sudo apt-get install -y " + of.apt
	if runtime.GOOS == "darwin" {
		remedy = "brew install " + of.brew
	}
	return "", fmt.Errorf("there is no %s on PATH; install it, for example with: %s", strings.Join(of.names, " and no "), remedy)
}

// Session is a client that is about to run.
type Session struct {
	Args []string // the program and its arguments
	Env  []string // what it needs beside the caller's environment, with the password where that goes there
	dir  string
	// stops: the first error ends the client. Those of MySQL and of caches do it by themselves where nobody types.
	stops bool
}

// New prepares a session, with the files that it needs until Close. words are a statement for the server, or the words of a
// command for a cache; none: the client reads them from its input, which a script ends at its first error.
func New(path string, t Target, words []string, script bool) (*Session, error) {
	dir, err := os.MkdirTemp("", "gitops-connect-") // of mode 0700
	if err != nil {
		return nil, err
	}
	s := &Session{Args: []string{path}, dir: dir, stops: script || len(words) > 0}
	ca := ""
	if len(t.CA) > 0 {
		ca = filepath.Join(dir, "ca.pem")
		err = os.WriteFile(ca, t.CA, 0o600)
	}
	if err == nil {
		err = map[string]func(Target, string, []string) error{MySQL: s.mysql, Postgres: s.postgres, Cache: s.cache}[t.Kind](t, ca, words)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes the files.
func (s *Session) Close() error { return os.RemoveAll(s.dir) }

// address is where the client connects.
func (t Target) address() (string, string) {
	if t.Through != 0 {
		return "127.0.0.1", strconv.Itoa(t.Through)
	}
	return t.Host, strconv.Itoa(t.Port)
}

// postgres: https://www.postgresql.org/docs/17/libpq-envars.html
func (s *Session) postgres(t Target, ca string, words []string) error {
	host, port := t.address()
	s.Env = []string{"PGHOST=" + t.Host, "PGPORT=" + port, "PGUSER=" + t.User, "PGPASSWORD=" + t.Password, "PGDATABASE=" + t.Database, "PGSSLMODE=require"}
	if host != t.Host {
		s.Env = append(s.Env, "PGHOSTADDR="+host) // the certificate is that of PGHOST all the same
	}
	if ca != "" {
		s.Env = append(s.Env, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+ca)
	}
	if s.stops {
		s.Args = append(s.Args, "-v", "ON_ERROR_STOP=1")
	}
	if len(words) > 0 {
		s.Args = append(s.Args, "-c", strings.Join(words, " "))
	}
	return nil
}

// mysql: https://dev.mysql.com/doc/refman/8.4/en/option-files.html. MariaDB's client reads the same file, and each of the two
// passes over the other's options that begin with loose.
func (s *Session) mysql(t Target, ca string, words []string) error {
	host, port := t.address()
	lines := []string{"[client]", "host=" + host, "port=" + port, "protocol=tcp", "user=" + t.User}
	if strings.ContainsAny(t.Password, "\"\r\n") {
		return errors.New("the password has a quote or a line end, which the client's option file cannot hold")
	}
	lines = append(lines, `password="`+strings.ReplaceAll(t.Password, `\`, `\\`)+`"`)
	switch {
	case ca == "":
		lines = append(lines, "loose-ssl-mode=REQUIRED", "loose-ssl")
	case t.Through != 0: // the certificate is of another name than the tunnel's end, and MariaDB's client checks both or neither
		lines = append(lines, "ssl-ca="+ca, "loose-ssl-mode=VERIFY_CA", "loose-ssl", "loose-skip-ssl-verify-server-cert")
	default:
		lines = append(lines, "ssl-ca="+ca, "loose-ssl-mode=VERIFY_IDENTITY", "loose-ssl-verify-server-cert")
	}
	file := filepath.Join(s.dir, "my.cnf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		return err
	}
	s.Args = append(s.Args, "--defaults-extra-file="+file) // must be the first
	if len(words) > 0 {
		s.Args = append(s.Args, "-e", strings.Join(words, " "))
	}
	s.Args = append(s.Args, t.Database)
	return nil
}

// cache: https://valkey.io/topics/cli/
func (s *Session) cache(t Target, ca string, words []string) error {
	host, port := t.address()
	s.Env = []string{"REDISCLI_AUTH=" + t.Password, "VALKEYCLI_AUTH=" + t.Password}
	s.Args = append(s.Args, "-h", host, "-p", port, "--tls")
	if host != t.Host {
		s.Args = append(s.Args, "--sni", t.Host)
	}
	if ca != "" {
		s.Args = append(s.Args, "--cacert", ca)
	}
	if len(words) > 0 {
		s.Args = append(append(s.Args, "-e"), words...) // with -e an error is an exit code
	}
	return nil
}

// Shown is the command for people, with a command that prints the password in the place of the password.
func (s *Session) Shown(password string) string {
	var words []string
	for _, e := range s.Env {
		name, value, _ := strings.Cut(e, "=")
		if slices.Contains(secret, name) {
			words = append(words, name+`="$(`+password+`)"`)
			continue
		}
		words = append(words, name+"="+quote(value))
	}
	for _, a := range s.Args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// secret are the variables that hold a password.
var secret = []string{"PGPASSWORD", "REDISCLI_AUTH", "VALKEYCLI_AUTH"}

// quote writes a word as a shell reads it.
func quote(word string) string {
	if word != "" && strings.IndexFunc(word, func(r rune) bool {
		return !strings.ContainsRune("@%+=:,./-_", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
