package programs

import (
	"context"
	"errors"
	"os/exec"

	"k8s-plus-aws-gitops/internal/gomodule"
)

// Module is the Go module that a program is built from, in the module cache. It carries what a project ships beside code:
// charts, CRDs, IAM policies, rendered manifests.
func Module(ctx context.Context, name string) (gomodule.Module, error) {
	p, err := lookup(name)
	if err != nil {
		return gomodule.Module{}, err
	}
	dir, err := setDir()
	if err != nil {
		return gomodule.Module{}, err
	}
	return downloadModule(ctx, dir, p.module, p.version)
}

// downloadModule asks the go command for one module, with the set's go.sum in dir.
func downloadModule(ctx context.Context, dir, path, version string) (gomodule.Module, error) {
	m, err := gomodule.Download(ctx, dir, path, version, buildVariables...)
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return m, goCommandError(err)
	case err != nil:
		return m, explain(err.Error())
	}
	return m, nil
}
