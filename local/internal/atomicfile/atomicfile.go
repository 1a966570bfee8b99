// Package atomicfile replaces files in one step.
package atomicfile

import (
	"fmt"
	"os"
	"path/filepath"
)

// Write replaces a file, so that a reader or a crash never sees half of it. It
// is not synced to the disk: the laboratory rebuilds what a power cut lost.
func Write(name string, data []byte, mode os.FileMode) error {
	return replace(name, mode, func(f *os.File) error {
		_, err := f.Write(data)
		return err
	})
}

func replace(name string, mode os.FileMode, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err = write(f); err == nil {
		err = f.Chmod(mode)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return os.Rename(f.Name(), name)
}
