package pipelines

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// programsDir is where the Makefile links programs in a checkout.
const programsDir = "bin"

// programs holds what builds have linked. Go links a program only if it would be another one than what is there, which it knows
// by content: without them each build of a deployment links anew, 5 s of the processor for bin/gitops alone. CodeBuild has no
// such thing.
func (j *job) programs() string { return filepath.Join(j.Root, "builds", "programs") }

// keepPrograms keeps what a build has linked. It is called when the build has succeeded: one that was killed may leave half a
// program.
func (b *build) keepPrograms() error {
	return eachProgram(filepath.Join(b.src, programsDir), func(file, name string) error {
		to := filepath.Join(b.programs(), name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		// Two builds may end at once, and a third may begin: a program appears whole.
		part := fmt.Sprintf("%s.%s", to, filepath.Base(b.dir))
		if err := os.Link(file, part); err != nil {
			return err
		}
		return errors.Join(os.Rename(part, to), os.RemoveAll(part)) // a rename to the same file leaves both
	})
}

// lendPrograms gives a checkout the programs that builds before have linked.
func (b *build) lendPrograms(dir string) error {
	return eachProgram(b.programs(), func(file, name string) error {
		to := filepath.Join(dir, programsDir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return err
		}
		if err := os.Link(file, to); errors.Is(err, fs.ErrExist) {
			return nil // the commit has a file of that name
		} else if err != nil {
			return err
		}
		// make compares times, and would take a program of another commit for the one of this: Go has to be asked.
		return os.Chtimes(to, time.Unix(0, 0), time.Unix(0, 0))
	})
}

// eachProgram calls a function for each file below a folder, by its path from there. No folder has none.
func eachProgram(dir string, do func(file, name string) error) error {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return do(path, name)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
