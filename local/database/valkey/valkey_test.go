package valkey

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s-plus-aws-gitops/local/ca"
	"k8s-plus-aws-gitops/local/database"
	"k8s-plus-aws-gitops/local/internal/freeport"
	"k8s-plus-aws-gitops/local/internal/spawn"
)

const password = "0123456789abcdef"

// client is the real one, which is in the same package of the system as the server.
func client(t *testing.T, port int, caFile, password string, words ...string) (string, error) {
	t.Helper()
	name := "redis-cli"
	if path, err := exec.LookPath("valkey-cli"); err == nil {
		name = path
	}
	c := exec.CommandContext(t.Context(), name, append([]string{"-h", "127.0.0.1", "-p", strconv.Itoa(port), "--tls", "--cacert", caFile, "-e"}, words...)...) //nolint:gosec // of this test
	c.Env = append(os.Environ(), "REDISCLI_AUTH="+password)
	out, err := c.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func TestServer(t *testing.T) {
	if err := Install(t.Context(), os.Stderr); err != nil {
		t.Skip(err)
	}
	root := t.TempDir()
	authority, err := ca.Ensure(filepath.Join(root, "ca"))
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := authority.Issue("cache", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	other, err := ca.Ensure(filepath.Join(root, "other"))
	if err != nil {
		t.Fatal(err)
	}
	dir, port, tls := filepath.Join(root, "with space", "cache"), freeport.Port(t), database.TLS{Cert: cert, Key: key, CA: authority.CertFile()}
	if Made(dir) {
		t.Error("a directory that is not there is made")
	}
	c, err := Prepare(dir, port, password, tls)
	if err != nil {
		t.Fatal(err)
	}
	if err := spawn.Start(c); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	if got, err := Port(dir); err != nil || got != port || !Made(dir) {
		t.Errorf("port %d, %v, want %d", got, err, port)
	}
	holdsNoPassword(t, dir, strings.Join(c.Args, " "))

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for out, err := client(t, port, authority.CertFile(), password, "PING"); err != nil; out, err = client(t, port, authority.CertFile(), password, "PING") {
		if ctx.Err() != nil {
			t.Fatal(out, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, c := range []struct {
		says             string
		caFile, password string
		words            []string
	}{
		{"OK", authority.CertFile(), password, []string{"SET", "a", "1"}},
		{"1", authority.CertFile(), password, []string{"GET", "a"}},
		{"WRONGPASS", authority.CertFile(), "another password", []string{"GET", "a"}},
		{"NOAUTH", authority.CertFile(), "", []string{"GET", "a"}},
		{"certificate verify failed", other.CertFile(), password, []string{"GET", "a"}},
		{"NOPERM", authority.CertFile(), password, []string{"CONFIG", "GET", "dir"}},
		{"NOPERM", authority.CertFile(), password, []string{"ACL", "SETUSER", "x"}},
		{"default", authority.CertFile(), password, []string{"ACL", "WHOAMI"}},
	} {
		if out, _ := client(t, port, c.caFile, c.password, c.words...); !strings.Contains(out, c.says) {
			t.Errorf("%s: got %q, want %q", strings.Join(c.words, " "), out, c.says)
		}
	}
}

func holdsNoPassword(t *testing.T, dir, command string) {
	t.Helper()
	if strings.Contains(command, password) {
		t.Errorf("the password is on the command line: %s", command)
	}
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if strings.Contains(string(raw), password) {
			t.Errorf("%s holds the password", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tls := database.TLS{Cert: file, Key: file, CA: file}
	for name, c := range map[string]struct {
		port     int
		password string
		tls      database.TLS
		says     string
	}{
		"port":         {0, password, tls, "port is 0"},
		"short":        {6379, "short", tls, "16 to 128 characters"},
		"long":         {6379, strings.Repeat("x", 129), tls, "16 to 128 characters"},
		"certificates": {6379, password, database.TLS{}, "no such file"},
	} {
		dir := filepath.Join(t.TempDir(), name)
		if _, err := Prepare(dir, c.port, c.password, c.tls); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: something is left: %v", name, err)
		}
	}
}
