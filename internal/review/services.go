package review

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"k8s-plus-aws-gitops/internal/manifests"
	"k8s-plus-aws-gitops/internal/progress"
	"k8s-plus-aws-gitops/internal/services"
)

// ofServices reports whether a file makes the manifests of services: their own files, and what renders them. The fleet,
// which registers them, is rendered with everything else.
func ofServices(path string) bool {
	for _, folder := range []string{services.FilesDir, services.AppDir, "internal/services"} {
		if strings.HasPrefix(path, folder+"/") {
			return true
		}
	}
	return path == "go.mod" || path == "go.sum"
}

// fleets are the services of both sides, base first. A mistake in their files is a problem of the review, and no reason to
// show nothing.
type fleets struct {
	sides  [2]services.Fleet
	errors [2]error
}

// fleets reads the services of both sides; nil when the change does nothing to them.
func (w *work) fleets(changed []string) *fleets {
	f := &fleets{}
	for side, c := range []checkout{w.base, w.head} {
		f.sides[side], f.errors[side] = loadFleet(c)
	}
	if f.errors == [2]error{} && reflect.DeepEqual(f.sides[0], f.sides[1]) && !slices.ContainsFunc(changed, ofServices) {
		return nil
	}
	return f
}

// renderServices adds to both sides what the Kustomization of each service applies once the service is published. It
// follows another repository, so neither side can be read from there: both are rendered from the services' files.
func (w *work) renderServices(ctx context.Context, o Options, s *sides, f *fleets, out *progress.Output) error {
	for side, c := range []checkout{w.base, w.head} {
		err := f.errors[side]
		if err == nil && len(f.sides[side].Services) > 0 {
			out.Note("%s", c.label)
			if err := buildServices(ctx, o.Root, c, out); err != nil {
				return fmt.Errorf("%s: bin/services: %w", c.label, err)
			}
		}
		app := services.App{Program: filepath.Join(c.root, "bin", "services"), Dir: c.root, Env: environ(c.root)}
		for _, e := range s.environments {
			pair := s.rendered[e.Name]
			if err != nil {
				pair[side].Problems = append(pair[side].Problems, "services: "+strings.ReplaceAll(err.Error(), "\n", "; "))
			} else if made, err := renderFleet(ctx, app, f.sides[side], e.Name); err != nil {
				return fmt.Errorf("%s: %w", c.label, err)
			} else {
				pair[side].Kustomizations = append(pair[side].Kustomizations, made...)
			}
			s.rendered[e.Name] = pair
		}
	}
	return nil
}

// buildServices builds the cdk8s app of a side.
func buildServices(ctx context.Context, tools string, c checkout, out *progress.Output) error {
	if err := packages(ctx, tools, c, out); err != nil {
		return err
	}
	return run(ctx, c.root, out, "make", "--silent", filepath.Join("bin", "services"))
}

// loadFleet reads the services of a side; none where the side has no such thing.
func loadFleet(c checkout) (services.Fleet, error) {
	if _, err := os.Stat(filepath.Join(c.root, services.ConfigFile)); err != nil {
		return services.Fleet{}, nil //nolint:nilerr // a repository without services
	}
	return services.Load(c.root)
}

// renderFleet renders the services of an environment, each as the Kustomization that applies it.
func renderFleet(ctx context.Context, app services.Renderer, fleet services.Fleet, environment string) ([]manifests.Kustomization, error) {
	cluster, known := fleet.Cluster(environment)
	all := fleet.Here(environment)
	if !known || len(all) == 0 {
		return nil, nil
	}
	rendered, err := app.Render(ctx, cluster, all)
	if err != nil {
		return nil, err
	}
	made := make([]manifests.Kustomization, 0, len(all))
	for _, s := range all {
		objects, err := manifests.ParseObjects(rendered[s.Name])
		if err != nil {
			return nil, fmt.Errorf("service %s: %w", s.Name, err)
		}
		made = append(made, manifests.Kustomization{Name: "services/" + s.Name, Path: s.File, Objects: objects})
	}
	return made, nil
}
