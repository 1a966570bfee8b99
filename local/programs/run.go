package programs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// compilerFlags leave out DWARF: compiling takes a tenth less. The traces of panics keep functions and lines.
const compilerFlags = "-gcflags=all=-dwarf=false"

// ldflags are the linker's flags for this program alone.
func (p program) ldflags() string {
	flags := "-ldflags=" + p.pkg + "=-s -w"
	for _, v := range p.vars {
		flags += " -X " + v
	}
	return flags
}

// run lets the go command build the programs into a directory, its output in the log file, counted for the progress
// lines.
func (b build) run(ctx context.Context, out io.Writer, gomod, into string) error {
	log, err := os.Create(b.log())
	if err != nil {
		return explain(err.Error())
	}
	defer log.Close()
	flags := []string{"-mod=readonly", "-modfile", gomod, compilerFlags}
	var packages []string
	for _, p := range b.programs {
		flags, packages = append(flags, p.ldflags()), append(packages, p.pkg)
	}
	p := newProgress(strings.Join(b.names(), ", "), out)
	defer p.stop()
	var stale bytes.Buffer
	// The go command downloads here what is missing.
	if err := b.goCommand(ctx, log, p, &stale, append([]string{"list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}"}, append(flags, packages...)...)); err != nil {
		return err
	}
	p.expect(bytes.Count(stale.Bytes(), []byte("\n")), len(b.programs), into)
	if err := b.goCommand(ctx, log, p, log, append([]string{"build", "-v", "-o", into}, append(flags, packages...)...)); err != nil {
		return err
	}
	p.end()
	return nil
}

// goCommand runs the go command; what it says beside its output is logged and counted.
func (b build) goCommand(ctx context.Context, log io.Writer, p *progress, output io.Writer, args []string) error {
	fmt.Fprintf(log, "in %s: go %s\n", b.dir, strings.Join(args, " "))
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = b.dir, buildEnv()
	c.Stdout, c.Stderr = output, io.MultiWriter(log, p)
	// The go command waits for its compilers on SIGINT; a kill would leave them behind.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	err := c.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case !errors.As(err, &exit):
		return goCommandError(err)
	}
	return fmt.Errorf("%w (log: %s)", explain(p.errors()), b.log())
}
