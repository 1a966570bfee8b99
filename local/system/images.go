package system

import (
	"context"
	"fmt"

	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/endpoint/front"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/npm"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/deploy"
	"k8s-plus-aws-gitops/local/system/layout"
)

// machine is what this run of Up found or put on the machine for the images.
type machine struct {
	ctx      context.Context
	binaries map[string]programs.Binary
	packages map[string]npm.Installed
}

// Binary implements [platform.Installed].
func (i machine) Binary(program string) string { return i.binaries[program].Path }

// Module implements [platform.Installed].
func (i machine) Module(program string) (string, error) {
	m, err := programs.Module(i.ctx, program)
	return m.Dir, err
}

// Package implements [platform.Installed].
func (i machine) Package(a npm.Application) (npm.Installed, error) {
	found, ok := i.packages[packageKey(a)]
	if !ok {
		return found, fmt.Errorf("%s is not installed", packageKey(a))
	}
	return found, nil
}

func packageKey(a npm.Application) string { return a.Package + "@" + a.Version }

// writeImages writes the image table that the process node reads.
func (u *up) writeImages(ctx context.Context) error {
	table, err := u.platform.Table(machine{ctx, u.binaries, u.packages}, platform.Place{
		Executable: u.Executable,
		Endpoint:   u.ports.URL(layout.AWS),
		Region:     deploy.Region,
		Registry:   front.RegistryHost + "/*",
	})
	if err != nil {
		return err
	}
	raw, err := yaml.Marshal(table)
	if err != nil {
		return err
	}
	return atomicfile.Write(u.Dir.Images(), raw, 0o600)
}
