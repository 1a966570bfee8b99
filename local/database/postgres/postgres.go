// Package postgres runs PostgreSQL as a process of the present user, on loopback: it stands in for the server behind the
// endpoint of an RDS instance with this engine. The programs are the version that RDS runs, from npm, where PostgreSQL's
// embedders publish them for each system; no package of the system is installed, and none of its servers is started.
//
// Databases and users are made by whoever asks RDS for them; only the administrator that RDS calls rdsadmin is made here.
package postgres

import (
	"context"
	_ "embed"
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
	"k8s-plus-aws-gitops/local/npm"
)

// Plain is the role whose members may connect without TLS: the users of instances whose parameter group has rds.force_ssl
// off. https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/PostgreSQL.Concepts.General.SSL.html
const Plain = "rds_plain"

//go:embed package.json
var manifest []byte

//go:embed package-lock.json
var lock []byte

// Install makes sure that the programs are in the cache, and returns their folder. The first time it downloads 23 MB.
func Install(ctx context.Context, out io.Writer) (string, error) {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	bin := filepath.Join("@embedded-postgres", runtime.GOOS+"-"+arch, "native", "bin")
	modules, err := npm.Modules{Name: "postgres", Manifest: manifest, Lock: lock, Has: filepath.Join(bin, "postgres")}.Install(ctx, out)
	return filepath.Join(modules, bin), err
}

// Made reports whether there is a data directory below dir.
func Made(dir string) bool {
	_, err := os.Stat(filepath.Join(data(dir), "PG_VERSION"))
	return err == nil
}

func data(dir string) string { return filepath.Join(dir, "data") }

func hbaFile(dir string) string { return filepath.Join(dir, "pg_hba.conf") }

// Prepare makes the data directory below dir once and returns the command that runs the server in the foreground on
// 127.0.0.1:port; its log is its stderr. A server that was killed recovers at the next start. Connections need TLS, but for
// members of Plain.
//
// The administrator is [database.AdminUser] with the password in dir, see [database.AdminPassword]; it is never part of a
// command line. bin is what Install returned.
func Prepare(ctx context.Context, bin, dir string, port int, tls database.TLS) (*exec.Cmd, error) {
	dir, err := database.Check(dir, port, tls)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if _, err := database.EnsurePassword(dir); err != nil {
		return nil, fmt.Errorf("postgres: password of %s: %w", database.AdminUser, err)
	}
	if err := os.WriteFile(hbaFile(dir), []byte(access), 0o600); err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if err := initialise(ctx, bin, dir); err != nil {
		return nil, fmt.Errorf("postgres: make the data directory: %w", err)
	}
	return command(context.WithoutCancel(ctx), dir, filepath.Join(bin, "postgres"), settings(dir, port, tls)...)
}

// access is pg_hba.conf: https://www.postgresql.org/docs/17/auth-pg-hba-conf.html.
const access = "hostssl all all 127.0.0.1/32 scram-sha-256\n" +
	"hostnossl all +" + Plain + " 127.0.0.1/32 scram-sha-256\n"

// settings are all that differ from PostgreSQL's defaults.
func settings(dir string, port int, tls database.TLS) []string {
	all := []string{"-D", data(dir)}
	for _, s := range []string{
		"listen_addresses=127.0.0.1", "port=" + strconv.Itoa(port),
		"unix_socket_directories=", // the path of a Unix socket may have about 100 characters
		"hba_file=" + hbaFile(dir),
		"ssl=on", "ssl_cert_file=" + tls.Cert, "ssl_key_file=" + tls.Key,
		// Small: a few applications with a few connections, about 50 MB resident.
		"shared_buffers=16MB", "max_connections=50", "max_wal_size=128MB", "jit=off",
		// A statement that fails is logged, and CREATE ROLE has a password in it.
		"log_min_error_statement=panic",
	} {
		all = append(all, "-c", s)
	}
	return all
}

// initialise makes the system tables beside their place and renames them, so that an interrupted first start leaves nothing
// that looks complete.
func initialise(ctx context.Context, bin, dir string) error {
	if Made(dir) {
		return nil
	}
	scratch := data(dir) + ".new"
	for _, d := range []string{data(dir), scratch} {
		if err := os.RemoveAll(d); err != nil {
			return err
		}
	}
	c, err := command(ctx, dir, filepath.Join(bin, "initdb"), "-D", scratch, "--username="+database.AdminUser, "--pwfile="+database.PasswordFile(dir),
		"--auth=scram-sha-256", "--encoding=UTF8",
		// RDS sorts by en_US.UTF-8, a locale of the system that need not be there; ICU's is in the programs.
		"--locale=C", "--locale-provider=icu", "--icu-locale=en-US")
	if err != nil {
		return err
	}
	if out, err := c.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("initdb: %w: %s", err, firstError(string(out)))
	}
	return os.Rename(scratch, data(dir))
}

// firstError is the line of initdb's output that says what is wrong, the last one when none says so.
func firstError(out string) string {
	last := "no output"
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		for _, sign := range []string{"FATAL:", "PANIC:", "error:", "No space left"} {
			if strings.Contains(line, sign) {
				return line
			}
		}
		if line != "" {
			last = line
		}
	}
	return last
}

// nobody is the user that has no files: https://www.debian.org/doc/debian-policy/ch-opersys.html#uid-and-gid-classes.
const nobody = "65534"

// command is a program of PostgreSQL in dir. They refuse to run as root, so root runs them as another user, who may read and
// write what only root can, and nothing else that root may.
func command(ctx context.Context, dir, name string, args ...string) (*exec.Cmd, error) {
	words := append([]string{name}, args...)
	if os.Geteuid() == 0 {
		setpriv, err := exec.LookPath("setpriv")
		if err != nil {
			return nil, errors.New("PostgreSQL does not run as root, and setpriv, which gives root's rights up, is not on PATH: install util-linux, or run as another user")
		}
		words = append([]string{
			setpriv, "--reuid=" + nobody, "--regid=" + nobody, "--clear-groups", "--no-new-privs",
			"--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override", "--bounding-set=-all,+dac_override",
			"--securebits=+no_setuid_fixup", // access(2), by which initdb looks for its programs, would see none of it
			"--pdeathsig=KILL",              // the kernel forgets the supervisor's when the user changes
		}, words...)
	}
	c := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // programs of the cache
	c.Dir = dir
	return c, nil
}
