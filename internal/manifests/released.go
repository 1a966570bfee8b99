package manifests

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"

	"k8s-plus-aws-gitops/internal/cachedir"
	"k8s-plus-aws-gitops/internal/manifests/pinned"
)

// ReleasedCharts finds charts as they are released. A chart of the version of its pinned Go module comes from there; any
// other is downloaded from its repository once, compared with the digest in the index, and kept in the cache. Where a
// repository is out of reach the module's version stands in, and notice, if any, is told so once for each chart.
func ReleasedCharts(root string, notice func(string)) Charts {
	module := ModuleCharts(root)
	var told sync.Map
	return func(wanted Chart) (string, error) {
		dir, err := module(wanted)
		if err != nil {
			return "", err
		}
		if built, err := inModule(root, dir, wanted); err != nil || built {
			return dir, err
		}
		cache, err := cachedir.Dir()
		if err != nil {
			return "", err
		}
		released, err := download(filepath.Join(cache, "charts"), wanted)
		var away unreachableError
		if !errors.As(err, &away) {
			return released, err
		}
		if _, before := told.LoadOrStore(wanted, true); !before && notice != nil {
			notice(fmt.Sprintf("%v; its values were checked with the chart of its Go module, as %s/go.mod pins it", err, pinned.Dir))
		}
		return dir, nil
	}
}

// inModule reports whether a module's chart is the one that is wanted. A project may raise the chart's version after
// the tag of the program; then the module's own version counts.
func inModule(root, dir string, wanted Chart) (bool, error) {
	metadata, err := chartutil.LoadChartfile(filepath.Join(dir, chartutil.ChartfileName))
	if err != nil {
		return false, err
	}
	source, err := pinned.Chart(wanted.Name)
	if err != nil {
		return false, err
	}
	versions, err := pinned.Versions(root)
	return metadata.Version == wanted.Version || versions[source.Module] == "v"+wanted.Version, err
}

// unreachableError is the error of a repository that does not answer.
type unreachableError struct {
	chart Chart
	err   error
}

func (e unreachableError) Error() string {
	return fmt.Sprintf("chart %s %s cannot be downloaded from %s: %v", e.chart.Name, e.chart.Version, e.chart.Repository, e.err)
}

func (e unreachableError) Unwrap() error { return e.err }

// cached is the folder in which download keeps a chart.
func cached(cache string, wanted Chart) string {
	return filepath.Join(cache, wanted.Name+"-"+wanted.Version, wanted.Name)
}

// download returns the folder of a released chart, below the cache.
func download(cache string, wanted Chart) (string, error) {
	dir := cached(cache, wanted)
	if _, err := os.Stat(filepath.Join(dir, chartutil.ChartfileName)); err == nil {
		return dir, nil
	}
	base := strings.TrimSuffix(wanted.Repository, "/") + "/"
	content, err := get(wanted, base+"index.yaml")
	if err != nil {
		return "", err
	}
	entry, err := find(content, wanted)
	if err != nil {
		return "", fmt.Errorf("%sindex.yaml %w", base, err)
	}
	address, err := resolve(base, entry.URLs[0])
	if err != nil {
		return "", err
	}
	archive, err := get(wanted, address)
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(archive); hex.EncodeToString(sum[:]) != entry.Digest {
		return "", fmt.Errorf("%s has digest %x, the index says %s; do not use it, and ask the project", address, sum, entry.Digest)
	}
	return dir, unpack(archive, filepath.Dir(dir))
}

// entry is a chart of a repository's index: https://helm.sh/docs/topics/chart_repository/#the-index-file. Helm's own type is
// in a package that brings its registry client along, and Kubernetes' client with it.
type entry struct {
	Version, Digest string
	URLs            []string
}

// find returns a chart's entry of exactly the wanted version.
func find(content []byte, wanted Chart) (entry, error) {
	var index struct{ Entries map[string][]entry }
	if err := yaml.Unmarshal(content, &index); err != nil {
		return entry{}, fmt.Errorf("must be an index of charts: %w", err)
	}
	for _, e := range index.Entries[wanted.Name] {
		if strings.TrimPrefix(e.Version, "v") == strings.TrimPrefix(wanted.Version, "v") && len(e.URLs) > 0 {
			return e, nil
		}
	}
	return entry{}, fmt.Errorf("has no chart %s %s; pin a version that it has", wanted.Name, wanted.Version)
}

// resolve completes an address of the index, which may be relative to the repository's.
func resolve(base, address string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := from.Parse(address)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}

// unpack writes a chart's archive into a folder, in one step: another process may do the same.
func unpack(archive []byte, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dir), ".tmp-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := chartutil.Expand(scratch, bytes.NewReader(archive)); err != nil {
		return err
	}
	if err := os.Rename(scratch, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

// largest is more than a chart is allowed to be; an index of years of releases has a few megabytes.
const largest = 64 << 20

// get reads an address; a server that does not answer gives an unreachableError.
func get(wanted Chart, address string) ([]byte, error) {
	client := http.Client{Timeout: 30 * time.Second}
	answer, err := client.Get(address)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // the chart's repository is named already
		}
		return nil, unreachableError{wanted, err}
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s; correct the url of the HelmRepository", address, answer.Status)
	}
	content, err := io.ReadAll(io.LimitReader(answer.Body, largest))
	if err != nil {
		return nil, unreachableError{wanted, err}
	}
	return content, nil
}
