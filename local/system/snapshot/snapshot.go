// Package snapshot keeps copies of what the state directory of a stopped system holds, by the content that the system was
// made of, so that another system of the same content begins with it instead of deploying everything again.
//
// A snapshot is a folder of the cache (see internal/cachedir), named by its key: manifest.json with the size and SHA-256
// of each file, and files/ with the files. It appears in one step and is checked when it is used. It holds keys and
// passwords, and is readable by its user alone.
package snapshot

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"k8s-plus-aws-gitops/internal/cachedir"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// format is raised when older snapshots cannot be read.
const format = 1

// Limits of a Store that says nothing else.
const (
	Keep = 4        // snapshots
	Most = 10 << 30 // bytes of all of them
)

// Manifest describes a snapshot.
type Manifest struct {
	Format int `json:"format"`
	// Key identifies what the system was made of, see [Key].
	Key string `json:"key"`
	// Made is when it was saved.
	Made time.Time `json:"made"`
	// Commit is the head of the platform's repository in it.
	Commit string `json:"commit"`
	// State is the directory that it was saved from.
	State string `json:"state"`
	// Ports are those that the system in it had.
	Ports map[string]int `json:"ports"`
	// Bytes is the size of its files on the disk.
	Bytes int64  `json:"bytes"`
	Files []File `json:"files"`
}

// File is a file, directory or symbolic link of a snapshot.
type File struct {
	Path string      `json:"path"` // below the state directory, with slashes
	Mode fs.FileMode `json:"mode"`
	Size int64       `json:"size,omitempty"`
	Sum  string      `json:"sha256,omitempty"` // of a file
	Link string      `json:"link,omitempty"`   // where a symbolic link leads
}

// ErrNone is returned where there is no snapshot of a key.
var ErrNone = errors.New("there is no such snapshot")

// Store is a folder of snapshots.
type Store struct {
	Dir string
	// Keep is how many snapshots are kept, default [Keep]; Most is how many bytes, default [Most]. The newest is always
	// kept; a use makes a snapshot new again.
	Keep int
	Most int64
}

// Open returns the store in the cache.
func Open() (*Store, error) {
	cache, err := cachedir.Dir()
	if err != nil {
		return nil, err
	}
	return &Store{Dir: filepath.Join(cache, "snapshots")}, nil
}

func (s *Store) path(key string, elem ...string) string {
	return filepath.Join(append([]string{s.Dir, key}, elem...)...)
}

// Find returns the manifest of a key, of which the first characters are enough where they are of one alone.
func (s *Store) Find(key string) (Manifest, error) {
	all, err := s.List()
	if err != nil {
		return Manifest{}, err
	}
	all = slices.DeleteFunc(all, func(m Manifest) bool { return key == "" || !strings.HasPrefix(m.Key, key) })
	switch len(all) {
	case 0:
		return Manifest{}, fmt.Errorf("snapshot %s: %w: `gitops local snapshot list` shows those that are there", key, ErrNone)
	case 1:
		return all[0], nil
	}
	return Manifest{}, fmt.Errorf("snapshot %s: %d begin so: give more of the key", key, len(all))
}

// List returns the snapshots, the one used or made last first. Those that cannot be read are left out.
func (s *Store) List() ([]Manifest, error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	used := map[string]time.Time{}
	var all []Manifest
	for _, e := range entries {
		var m Manifest
		info, err := os.Stat(s.path(e.Name(), "manifest.json"))
		if err != nil || atomicfile.ReadJSON(s.path(e.Name(), "manifest.json"), &m) != nil || m.Format != format || m.Key != e.Name() {
			continue
		}
		used[m.Key] = info.ModTime()
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b Manifest) int { return used[b.Key].Compare(used[a.Key]) })
	return all, nil
}

