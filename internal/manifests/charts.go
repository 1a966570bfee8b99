package manifests

import (
	"context"
	"path/filepath"
	"regexp"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
)

// Chart is what a HelmRelease asks for.
type Chart struct {
	Name, Version string
	// Repository is the address of the HelmRepository.
	Repository string
}

// Charts returns the folder that holds a chart's source.
type Charts func(wanted Chart) (dir string, err error)

// exactVersion is a version as a HelmRelease must pin it: no range, no "latest".
var exactVersion = regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

// ModuleCharts finds charts in the Go module cache, at the pinned version, whatever version is wanted; a module that is not
// there yet is downloaded and verified by the go command.
func ModuleCharts(root string) Charts {
	return func(wanted Chart) (string, error) {
		source, err := pinned.Chart(wanted.Name)
		if err != nil {
			return "", err
		}
		module, err := pinned.Module(context.Background(), root, source.Module)
		if err != nil {
			return "", err
		}
		return filepath.Join(module.Dir, filepath.FromSlash(source.Dir)), nil
	}
}
