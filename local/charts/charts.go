// Package charts makes the Helm repository of the local system: the charts of the AWS Load Balancer
// Controller, external-dns and the External Secrets Operator, packaged from the source of their Go modules
// at the versions that the programs are built from. Chart and program cannot drift apart that way, and no
// chart repository has to be reached.
package charts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/repo"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/local/programs"
)

// Chart is one chart of the repository.
type Chart struct {
	Name       string // of the chart and of its program, see programs.Names
	Version    string // of the chart, as k8s/platform/controllers pins it
	AppVersion string // tag of the image that the chart runs unless values say otherwise

	module string // Go module that carries the chart
	path   string // the chart's directory in the module
	crds   string // directory of CRDs in the module that upstream adds when it releases the chart
}

// Charts are the charts that [Publish] writes.
func Charts() []Chart {
	return []Chart{
		{
			Name: "aws-load-balancer-controller", Version: "3.2.2", AppVersion: "v3.2.2",
			module: "sigs.k8s.io/aws-load-balancer-controller", path: "helm/aws-load-balancer-controller",
		},
		{
			Name: "external-dns", Version: "1.21.1", AppVersion: "0.21.0",
			module: "sigs.k8s.io/external-dns", path: "charts/external-dns",
		},
		{
			// The tag v0.20.4 still carries chart 0.20.3 without CRDs: upstream raises the version and
			// generates the CRDs when it releases the chart.
			// https://github.com/external-secrets/external-secrets/blob/v0.20.4/hack/helm.generate.sh
			Name: "external-secrets", Version: "0.20.4", AppVersion: "v0.20.4",
			module: "github.com/external-secrets/external-secrets", path: "deploy/charts/external-secrets",
			crds: "config/crds/bases",
		},
	}
}

// timestamp is the time that the index names for every chart. It is constant, as are the archives', so that
// publishing again changes no digest and makes no Flux source a new revision.
var timestamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Publish writes the archives and index.yaml of the repository into dir, which is made if missing. The same
// pins give the same bytes. Modules that are not in the module cache are downloaded.
func Publish(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	index := repo.NewIndexFile()
	index.Generated = timestamp
	for _, c := range Charts() {
		module, err := programs.ModuleDir(ctx, c.Name, c.module)
		if err != nil {
			return fmt.Errorf("publish chart %s: %w", c.Name, err)
		}
		if err := add(index, dir, module, c); err != nil {
			return fmt.Errorf("publish chart %s: %w", c.Name, err)
		}
	}
	index.SortEntries()
	b, err := yaml.Marshal(index)
	if err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	// Last, so that the index never names an archive that is not there.
	if err := replace(filepath.Join(dir, "index.yaml"), b); err != nil {
		return fmt.Errorf("publish charts: %w", err)
	}
	return nil
}

// add packages one chart into dir and enters it into the index.
func add(index *repo.IndexFile, dir, module string, c Chart) error {
	loaded, err := c.load(module)
	if err != nil {
		return err
	}
	b, err := archive(loaded)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("%s-%s.tgz", c.Name, c.Version)
	if err := replace(filepath.Join(dir, name), b); err != nil {
		return err
	}
	sum := sha256.Sum256(b)
	if err := index.MustAdd(loaded.Metadata, name, "", hex.EncodeToString(sum[:])); err != nil {
		return err
	}
	for _, v := range index.Entries[c.Name] {
		v.Created = timestamp
	}
	return nil
}

// load reads the chart from its module, by helm's rules (.helmignore), and makes it what upstream releases.
func (c Chart) load(module string) (*chart.Chart, error) {
	dir := filepath.Join(module, filepath.FromSlash(c.path))
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	m := loaded.Metadata
	if m.Name != c.Name {
		return nil, fmt.Errorf("the chart in %s/%s is %s", c.module, c.path, m.Name)
	}
	if c.crds == "" {
		if m.Version != c.Version || m.AppVersion != c.AppVersion {
			return nil, fmt.Errorf("%s/%s is version %s of app %s, local/charts expects %s of %s: change the pins together",
				c.module, c.path, m.Version, m.AppVersion, c.Version, c.AppVersion)
		}
		return loaded, nil
	}
	m.Version, m.AppVersion = c.Version, c.AppVersion
	// The dependency (a secrets backend that is off by default) is not in the module, and helm refuses a
	// chart that lacks one of its dependencies.
	m.Dependencies, loaded.Lock = nil, nil
	return loaded, c.addCRDs(loaded, module)
}

// addCRDs adds the CRDs to the chart's crds directory.
func (c Chart) addCRDs(loaded *chart.Chart, module string) error {
	files, err := filepath.Glob(filepath.Join(module, filepath.FromSlash(c.crds), "*.yaml"))
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
		return fmt.Errorf("%s/%s holds no CRDs", c.module, c.crds)
	}
	return nil
}

// replace writes a file in one step.
func replace(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
