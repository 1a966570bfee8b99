// Package checkout finds the checkout of the platform that a command runs in.
package checkout

import (
	"fmt"
	"os"
	"path/filepath"
)

// Root finds the checkout that holds the working directory.
func Root() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	return Find(wd)
}

// Find finds the checkout that holds dir: the next folder upwards with
// cdk.json and k8s/clusters.
func Find(dir string) (string, error) {
	from, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if from, err = filepath.EvalSymlinks(from); err != nil {
		return "", err
	}
	for d := from; ; d = filepath.Dir(d) {
		_, errApp := os.Stat(filepath.Join(d, "cdk.json"))
		_, errK8s := os.Stat(filepath.Join(d, "k8s", "clusters"))
		if errApp == nil && errK8s == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("%s is not inside a checkout of the platform (no cdk.json with k8s/clusters upwards): change into it", from)
		}
	}
}
