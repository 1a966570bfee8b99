package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"path"
	"slices"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"sigs.k8s.io/yaml"
)

// archive packs a loaded chart as helm package does, but with sorted files and one constant time: helm's own
// writer stamps every file with the present.
func archive(c *chart.Chart) ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	metadata, err := yaml.Marshal(c.Metadata)
	if err != nil {
		return nil, err
	}
	files := []*chart.File{{Name: chartutil.ChartfileName, Data: metadata}}
	for _, f := range c.Raw {
		if f.Name == chartutil.ChartfileName || f.Name == "Chart.lock" && c.Lock == nil {
			continue
		}
		files = append(files, f)
	}
	slices.SortFunc(files, func(a, b *chart.File) int { return strings.Compare(a.Name, b.Name) })

	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	t := tar.NewWriter(z)
	for _, f := range files {
		h := &tar.Header{Name: path.Join(c.Name(), f.Name), Mode: 0o644, Size: int64(len(f.Data)), ModTime: timestamp}
		if err := t.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.Data); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
