// Package valkey runs a server of Valkey, or of Redis where the system has that alone, as a process of the present user, on
// loopback: it stands in for the node behind the endpoint of one replication group of ElastiCache. Each group has a server of
// its own, as on AWS, so that no password opens another's data.
package valkey

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/internal/debian"
)

// programs are the names that the server has, the better one first. Debian's packages with the tools hold the server under the
// name of its checker, which is the same program, without a service that would take port 6379:
// https://github.com/valkey-io/valkey/blob/9.0/src/server.c (main).
var programs = []struct{ file, name string }{
	{"valkey-server", "valkey-server"}, {"valkey-check-rdb", "valkey-server"},
	{"redis-server", "redis-server"}, {"redis-check-rdb", "redis-server"},
}

// directories are where packages put the server beside PATH: Debian, Fedora and Homebrew.
var directories = []string{"/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"}

// packages are Debian's, the better one first: older releases have no Valkey.
var packages = []string{"valkey-tools", "redis-tools"}

// find is the path of the server, and the name under which it is one.
func find() (path, name string, err error) {
	for _, p := range programs {
		if path, err := exec.LookPath(p.file); err == nil {
			return path, p.name, nil
		}
		for _, dir := range directories {
			path := filepath.Join(dir, p.file)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return path, p.name, nil
			}
		}
	}
	return "", "", fmt.Errorf("valkey-server is not on PATH nor in %s: %s", strings.Join(directories, ", "), remedy())
}

// remedy is the command that installs the server on this system.
func remedy() string {
	switch {
	case runtime.GOOS == "darwin":
		return "run brew install valkey"
	case debian.Here():
		return "run sudo apt-get install -y valkey-tools, or redis-tools where the release has no Valkey"
	}
	return "install Valkey, or Redis 7, from the system's packages"
}

// Installed tells whether the server is there, and what to do when it is not.
func Installed() error {
	_, _, err := find()
	return err
}

// Install makes sure that the server is there. As root on Debian and its relatives it installs it with apt-get, whose output
// goes to out; everywhere else the error names the command to run.
func Install(ctx context.Context, out io.Writer) error {
	err := Installed()
	if err == nil || os.Geteuid() != 0 || !debian.Here() {
		return err
	}
	if err := debian.InstallOne(ctx, out, packages...); err != nil {
		return fmt.Errorf("cache: %w", err)
	}
	return Installed()
}

// Made reports whether there is a cache in dir.
func Made(dir string) bool {
	_, err := os.Stat(configFile(dir))
	return err == nil
}

func configFile(dir string) string { return filepath.Join(dir, "server.conf") }

// Prepare writes what the server in dir runs with, and returns the command that runs it in the foreground on 127.0.0.1:port;
// its log is its stdout. Connections need TLS and the password, of which only a hash is on disk. What it holds is in memory
// alone: it starts empty, as a node of ElastiCache that was replaced.
func Prepare(dir string, port int, password string, tls database.TLS) (*exec.Cmd, error) {
	dir, err := database.Check(dir, port, tls)
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if len(password) < 16 || len(password) > 128 {
		return nil, errors.New("cache: the password must have 16 to 128 characters, as ElastiCache asks")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	if err := atomicfile.Write(configFile(dir), []byte(settings(dir, port, password, tls)), 0o600); err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	return Command(dir)
}

// Command is that of a cache which Prepare made.
func Command(dir string) (*exec.Cmd, error) {
	path, name, err := find()
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	// The program tells by its name what it is to be.
	server := filepath.Join(dir, name)
	if target, err := os.Readlink(server); err != nil || target != path {
		if err := os.RemoveAll(server); err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
		if err := os.Symlink(path, server); err != nil {
			return nil, fmt.Errorf("cache: %w", err)
		}
	}
	c := exec.Command(server, configFile(dir)) //nolint:gosec // a program of the system
	c.Dir = dir
	return c, nil
}

// Port is where the server of a cache listens.
func Port(dir string) (int, error) {
	raw, err := os.ReadFile(configFile(dir))
	if err != nil {
		return 0, fmt.Errorf("cache: %w", err)
	}
	for line := range strings.Lines(string(raw)) {
		if port, ok := strings.CutPrefix(line, "tls-port "); ok {
			return strconv.Atoi(strings.TrimSpace(port))
		}
	}
	return 0, fmt.Errorf("cache: %s names no port", configFile(dir))
}

// Digest changes when what the server of a cache runs with did.
func Digest(dir string) (string, error) {
	raw, err := os.ReadFile(configFile(dir))
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:]), err
}

// restricted are the commands that ElastiCache takes from its users, of those that both servers know:
// https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html (restricted commands).
var restricted = []string{
	"acl|setuser", "acl|deluser", "acl|load", "acl|save", "bgrewriteaof", "bgsave", "cluster", "config", "debug", "failover", "migrate", "module",
	"psync", "replicaof", "save", "shutdown", "slaveof", "sync",
}

// settings are all that differ from the server's defaults.
func settings(dir string, port int, password string, tls database.TLS) string {
	hash := sha256.Sum256([]byte(password))
	lines := []string{
		"bind 127.0.0.1", "port 0", "tls-port " + strconv.Itoa(port),
		"tls-cert-file " + quote(tls.Cert), "tls-key-file " + quote(tls.Key), "tls-ca-cert-file " + quote(tls.CA), "tls-auth-clients no",
		"user default on #" + hex.EncodeToString(hash[:]) + " ~* &* +@all -" + strings.Join(restricted, " -"),
		"dir " + quote(dir), `save ""`, "appendonly no",
		// ElastiCache's default, in the memory that a test needs.
		"maxmemory 64mb", "maxmemory-policy volatile-lru",
		"daemonize no", `logfile ""`,
	}
	return strings.Join(lines, "\n") + "\n"
}

// quote writes a path as the configuration file reads it.
func quote(path string) string { return strconv.Quote(path) }
