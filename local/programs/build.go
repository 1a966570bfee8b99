package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lockPoll is how often a caller looks whether another one has finished building the same program.
const lockPoll = 200 * time.Millisecond

// Build makes sure that the program's binary is in the cache and returns its path. When the cache has none
// for the present pins it is compiled with the go command, which takes one to five minutes on two cores and
// a few seconds with a warm build cache; progress goes to out, the compiler's output to a log file beside the
// cache, which errors name. Callers, also in other processes, that want the same program build it once.
func Build(ctx context.Context, name string, out io.Writer) (string, error) {
	out = discard(out)
	b, err := plan(ctx, name)
	if err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	if b.cached() {
		return b.binary(), nil
	}
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return "", fmt.Errorf("build %s: %w: set GITOPS_CACHE to a directory that can be written", name, err)
	}
	lock := flock.New(filepath.Join(b.cache, name+".lock"))
	if ok, err := lock.TryLock(); err == nil && !ok {
		fmt.Fprintf(out, "%s: waiting for another process that builds it\n", name)
	}
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return "", fmt.Errorf("build %s: lock %s: %w", name, lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	if b.cached() {
		return b.binary(), nil
	}
	if err := b.compile(ctx, out); err != nil {
		return "", fmt.Errorf("build %s: %w", name, err)
	}
	return b.binary(), nil
}

// Cached tells where [Build] puts the program's binary for the present pins and whether it is there. It
// builds nothing and needs no network.
func Cached(name string) (string, bool, error) {
	b, err := plan(context.Background(), name)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", name, err)
	}
	return b.binary(), b.cached(), nil
}

// build is one build of one program.
type build struct {
	program program
	dir     string // the program's go.mod
	cache   string // CacheDir
	hash    string
}

func plan(ctx context.Context, name string) (build, error) {
	p, err := lookup(name)
	if err != nil {
		return build{}, err
	}
	dir, err := programDir(p)
	if err != nil {
		return build{}, err
	}
	cache, err := CacheDir()
	if err != nil {
		return build{}, err
	}
	t, err := readToolchain(ctx, dir)
	if err != nil {
		return build{}, err
	}
	hash, err := contentHash(p, dir, t)
	if err != nil {
		return build{}, err
	}
	return build{program: p, dir: dir, cache: cache, hash: hash}, nil
}

// target is the directory of the finished binary. It appears in one step, so its presence means that the
// binary is complete.
func (b build) target() string { return filepath.Join(b.cache, b.program.name+"-"+b.hash) }

func (b build) binary() string { return filepath.Join(b.target(), b.program.name) }

func (b build) log() string { return filepath.Join(b.cache, b.program.name+".log") }

func (b build) cached() bool {
	info, err := os.Stat(b.binary())
	return err == nil && info.Mode().IsRegular()
}

// compile builds into a scratch directory beside the target and renames the result.
func (b build) compile(ctx context.Context, out io.Writer) error {
	work, err := os.MkdirTemp(b.cache, ".build-"+b.program.name+"-")
	if err != nil {
		return explain(err.Error())
	}
	defer func() { _ = os.RemoveAll(work) }()
	args := []string{"build", "-v", "-mod=readonly", "-ldflags", strings.Join(append([]string{"-s", "-w"}, b.program.ldflags...), " ")}
	if len(b.program.edits) > 0 {
		gomod, err := editedModule(ctx, b.program, b.dir, work)
		if err != nil {
			return err
		}
		args = append(args, "-modfile", gomod)
	}
	result := filepath.Join(work, "result")
	if err := os.Mkdir(result, 0o755); err != nil {
		return explain(err.Error())
	}
	pkg := b.program.pkg
	if pkg == "" {
		pkg = "."
	}
	args = append(args, "-o", filepath.Join(result, b.program.name), pkg)
	if err := b.run(ctx, out, args); err != nil {
		return err
	}
	// Left over only when a binary was removed by hand from its directory.
	if err := os.RemoveAll(b.target()); err != nil {
		return err
	}
	return os.Rename(result, b.target())
}

// run runs the go command, its output in the log file, counted for the progress lines.
func (b build) run(ctx context.Context, out io.Writer, args []string) error {
	log, err := os.Create(b.log())
	if err != nil {
		return explain(err.Error())
	}
	defer log.Close()
	fmt.Fprintf(log, "in %s: go %s\n", b.dir, strings.Join(args, " "))
	p := newProgress(b.program.name, out)
	defer p.stop()
	c := exec.CommandContext(ctx, "go", args...)
	c.Dir, c.Env = b.dir, buildEnv()
	c.Stdout, c.Stderr = log, io.MultiWriter(log, p)
	// The go command waits for its compilers on SIGINT; a kill would leave them behind.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return goCommandError(err)
		}
		return fmt.Errorf("%w (log: %s)", explain(p.errors()), b.log())
	}
	p.done()
	return nil
}
