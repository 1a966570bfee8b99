package data

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"k8s-plus-aws-gitops/local/database"
)

// program runs a program of the repository; out gets what it writes, else only its last line is told, when it fails.
func (f Filler) program(ctx context.Context, l login, command []string, out io.Writer) error {
	c := exec.CommandContext(ctx, f.path(command[0]), command[1:]...) //nolint:gosec // the repository's own
	c.Dir, c.Env = f.Repo, l.environ()
	c.WaitDelay = 5 * time.Second // for what it started, which may hold its output open
	var said bytes.Buffer
	c.Stdout, c.Stderr = out, &said
	if out == nil {
		c.Stdout = &said
	}
	err := c.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", command[0], err, l.hide(last(said.String())))
	}
	return nil
}

// path is a program by its path in the repository, or by its name on the PATH.
func (f Filler) path(name string) string {
	if strings.Contains(name, "/") && !filepath.IsAbs(name) {
		return filepath.Join(f.Repo, filepath.FromSlash(name))
	}
	return name
}

// hide removes the password from a text.
func (l login) hide(text string) string { return strings.ReplaceAll(text, l.password, "…") }

// last is the last line that says something.
func last(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(strings.Fields(lines[len(lines)-1]), " ")
}

// load runs the program that writes a dump, and brings what it writes into the database.
func (f Filler) load(ctx context.Context, l login, command []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	from, to := io.Pipe()
	read := make(chan error, 1)
	go func() {
		read <- f.sql(ctx, l, from)
		_ = from.CloseWithError(io.ErrClosedPipe) // by which the program ends, too
		cancel()
	}()
	some := &counter{Writer: to}
	err := f.program(ctx, l, command, some)
	select {
	case refused := <-read: // before the program ended, and so it is the cause
		return refused
	default:
	}
	if err != nil {
		_ = to.CloseWithError(err)
		<-read //nolint:errcheck // it ended by err, which is the cause
		return err
	}
	to.Close()
	err = <-read
	if err == nil && some.n == 0 {
		return fmt.Errorf("%s wrote no dump", command[0])
	}
	return err
}

// anonymize runs a program on a dump, or a file of SQL.
func (f Filler) anonymize(ctx context.Context, l login, command []string) error {
	if len(command) > 1 || !strings.HasSuffix(command[0], ".sql") {
		return f.program(ctx, l, command, nil)
	}
	file, err := os.Open(filepath.Join(f.Repo, filepath.FromSlash(command[0])))
	if err != nil {
		return err
	}
	defer file.Close()
	return f.sql(ctx, l, file)
}

// sql runs statements in the database.
func (f Filler) sql(ctx context.Context, l login, statements io.Reader) error {
	return database.Client(ctx, "mariadb", l.options(), statements, nil, l.database)
}

// counter counts what is written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}
