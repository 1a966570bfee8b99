package programs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/modfile"
)

// editedModule copies the source of p's module below work, edits it, and writes a go.mod (with its go.sum)
// that replaces the module by the copy. It returns that go.mod, for -modfile. The program's own go.mod keeps
// naming the published module, so go.sum still checks what is copied.
func editedModule(ctx context.Context, p program, dir, work string) (string, error) {
	source, err := ModuleDir(ctx, p.name, p.module)
	if err != nil {
		return "", err
	}
	copied := filepath.Join(work, "source")
	if err := copySource(source, copied); err != nil {
		return "", fmt.Errorf("copy %s: %w", source, err)
	}
	for _, e := range p.edits {
		if err := e.apply(copied); err != nil {
			return "", fmt.Errorf("edit %s@%s: %w", p.module, p.version, err)
		}
	}
	f, err := readGoMod(filepath.Join(dir, "go.mod"))
	if err != nil {
		return "", err
	}
	if err := f.AddReplace(p.module, "", copied, ""); err != nil {
		return "", err
	}
	name := filepath.Join(work, "go.mod")
	if err := os.WriteFile(name, modfile.Format(f.Syntax), 0o644); err != nil {
		return "", err
	}
	sum, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return "", err
	}
	return name, os.WriteFile(filepath.Join(work, "go.sum"), sum, 0o644)
}

// apply changes, replaces or adds the file below root.
func (e edit) apply(root string) error {
	name := filepath.Join(root, filepath.FromSlash(e.file))
	if e.old == "" {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		return os.WriteFile(name, []byte(e.new), 0o644)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return err
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
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, 0o644)
	})
}
