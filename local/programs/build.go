package programs

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/cachedir"
)

// lockPoll is how often a caller looks whether another one has finished building.
const lockPoll = 200 * time.Millisecond

// Build makes sure that one program's binary is in the cache and returns its path, as [BuildAll] does.
func Build(ctx context.Context, name string, out io.Writer) (string, error) {
	paths, err := BuildAll(ctx, out, name)
	return paths[name], err
}

// BuildAll makes sure that the binaries of the named programs are in the cache and returns their paths by name.
// Those that the cache lacks for the present pins are compiled by one go command, so that what they share is
// compiled once: ten minutes on two cores for all of them, some seconds with a warm build cache. Progress goes to
// out, the compiler's output to a log file in the cache, which errors name. Callers, also in other processes,
// build one after the other, and each program once.
func BuildAll(ctx context.Context, out io.Writer, names ...string) (map[string]string, error) {
	if out == nil {
		out = io.Discard
	}
	wanted, err := plan(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", strings.Join(names, ", "), err)
	}
	if missing := wanted.missing(); len(missing.programs) > 0 {
		if err := missing.locked(ctx, out); err != nil {
			return nil, fmt.Errorf("build %s: %w", strings.Join(missing.names(), ", "), err)
		}
	}
	paths := map[string]string{}
	for _, p := range wanted.programs {
		paths[p.name] = wanted.binary(p)
	}
	return paths, nil
}

// Cached tells where [Build] puts the program's binary for the present pins and whether it is there. It
// builds nothing and needs no network.
func Cached(name string) (string, bool, error) {
	b, err := plan(context.Background(), name)
	if err != nil {
		return "", false, fmt.Errorf("%s: %w", name, err)
	}
	return b.binary(b.programs[0]), len(b.missing().programs) == 0, nil
}

// build is one build of some programs.
type build struct {
	programs []program
	dir      string            // of the set's go.mod
	cache    string            // see internal/cachedir
	hashes   map[string]string // by the program's name
}

func plan(ctx context.Context, names ...string) (build, error) {
	b := build{hashes: map[string]string{}}
	var err error
	for _, name := range names {
		p, err := lookup(name)
		if err != nil {
			return build{}, err
		}
		b.programs = append(b.programs, p)
	}
	if b.dir, err = setDir(); err != nil {
		return build{}, err
	}
	if b.cache, err = cachedir.Dir(); err != nil {
		return build{}, err
	}
	t, err := readToolchain(ctx, b.dir)
	if err != nil {
		return build{}, err
	}
	for _, p := range b.programs {
		if b.hashes[p.name], err = contentHash(p, b.dir, t); err != nil {
			return build{}, err
		}
	}
	return b, nil
}

// target is the directory of the finished binary. It appears in one step, so its presence means that the
// binary is complete.
func (b build) target(p program) string { return filepath.Join(b.cache, p.name+"-"+b.hashes[p.name]) }

func (b build) binary(p program) string { return filepath.Join(b.target(p), p.name) }

func (b build) log() string { return filepath.Join(b.cache, "programs.log") }

func (b build) names() []string {
	names := make([]string, len(b.programs))
	for i, p := range b.programs {
		names[i] = p.name
	}
	return names
}

// missing is the build of those programs that the cache lacks.
func (b build) missing() build {
	all := b.programs
	b.programs = nil
	for _, p := range all {
		if !isFile(b.binary(p)) {
			b.programs = append(b.programs, p)
		}
	}
	return b
}

// locked compiles what is still missing when no other process builds.
func (b build) locked(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(b.cache, 0o755); err != nil {
		return fmt.Errorf("%w: set GITOPS_CACHE to a directory that can be written", err)
	}
	lock := flock.New(filepath.Join(b.cache, "programs.lock"))
	if ok, err := lock.TryLock(); err == nil && !ok {
		fmt.Fprintln(out, "waiting for another process that builds programs")
	}
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Path(), err)
	}
	defer func() { _ = lock.Unlock() }()
	if b = b.missing(); len(b.programs) == 0 {
		return nil
	}
	return b.compile(ctx, out)
}

// compile builds into a scratch directory beside the targets and renames the results.
func (b build) compile(ctx context.Context, out io.Writer) error {
	work, err := os.MkdirTemp(b.cache, ".build-")
	if err != nil {
		return explain(err.Error())
	}
	defer func() { _ = os.RemoveAll(work) }()
	gomod, err := editedModules(ctx, b.programs, b.dir, work)
	if err != nil {
		return err
	}
	made := filepath.Join(work, "made")
	if err := os.Mkdir(made, 0o755); err != nil {
		return explain(err.Error())
	}
	if err := b.run(ctx, out, gomod, made); err != nil {
		return err
	}
	for _, p := range b.programs {
		// The go command names a binary after the last part of its package's path.
		result := filepath.Join(work, "result", p.name)
		if err := os.MkdirAll(result, 0o755); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(made, path.Base(p.pkg)), filepath.Join(result, p.name)); err != nil {
			return err
		}
		// Left over only when a binary was removed by hand from its directory.
		if err := os.RemoveAll(b.target(p)); err != nil {
			return err
		}
		if err := os.Rename(result, b.target(p)); err != nil {
			return err
		}
	}
	return nil
}
