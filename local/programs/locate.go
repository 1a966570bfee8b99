package programs

import (
	"fmt"
	"os"
	"path/filepath"
)

// setGoMod is the go.mod of the set, in a clone.
var setGoMod = filepath.Join("local", "programs", "set", "go.mod")

// setDir is the directory of the set's go.mod. It is found upwards of the working directory or of the running
// executable: nested modules cannot be embedded into a binary.
func setDir() (string, error) {
	var starts []string
	if wd, err := os.Getwd(); err == nil {
		starts = append(starts, wd)
	}
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		starts = append(starts, filepath.Dir(exe))
	}
	for _, start := range starts {
		for dir := start; ; dir = filepath.Dir(dir) {
			if gomod := filepath.Join(dir, setGoMod); isFile(gomod) {
				return filepath.Dir(gomod), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("no %s above %v: run inside a clone of the repository", setGoMod, starts)
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
