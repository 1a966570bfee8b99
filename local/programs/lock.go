package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/imagefile"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// LockFile holds the digests of the released images, in a clone. It is there once somebody has asked for them.
const LockFile = "local/programs/images.lock"

const lockHead = `# Digests of released images, by program. Made by bin/gitops local programs lock: do not edit, but commit it.
`

// lockPlatforms are those whose digests are recorded, so that one person records them for all.
var lockPlatforms = []string{"linux/amd64", "linux/arm64"}

// pin is the entry of a program in [LockFile].
type pin struct {
	Image string `json:"image"` // with its tag
	imagefile.Digests
}

// tagged is the name of a program's released image.
func (p program) tagged() (string, error) {
	tag, err := Tag(p.name)
	return p.image.repository + ":" + tag, err
}

func lockName(dir string) string { return filepath.Join(filepath.Dir(dir), filepath.Base(LockFile)) }

// readLock reads the entries, by program; dir is the set's.
func readLock(dir string) (map[string]pin, error) {
	all := map[string]pin{}
	b, err := os.ReadFile(lockName(dir))
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = yaml.UnmarshalStrict(b, &all)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w: restore it from Git, or remove it", LockFile, err)
	}
	return all, nil
}

// pins are the entries for the programs whose released images may be used here.
func (s Source) pins(b build) (map[string]pin, error) {
	if s.From == Compile {
		return nil, nil
	}
	locked, err := readLock(b.dir)
	if err != nil {
		return nil, err
	}
	pins := map[string]pin{}
	for _, p := range b.programs {
		image, err := p.tagged()
		if err != nil {
			return nil, err
		}
		found := locked[p.name]
		if p.image.file != "" && found.Image == image && found.Platforms[b.platform] != "" {
			pins[p.name] = found
		}
	}
	return pins, nil
}

// complete asks for the digests that are not recorded.
func (s Source) complete(ctx context.Context, out io.Writer, names []string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("released images have programs for Linux, this is %s: %s=%s compiles them", runtime.GOOS, FromVariable, Auto)
	}
	_, err := s.lock(ctx, out, names, false)
	return err
}

// Lock asks the registries for the digests of the released images of all programs, and records those that [LockFile] lacks, in
// the clone around the working directory. A recorded digest that the tag no longer has is an error, and is kept: released tags
// should not move. It returns how many it recorded, also beside an error.
func (s Source) Lock(ctx context.Context, out io.Writer) (int, error) {
	return s.lock(ctx, out, Names(), true)
}

func (s Source) lock(ctx context.Context, out io.Writer, names []string, compare bool) (int, error) {
	dir, err := setDir()
	if err != nil {
		return 0, err
	}
	recorded, err := readLock(dir)
	if err != nil {
		return 0, err
	}
	var wanted []program
	for _, p := range table {
		image, err := p.tagged()
		if err != nil {
			return 0, err
		}
		if slices.Contains(names, p.name) && p.image.file != "" && (compare || recorded[p.name].Image != image) {
			wanted = append(wanted, p)
		}
	}
	found, failed := s.resolve(ctx, wanted)
	added := 0
	for _, p := range wanted {
		now, ok := found[p.name]
		switch before := recorded[p.name]; {
		case !ok:
		case before.Image != now.Image:
			recorded[p.name] = now
			added++
			fmt.Fprintf(out, "%s is %s\n", now.Image, now.Digest)
		case before.Digest != now.Digest:
			failed = errors.Join(failed, fmt.Errorf("%s is %s now, and was %s when it was recorded: find out why; if it is right, remove the entry of %s in %s", now.Image, now.Digest, before.Digest, p.name, LockFile))
		}
	}
	if added == 0 {
		return 0, failed
	}
	return added, errors.Join(failed, writeLock(dir, recorded))
}

func writeLock(dir string, all map[string]pin) error {
	b, err := yaml.Marshal(all)
	if err != nil {
		return err
	}
	return atomicfile.Write(lockName(dir), append([]byte(lockHead), b...), 0o644)
}

// resolve asks for the digests of programs, all at once.
func (s Source) resolve(ctx context.Context, wanted []program) (map[string]pin, error) {
	found, why := map[string]pin{}, map[string]error{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, p := range wanted {
		asking.Go(func() {
			image, err := p.tagged()
			var digests imagefile.Digests
			if err == nil {
				digests, err = s.Registries.Resolve(ctx, p.image.repository, image[len(p.image.repository)+1:], lockPlatforms...)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				why[p.name] = err
				return
			}
			found[p.name] = pin{image, digests}
		})
	}
	asking.Wait()
	var failed []program
	for _, p := range wanted {
		if why[p.name] != nil {
			failed = append(failed, p)
		}
	}
	reasons, by := grouped(failed, why)
	var all []error
	for _, reason := range reasons {
		all = append(all, fmt.Errorf("%s: %s", by[reason], reason))
	}
	return found, errors.Join(all...)
}
