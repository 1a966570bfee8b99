package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Dumps keep what is in databases of the server in Dir, which listens on Port, below Dir.
type Dumps struct {
	Dir  string
	Port int
}

func (d Dumps) file(name string) string { return filepath.Join(d.Dir, "dumps", name+".sql") }

// Dump keeps the content of a database under a name.
func (d Dumps) Dump(ctx context.Context, database, name string) error {
	if err := os.MkdirAll(filepath.Dir(d.file(name)), 0o700); err != nil {
		return err
	}
	scratch, err := os.OpenFile(d.file(name)+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	err = d.run(ctx, "mariadb-dump", nil, scratch, "--single-transaction", "--routines", "--events", "--triggers", database)
	if err := errors.Join(err, scratch.Close()); err != nil {
		return errors.Join(err, os.Remove(scratch.Name()))
	}
	return os.Rename(scratch.Name(), d.file(name))
}

// Load brings what was kept under a name into a database.
func (d Dumps) Load(ctx context.Context, database, name string) error {
	kept, err := os.Open(d.file(name))
	if err != nil {
		return err
	}
	defer kept.Close()
	return d.run(ctx, "mariadb", kept, nil, database)
}

// Forget removes what was kept under a name, if there is something.
func (d Dumps) Forget(name string) error {
	if err := os.Remove(d.file(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// run runs a client as the administrator.
func (d Dumps) run(ctx context.Context, program string, in io.Reader, out io.Writer, args ...string) error {
	password, err := AdminPassword(d.Dir)
	if err != nil {
		return err
	}
	options := filepath.Join(d.Dir, "client.cnf")
	if err := WriteOptions(options, d.Port, AdminUser, password); err != nil {
		return err
	}
	return Client(ctx, program, options, in, out, args...)
}

// WriteOptions writes the file by which a client signs in, so that the password is in no argument. The server is not checked: it
// is the process next door.
func WriteOptions(file string, port int, user, password string) error {
	content := "[client]\nprotocol=tcp\nhost=127.0.0.1\nport=" + strconv.Itoa(port) + "\nuser=" + user + "\npassword=" + password + "\nssl\nloose-skip-ssl-verify-server-cert\n"
	return os.WriteFile(file, []byte(content), 0o600)
}

// Client runs a client program of MariaDB with a file of WriteOptions.
func Client(ctx context.Context, program, options string, in io.Reader, out io.Writer, args ...string) error {
	path, err := find(program)
	if err != nil {
		return err
	}
	var said strings.Builder
	c := exec.CommandContext(ctx, path, append([]string{"--defaults-file=" + options}, args...)...) //nolint:gosec // the system's client
	c.Stdin, c.Stdout, c.Stderr = in, out, &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", program, err, firstError(said.String()))
	}
	return nil
}
