package programs

import (
	"context"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"k8s-plus-aws-gitops/local/imagefile"
)

// Origin is what a binary was taken out of. The cache has it beside the binary.
type Origin struct {
	// Image is the released image, with its tag, as the project names it, whatever mirror gave it.
	Image string `json:"image"`
	// Platform is the machine's, and Digest that of the platform's image.
	Platform string `json:"platform"`
	Digest   string `json:"digest"`
	// File is the path in the image.
	File string `json:"file"`
}

const originFile = "origin.json"

func readOrigin(dir string) (*Origin, error) {
	b, err := os.ReadFile(filepath.Join(dir, originFile))
	if err != nil {
		return nil, fmt.Errorf("%w: remove %s, it is made again", err, dir)
	}
	o := &Origin{}
	return o, json.Unmarshal(b, o)
}

func (b build) origin(p program, pin pin) *Origin {
	return &Origin{Image: pin.Image, Platform: b.platform, Digest: pin.Platforms[b.platform], File: p.image.file}
}

// downloads is how many images are read at a time.
const downloads = 4

// open asks the registries for the images of those programs that may come from one. It returns those that are there, by program,
// and the programs that have to be compiled.
func (b build) open(ctx context.Context, out io.Writer) (map[string]*imagefile.Image, []program, error) {
	images, why := map[string]*imagefile.Image{}, map[string]error{}
	var failed, others []program
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, p := range b.programs {
		pin, ok := b.pins[p.name]
		if !ok {
			continue
		}
		asking.Go(func() {
			image, err := b.source.Registries.Open(ctx, p.image.repository, pin.Platforms[b.platform], b.platform)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				why[p.name] = err
				return
			}
			images[p.name] = image
		})
	}
	asking.Wait()
	for _, p := range b.programs {
		switch {
		case why[p.name] != nil:
			failed, others = append(failed, p), append(others, p)
		case images[p.name] == nil:
			others = append(others, p)
		}
	}
	if ctx.Err() != nil {
		return images, others, ctx.Err()
	}
	return images, others, b.instead(out, failed, why)
}

// take takes programs out of their images and returns those with which that failed.
func (b build) take(ctx context.Context, out io.Writer, images map[string]*imagefile.Image) ([]program, error) {
	if len(images) > 0 {
		fmt.Fprintf(out, "taking %d programs out of their released images\n", len(images))
	}
	why := map[string]error{}
	var mu sync.Mutex
	var work errgroup.Group
	work.SetLimit(downloads)
	for _, p := range b.programs {
		image := images[p.name]
		if image == nil {
			continue
		}
		work.Go(func() error {
			err := b.extract(p, image)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				why[p.name] = err
				return nil
			}
			fmt.Fprintf(out, "%s is taken out of %s, %.19s\n", p.name, b.pins[p.name].Image, b.pins[p.name].Platforms[b.platform])
			return nil
		})
	}
	_ = work.Wait() // each failure is in why
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var failed []program
	for _, p := range b.programs {
		if why[p.name] != nil {
			failed = append(failed, p)
		}
	}
	return failed, b.instead(out, failed, why)
}

// extract puts a program of an image into the cache, in one step.
func (b build) extract(p program, image *imagefile.Image) error {
	work, err := os.MkdirTemp(b.cache, scratchPrefix)
	if err != nil {
		return explain(err.Error())
	}
	defer func() { _ = os.RemoveAll(work) }()
	binary := filepath.Join(work, p.name)
	if err := image.File(p.image.file, binary); err != nil {
		return err
	}
	pin := b.pins[p.name]
	if err := runnable(binary, b.platform); err != nil {
		return fmt.Errorf("%s in %s: %w", p.image.file, pin.Image, err)
	}
	origin, err := json.MarshalIndent(b.origin(p, pin), "", "  ")
	if err != nil {
		return err
	}
	result := filepath.Join(work, "result")
	if err := os.Mkdir(result, 0o755); err != nil {
		return err
	}
	if err := os.Rename(binary, filepath.Join(result, p.name)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(result, originFile), append(origin, '\n'), 0o644); err != nil {
		return err
	}
	return publish(result, b.taken(p))
}

// machines are those that Go programs of images are built for, by Go's names.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// runnable reports why a binary cannot run on a platform without what else is in its image.
func runnable(name, platform string) error {
	f, err := elf.Open(name)
	if err != nil {
		return fmt.Errorf("is no program for Linux: %w", err)
	}
	defer f.Close()
	if wanted := machines[strings.TrimPrefix(platform, "linux/")]; f.Machine != wanted {
		return fmt.Errorf("is for %s, must be for %s", f.Machine, wanted)
	}
	for _, part := range f.Progs {
		if part.Type == elf.PT_INTERP {
			return fmt.Errorf("needs shared libraries of its image")
		}
	}
	return nil
}
