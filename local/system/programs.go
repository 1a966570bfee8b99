package system

import (
	"cmp"
	"context"
	"encoding/json"
	"os"

	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/local/imagefile"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
	"k8s-plus-aws-gitops/local/platform"
	"k8s-plus-aws-gitops/local/programs"
	"k8s-plus-aws-gitops/local/system/report"
)

// ProgramSource is where the programs of a platform come from: released images are read at the mirror of GITOPS_LOCAL_REGISTRY,
// else at that of the platform, else at their own registries.
func ProgramSource(from programs.From, declared *platform.Platform) (programs.Source, error) {
	registries := imagefile.Registries{Mirror: cmp.Or(os.Getenv(programs.MirrorVariable), declared.Mirror)}
	return programs.Source{From: from, Registries: registries}, registries.Validate()
}

// build puts the programs that the cache lacks there.
func (u *up) build(ctx context.Context, out *progress.Output) error {
	source, err := ProgramSource(u.o.Programs, u.platform)
	if err != nil {
		return err
	}
	names := u.platform.Programs()
	if u.binaries, err = source.All(ctx, out, names...); err != nil {
		return err
	}
	u.parts.controlPlane = u.binaries[programs.ControlPlane].Path
	used := make([]programs.Binary, len(names))
	for i, name := range names {
		used[i] = u.binaries[name]
	}
	out.Result("%s", report.Origins(used))
	raw, err := json.MarshalIndent(used, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(u.Dir.Programs(), append(raw, '\n'), 0o600)
}

// toCompile reports whether the cache lacks a program that no image is known for.
func (u *up) toCompile(ctx context.Context) (bool, error) {
	source, err := ProgramSource(u.o.Programs, u.platform)
	if err != nil {
		return false, err
	}
	all, err := source.List(ctx, u.platform.Programs()...)
	for _, b := range all {
		if b.Path == "" && b.Image == nil {
			return true, err
		}
	}
	return false, err
}
