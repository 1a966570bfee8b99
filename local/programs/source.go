package programs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/local/imagefile"
)

// From says where programs come from.
type From string

// Where programs come from. Those whose released binary cannot run here are always compiled; differences.md names them.
const (
	// Auto is the default: what the cache has; else the released image, where [LockFile] has its digest and the registry gives
	// it; else the compiler. It asks no registry for a tag.
	Auto From = "auto"
	// Images are released images, or an error. Digests that [LockFile] lacks are asked for by tag, and written there.
	Images From = "images"
	// Compile is the compiler alone.
	Compile From = "compile"
)

// ParseFrom reads a From; "" is Auto.
func ParseFrom(text string) (From, error) {
	switch f := From(text); f {
	case "":
		return Auto, nil
	case Auto, Images, Compile:
		return f, nil
	}
	return "", fmt.Errorf("must be %s, %s or %s, got %q", Auto, Images, Compile, text)
}

// Source is where programs come from, and the registries that released images are read at. The zero value is Auto.
type Source struct {
	From       From
	Registries imagefile.Registries
}

// Binary is a program on this machine.
type Binary struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// Path is the binary's; "" when the cache lacks it.
	Path string `json:"path,omitempty"`
	// Image is the released image that it was, or will be, taken out of; nil when it is compiled.
	Image *Origin `json:"image,omitempty"`
	// Reason is why it is compiled.
	Reason string `json:"reason,omitempty"`
}

// All makes sure that the binaries of the named programs are in the cache and returns them by name. What the cache lacks is
// taken out of released images and compiled, by one go command, so that what programs share is compiled once: ten minutes on
// two cores for all of them, some seconds with a warm build cache. Progress goes to out, the compiler's output to a log file in
// the cache, which errors name. Callers, also in other processes, do so one after the other, and for each program once.
func (s Source) All(ctx context.Context, out io.Writer, names ...string) (map[string]Binary, error) {
	if out == nil {
		out = io.Discard
	}
	if s.From == Images {
		if err := s.complete(ctx, out, names); err != nil {
			return nil, err
		}
	}
	wanted, err := s.plan(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", strings.Join(names, ", "), err)
	}
	for _, p := range wanted.programs {
		if _, pinned := wanted.pins[p.name]; s.From == Images && p.image.file != "" && !pinned {
			return nil, fmt.Errorf("%s has no image of %s for %s; %s=%s compiles it", LockFile, p.name, wanted.platform, FromVariable, Auto)
		}
	}
	if missing := wanted.missing(); len(missing.programs) > 0 {
		if err := missing.locked(ctx, out); err != nil {
			return nil, fmt.Errorf("build %s: %w", strings.Join(missing.names(), ", "), err)
		}
	}
	all := map[string]Binary{}
	for _, p := range wanted.programs {
		if all[p.name], err = wanted.state(p); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// List tells for each of the programs what the cache has, and what [Source.All] would do where it has nothing. It asks nobody.
func (s Source) List(ctx context.Context, names ...string) ([]Binary, error) {
	wanted, err := s.plan(ctx, names...)
	if err != nil {
		return nil, err
	}
	var all []Binary
	for _, p := range wanted.programs {
		b, err := wanted.state(p)
		if err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, nil
}

// state is what the cache has of a program, or what it will get.
func (b build) state(p program) (Binary, error) {
	tag, err := Tag(p.name)
	state := Binary{Name: p.name, Version: tag, Path: b.binary(p)}
	pin, pinned := b.pins[p.name]
	switch {
	case err != nil:
	case state.Path != "" && filepath.Dir(state.Path) != b.target(p):
		state.Image, err = readOrigin(filepath.Dir(state.Path))
	case state.Path == "" && pinned:
		state.Image = b.origin(p, pin)
	case p.image.file == "":
		state.Reason = "the released binary cannot run here: " + p.image.why
	case b.source.From == Compile:
		state.Reason = "asked to compile"
	case pinned:
		state.Reason = "was in the cache"
	default:
		state.Reason = fmt.Sprintf("%s has no image of it for %s", LockFile, b.platform)
	}
	return state, err
}

// fill puts the build's programs into the cache. What has to be compiled anyway does not wait for downloads.
func (b build) fill(ctx context.Context, out io.Writer) error {
	images, others, err := b.open(ctx, out)
	if err != nil {
		return err
	}
	defer func() {
		for _, i := range images {
			i.Close()
		}
	}()
	var failed []program
	work, both := errgroup.WithContext(ctx)
	work.Go(func() error { return b.only(others).compile(both, out) })
	work.Go(func() (err error) {
		failed, err = b.take(both, out, images)
		return err
	})
	if err := work.Wait(); err != nil {
		return err
	}
	return b.only(failed).compile(ctx, out)
}

// only is the build of some of the programs.
func (b build) only(programs []program) build {
	b.programs = programs
	return b
}

// instead decides what becomes of programs whose images failed: they are compiled, with one line for each reason, or it is an
// error.
func (b build) instead(out io.Writer, failed []program, why map[string]error) error {
	reasons, by := grouped(failed, why)
	var all []error
	for _, reason := range reasons {
		if b.source.From == Images {
			all = append(all, fmt.Errorf("%s: %s; %s=%s compiles what has no image", by[reason], reason, FromVariable, Auto))
			continue
		}
		fmt.Fprintf(out, "%s; compiling %s\n", reason, by[reason])
	}
	return errors.Join(all...)
}

// grouped are the different reasons why programs failed, and the names of the programs by them.
func grouped(failed []program, why map[string]error) (reasons []string, names map[string]string) {
	names = map[string]string{}
	for _, p := range failed {
		reason := why[p.name].Error()
		if names[reason] == "" {
			reasons, names[reason] = append(reasons, reason), p.name
			continue
		}
		names[reason] += ", " + p.name
	}
	return reasons, names
}

// FromVariable is the environment variable that says where programs come from, and MirrorVariable the one that names a registry
// with copies of the images.
const (
	FromVariable   = "GITOPS_LOCAL_PROGRAMS"
	MirrorVariable = "GITOPS_LOCAL_REGISTRY"
)
