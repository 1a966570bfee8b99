// Package charts makes the Helm repository of the local system: charts that are packaged from the source of their Go
// modules, at the versions that the programs are built from. Chart and program cannot drift apart that way, and no chart
// repository has to be reached.
package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/manifests/pinned"
	"k8s-plus-aws-gitops/local/internal/atomicfile"
)

// timestamp is the time that the index names for every chart. It is constant, as are the archives', so that
// publishing again changes no digest and makes no Flux source a new revision.
var timestamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Publish writes the archives of the named charts and index.yaml into dir, which is made if missing. The charts are those of
// the modules that the checkout's internal/manifests/modules pins. The same pins give the same bytes. Modules that are not
// in the module cache are downloaded.
func Publish(ctx context.Context, checkout, dir string, names ...string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	index := repo.NewIndexFile()
	index.Generated = timestamp
	for _, name := range names {
		loaded, err := Load(ctx, checkout, name)
		if err == nil {
			err = add(index, dir, loaded)
		}
		if err != nil {
			return fmt.Errorf("publish chart %s: %w", name, err)
		}
	}
	index.SortEntries()
	b, err := yaml.Marshal(index)
	if err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	// Last, so that the index never names an archive that is not there.
	if err := atomicfile.Write(filepath.Join(dir, "index.yaml"), b, 0o644); err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	return nil
}

// add packages one chart into dir and enters it into the index.
func add(index *repo.IndexFile, dir string, loaded *chart.Chart) error {
	b, err := archive(loaded)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.tgz", loaded.Name(), loaded.Metadata.Version)
	if err := atomicfile.Write(filepath.Join(dir, name), b, 0o644); err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if err := index.MustAdd(loaded.Metadata, name, "", hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	for _, v := range index.Entries[loaded.Name()] {
		v.Created = timestamp
	}
	return nil
}

// Load reads a chart from its module and makes it what the project releases.
func Load(ctx context.Context, checkout, name string) (*chart.Chart, error) {
	source, err := pinned.Chart(name)
	if err != nil {
		return nil, err
	}
	module, err := pinned.Module(ctx, checkout, source.Module)
	if err != nil {
		return nil, err
	}
	loaded, err := released(source, module.Dir, module.Version)
	if err == nil && loaded.Name() != name {
		err = fmt.Errorf("the chart in %s of %s is %s: correct internal/manifests/pinned", source.Dir, source.Module, loaded.Name())
	}
	return loaded, err
}

// released reads a chart by helm's rules (.helmignore) and completes it.
func released(source pinned.Source, module, version string) (*chart.Chart, error) {
	dir := filepath.Join(module, filepath.FromSlash(source.Dir))
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if source.CRDs == "" {
		return loaded, nil
	}
	loaded.Metadata.Version, loaded.Metadata.AppVersion = strings.TrimPrefix(version, "v"), version
	// The dependency (a secrets backend that is off by default) is not in the module, and helm refuses a
	// chart that lacks one of its dependencies.
	loaded.Metadata.Dependencies, loaded.Lock = nil, nil
	return loaded, addCRDs(loaded, filepath.Join(module, filepath.FromSlash(source.CRDs)))
}

// addCRDs adds the CRDs of a folder to the chart's crds directory.
func addCRDs(loaded *chart.Chart, folder string) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return err
	}
	n := 0
	for _, f := range files {
		if filepath.Base(f) == "kustomization.yaml" {
			continue
		}
		b, err := os.ReadFile(f)
		if err != nil {
			return err
		}
		loaded.Raw = append(loaded.Raw, &chart.File{Name: path.Join("crds", filepath.Base(f)), Data: b})
		n++
	}
	if n == 0 {
		return fmt.Errorf("%s holds no CRDs", folder)
	}
	return nil
}