// Remove deletes a snapshot.
func (s *Store) Remove(key string) error {
	m, err := s.Find(key)
	if err != nil {
		return err
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return s.drop(m.Key)
}

// drop moves a snapshot out of the way first, so that none is seen in half.
func (s *Store) drop(key string) error {
	gone, err := os.MkdirTemp(s.Dir, ".gone-")
	if err != nil {
		return err
	}
	if err := os.Rename(s.path(key), filepath.Join(gone, key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return removeAll(gone)
}

// lock keeps writers apart. Readers open files that a removal leaves to them or, found missing, end with an error.
func (s *Store) lock() (func(), error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("snapshots: %w: set GITOPS_CACHE to a directory that can be written", err)
	}
	l := flock.New(filepath.Join(s.Dir, ".lock"))
	if err := l.Lock(); err != nil {
		return nil, fmt.Errorf("snapshots: locking %s: %w", s.Dir, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// ClaimPorts reserves the ports of a snapshot for one system, until release is called: two that start at once find all of them free. It
// reports false where another has them reserved.
func (s *Store) ClaimPorts(key string) (release func(), ok bool, err error) {
	l := flock.New(s.path(key, "ports.lock"))
	if ok, err = l.TryLock(); err != nil || !ok {
		return nil, false, err
	}
	return func() { _ = l.Unlock() }, true, nil
}

// prune removes what is too much, the one that was not used for longest first.
func (s *Store) prune() error {
	keep, most := s.Keep, s.Most
	if keep == 0 {
		keep = Keep
	}
	if most == 0 {
		most = Most
	}
	all, err := s.List()
	if err != nil {
		return err
	}
	var errs []error
	bytes := int64(0)
	for i, m := range all {
		if bytes += m.Bytes; i > 0 && (i >= keep || bytes > most) {
			errs = append(errs, s.drop(m.Key))
		}
	}
	// What a killed command left.
	for _, pattern := range []string{".gone-*", ".new-*"} {
		left, _ := filepath.Glob(filepath.Join(s.Dir, pattern)) // the pattern is fixed
		for _, dir := range left {
			errs = append(errs, removeAll(dir))
		}
	}
	return errors.Join(errs...)
}

// removeAll removes folders that are read-only as well.
func removeAll(dir string) error {
	_ = filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			_ = os.Chmod(p, 0o700) //nolint:gosec // a directory needs its x bit
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// Save copies the files below root, which nobody may change meanwhile, into a snapshot, and replaces the one of the same
// key. leave reports what is left out, by its path below root. m has Key, Commit, State and Ports; the rest is filled in.
// It removes old snapshots where there are too many.
func (s *Store) Save(ctx context.Context, root string, leave func(path string) bool, m Manifest) (Manifest, error) {
	unlock, err := s.lock()
	if err != nil {
		return m, err
	}
	defer unlock()
	made, err := os.MkdirTemp(s.Dir, ".new-")
	if err != nil {
		return m, err
	}
	defer func() { _ = removeAll(made) }()
	m.Format, m.Made = format, time.Now().UTC().Truncate(time.Second)
	if m.Files, m.Bytes, err = copyTree(ctx, root, filepath.Join(made, "files"), leave); err != nil {
		return m, fmt.Errorf("saving %s: %w", root, err)
	}
	if err := atomicfile.WriteJSON(filepath.Join(made, "manifest.json"), m); err != nil {
		return m, err
	}
	if err := s.drop(m.Key); err != nil {
		return m, err
	}
	if err := os.Rename(made, s.path(m.Key)); err != nil {
		return m, err
	}
	return m, s.prune()
}

// Restore writes the files of a snapshot below to, an empty folder or one that is not there yet. Each file is compared with
// the manifest while it is copied. An error leaves what was written, which the caller removes.
func (s *Store) Restore(ctx context.Context, m Manifest, to string) error {
	if err := restoreTree(ctx, s.path(m.Key, "files"), to, m.Files); err != nil {
		return fmt.Errorf("snapshot %.12s: %w: remove it with `gitops local snapshot remove %[1]s`", m.Key, err)
	}
	now := time.Now()
	_ = os.Chtimes(s.path(m.Key, "manifest.json"), now, now) // only the order of removal depends on it
	return nil
}
