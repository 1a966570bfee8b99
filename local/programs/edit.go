package programs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/mod/modfile"
)

// editedModules copies the sources of the modules that the programs edit below work, edits them, and writes a go.mod
// (with its go.sum) that replaces the modules by the copies. It returns that go.mod, for -modfile. The set's own
// go.mod keeps naming the published modules, so go.sum still checks what is copied.
func editedModules(ctx context.Context, programs []program, dir, work string) (string, error) {
	f, err := readGoMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	for _, p := range programs {
		if len(p.edits) == 0 {
			continue
		}
		m, err := downloadModule(ctx, dir, p.module, p.version)
		if err != nil {
			return "", err
		}
		copied := filepath.Join(work, "source", p.name)
		if err := copySource(m.Dir, copied); err != nil {
			return "", fmt.Errorf("copy %s: %w", m.Dir, err)
		}
		for _, e := range p.edits {
			if err := e.apply(copied); err != nil {
				return "", fmt.Errorf("edit %s@%s: %w", p.module, p.version, err)
			}
		}
		if err := f.AddReplace(p.module, "", copied, ""); err != nil {
			return "", err
		}
	}
	name := filepath.Join(work, "go.mod")
	if err := os.WriteFile(name, modfile.Format(f.Syntax), 0o644); err != nil {
		return "", err
	}
	return name, copyFile(filepath.Join(dir, "go.sum"), filepath.Join(work, "go.sum"))
}

// apply changes, replaces or adds the file below root.
func (e edit) apply(root string) error {
	name := filepath.Join(root, filepath.FromSlash(e.file))
	if e.old == "" && e.pattern == "" {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(e.new), 0o644)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if e.pattern != "" {
		matches, err := regexp.Compile(e.pattern)
		if err != nil {
			return err
		}
		if !matches.Match(b) {
			return fmt.Errorf("%s has nothing that matches %q: adapt the edit in local/programs/table.go to this version", e.file, e.pattern)
		}
		return os.WriteFile(name, matches.ReplaceAll(b, []byte(e.new)), 0o644)
	}
	if n := strings.Count(string(b), e.old); n != 1 {
		return fmt.Errorf("%s holds %q %d times, the edit wants it once: adapt it in local/programs/table.go to this version", e.file, strings.TrimSpace(e.old), n)
	}
	return os.WriteFile(name, []byte(strings.Replace(string(b), e.old, e.new, 1)), 0o644)
}

// notBuilt are top-level directories that no build reads; a copy without them is made in a blink.
var notBuilt = map[string]bool{"docs": true, "test": true, "tests": true, "assets": true, "terraform": true, "design": true}

// copySource copies a module's source from the read-only module cache, writable.
func copySource(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if notBuilt[rel] {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return errors.New(path + " is not a regular file")
		}
		return copyFile(path, filepath.Join(to, rel))
	})
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o644)
}

func readGoMod(file string) (*modfile.File, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return modfile.Parse(file, b, nil)
}
