// Package cachedir is where the tool keeps what it can fetch or build again.
package cachedir

import (
	"errors"
	"os"
	"path/filepath"
)

// Dir is $GITOPS_CACHE, else k8s-plus-aws-gitops below $XDG_CACHE_HOME, else
// below ~/.cache. It is outside the checkout, so that clones share it.
func Dir() (string, error) {
	if dir := os.Getenv("GITOPS_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	base := os.Getenv("XDG_CACHE_HOME")
	if base == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("no home directory for the cache: set GITOPS_CACHE to a directory")
		}
		base = filepath.Join(home, ".cache")
	}
	return filepath.Join(base, "k8s-plus-aws-gitops"), nil
}
