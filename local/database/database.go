package database

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// AdminUser is the administrator that [Prepare] makes, named as on RDS.
const AdminUser = "rdsadmin"

// TLS is what the server proves itself with. All paths are of PEM files.
type TLS struct {
	Cert, Key string // the certificate for 127.0.0.1 and its key; required
	CA        string // the authority's certificate; optional
	// Required refuses connections without TLS, as RDS for MySQL 8.4 does by default
	// (require_secure_transport). Off: both are taken.
	Required bool
}

// Check returns the absolute path of a server's directory, or what is wrong with what it is to run with.
func Check(dir string, port int, tls TLS) (string, error) {
	if port < 1 || port > 65535 {
		return "", fmt.Errorf("port is %d: give a port from 1 to 65535", port)
	}
	for name, file := range map[string]string{"certificate": tls.Cert, "key": tls.Key} {
		if _, err := os.Stat(file); err != nil {
			return "", fmt.Errorf("TLS %s: %w", name, err)
		}
	}
	return filepath.Abs(dir)
}

// Prepare makes the data directory below dir once and returns the command that runs the server in the
// foreground on 127.0.0.1:port; its log is its stderr. A server that was killed recovers at the next start:
// what was committed is in the log, which the operating system has.
//
// The administrator is [AdminUser] with the password in dir/admin-password, which is made at the first call
// and never part of a command line.
func Prepare(ctx context.Context, dir string, port int, tls TLS) (*exec.Cmd, error) {
	dir, err := Check(dir, port, tls)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	mariadbd, err := find("mariadbd")
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	for _, d := range []string{dir, filepath.Join(dir, "tmp")} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
	}
	if err := initialise(ctx, dir); err != nil {
		return nil, fmt.Errorf("database: make the data directory: %w", err)
	}
	password, err := EnsurePassword(dir)
	if err != nil {
		return nil, fmt.Errorf("database: password of %s: %w", AdminUser, err)
	}
	if err := os.WriteFile(initFile(dir), []byte(initSQL(password)), 0o600); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	c := exec.Command(mariadbd, serverFlags(dir, port, tls)...)
	c.Dir = dir
	return c, nil
}

// AdminPassword is the password of [AdminUser], which [Prepare] made.
func AdminPassword(dir string) (string, error) {
	b, err := os.ReadFile(PasswordFile(dir))
	if err != nil {
		return "", fmt.Errorf("database: password of %s: %w", AdminUser, err)
	}
	return strings.TrimSpace(string(b)), nil
}

// Wait returns once a server greets connections on 127.0.0.1:port, or with the last error when ctx ends.
func Wait(ctx context.Context, port int) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	last := errors.New("no answer yet")
	for {
		err := greeting(ctx, address)
		if err == nil {
			return nil
		}
		// An attempt that ran out of time or was cancelled has no cause to tell: an earlier one may have had.
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.Canceled) {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("database: %s does not answer: %w (%w)", address, last, ctx.Err())
		case <-tick.C:
		}
	}
}

// greeting reads the first packet that a MySQL server sends: a four byte header and protocol version 10.
// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase_packets_protocol_handshake_v10.html
func greeting(ctx context.Context, address string) error {
	d := net.Dialer{Timeout: 2 * time.Second}
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	var b [5]byte
	if _, err := io.ReadFull(conn, b[:]); err != nil {
		return err
	}
	if b[4] != 10 {
		return fmt.Errorf("what listens there is no MySQL server (it said %q)", b)
	}
	return nil
}

// initialise makes the system tables. They are made beside their place and renamed, so that an interrupted
// first start leaves nothing that looks complete.
func initialise(ctx context.Context, dir string) error {
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(filepath.Join(data, "mysql")); err == nil {
		return nil
	}
	installDB, err := find("mariadb-install-db")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	scratch := filepath.Join(dir, "data.new")
	if err := os.RemoveAll(scratch); err != nil {
		return err
	}
	args := []string{"--no-defaults", "--datadir=" + scratch, "--tmpdir=" + filepath.Join(dir, "tmp"),
		"--skip-test-db", "--auth-root-authentication-method=socket", "--innodb-log-file-size=" + logFileSize}
	if os.Geteuid() == 0 {
		args = append(args, "--user=root")
	}
	c := exec.CommandContext(ctx, installDB, args...)
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s: %w: %s", filepath.Base(installDB), err, firstError(string(out)))
	}
	return os.Rename(scratch, data)
}

// firstError is the line of a tool's output that says what is wrong, the last one when none says so.
func firstError(out string) string {
	last := "no output"
	for _, line := range strings.Split(out, "\n") {
		line = strings.TrimSpace(line)
		if strings.Contains(line, "[ERROR]") || strings.HasPrefix(line, "FATAL ERROR") || strings.Contains(line, "No space left") {
			return line
		}
		if line != "" {
			last = line
		}
	}
	return last
}

// PasswordFile is the path of the administrator's password.
func PasswordFile(dir string) string { return filepath.Join(dir, "admin-password") }

func initFile(dir string) string { return filepath.Join(dir, "init.sql") }

// EnsurePassword makes the administrator's password at the first call, and returns it.
func EnsurePassword(dir string) (string, error) {
	if b, err := os.ReadFile(PasswordFile(dir)); err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	raw := make([]byte, 24)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	password := hex.EncodeToString(raw)
	return password, os.WriteFile(PasswordFile(dir), []byte(password+"\n"), 0o600)
}
