package programs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/cachedir"
)

// lockPoll is how often a caller looks whether another one has finished building.
const lockPoll = 200 * time.Millisecond

// Build makes sure that one program's binary, compiled, is in the cache and returns its path.
func Build(ctx context.Context, name string, out io.Writer) (string, error) {
	all, err := Source{From: Compile}.All(ctx, out, name)
	return all[name].Path, err
}

// build is one build of some programs.
type build struct {
	programs []program
	dir      string            // of the set's go.mod
	cache    string            // see internal/cachedir
	hashes   map[string]string // by the program's name

	source   Source
	platform string         // of this machine, linux/amd64
	pins     map[string]pin // of the programs whose released images may be used, by their names
}

func (s Source) plan(ctx context.Context, names ...string) (build, error) {
	b := build{hashes: map[string]string{}, source: s}
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
	b.platform = t.GOOS + "/" + t.GOARCH
	b.pins, err = s.pins(b)
	return b, err
}

// target is the directory of the compiled binary. It appears in one step, so its presence means that the
// binary is complete.
func (b build) target(p program) string { return filepath.Join(b.cache, p.name+"-"+b.hashes[p.name]) }

// taken is the directory of the binary of a released image, which appears in the same way.
func (b build) taken(p program) string {
	key := sha256.Sum256([]byte(b.pins[p.name].Platforms[b.platform] + p.image.file))
	return filepath.Join(b.cache, p.name+"-image-"+hex.EncodeToString(key[:8]))
}

// binary is the program's binary in the cache, by what may be used; "" when it is missing.
func (b build) binary(p program) string {
	var places []string
	_, pinned := b.pins[p.name]
	if pinned {
		places = append(places, b.taken(p))
	}
	if !pinned || b.source.From != Images {
		places = append(places, b.target(p))
	}
	for _, dir := range places {
		if name := filepath.Join(dir, p.name); isFile(name) {
			return name
		}
	}
	return ""
}

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
		if b.binary(p) == "" {
			b.programs = append(b.programs, p)
		}
	}
	return b
}

// locked fills the cache with what is still missing when no other process does.
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
	// What a kill left behind.
	left, err := filepath.Glob(filepath.Join(b.cache, scratchPrefix+"*"))
	for _, dir := range left {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err != nil {
		return err
	}
	return b.fill(ctx, out)
}

// scratchPrefix begins the names of directories in which binaries are made.
const scratchPrefix = ".build-"

// compile builds into a scratch directory beside the targets and renames the results.
func (b build) compile(ctx context.Context, out io.Writer) error {
	if len(b.programs) == 0 {
		return nil
	}
	work, err := os.MkdirTemp(b.cache, scratchPrefix)
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
		if err := publish(result, b.target(p)); err != nil {
			return err
		}
	}
	return nil
}

// publish puts a finished directory in its place.
func publish(result, target string) error {
	// Left over only when a binary was removed by hand from its directory.
	if err := os.RemoveAll(target); err != nil {
		return err
	}
	return os.Rename(result, target)
}
