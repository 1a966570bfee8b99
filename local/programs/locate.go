package programs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// marker is the file by which a directory is known to be local/programs.
var marker = filepath.Join("local", "programs", "controlplane", "go.mod")

// Sources is the directory that holds one directory per program. It is found upwards of the working
// directory or of the running executable: nested modules cannot be embedded into a binary.
func Sources() (string, error) {
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
			if _, err := os.Stat(filepath.Join(dir, marker)); err == nil {
				return filepath.Join(dir, "local", "programs"), nil
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return "", fmt.Errorf("no %s above %v: run inside a clone of the repository", marker, starts)
}

// CacheDir is where finished binaries live: $GITOPS_CACHE, else k8s-plus-aws-gitops below $XDG_CACHE_HOME,
// else below ~/.cache. It is outside the checkout, so that clones share it.
func CacheDir() (string, error) {
	if dir := os.Getenv("GITOPS_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("no home directory for the cache of built programs: set GITOPS_CACHE to a directory")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "k8s-plus-aws-gitops"), nil
}
